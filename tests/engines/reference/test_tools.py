"""Tools run for their owner, with permission, and a failure affects its own call."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from isolation_spec.engines.reference import (
    ClosedError,
    EventEmitter,
    EventType,
    SerializationError,
    Tool,
    ToolCatalogue,
    ToolDispatcher,
    ToolStatistics,
    UserExecutionContext,
    current_context,
)

SHARED: dict[str, Any] = {"list": [1]}


async def echo(context: UserExecutionContext, arguments: Mapping[str, Any]) -> Any:
    await asyncio.sleep(0)
    assert current_context.get() is context
    return {"user": context.user_id, **arguments}


async def shared(context: UserExecutionContext, arguments: Mapping[str, Any]) -> Any:
    arguments["list"].append(2)
    return SHARED


async def fail(context: UserExecutionContext, arguments: Mapping[str, Any]) -> Any:
    raise RuntimeError("broken")


async def hang(context: UserExecutionContext, arguments: Mapping[str, Any]) -> Any:
    await asyncio.Event().wait()


async def spurious(context: UserExecutionContext, arguments: Mapping[str, Any]) -> Any:
    raise asyncio.CancelledError


async def unspeakable(context: UserExecutionContext, arguments: Any) -> Any:
    return object()


FUNCTIONS = (echo, shared, fail, hang, spurious, unspeakable)


class Bench:
    """A dispatcher with a list of events and a clock that counts readings."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.now = 0.0
        self.denied = {"secret": False}
        self.context = UserExecutionContext("ann", "t", "r")
        self.emitter = EventEmitter(self.context, self, started=True)
        tools = [Tool(function.__name__, function) for function in FUNCTIONS]
        tools.append(Tool("strict", echo, frozenset({"x", "y"})))
        self.dispatcher = ToolDispatcher(
            self.context,
            ToolCatalogue(tuple(tools)),
            self.permit,
            self.emitter,
            self.tick,
        )

    def notify(self, user_id: str, message: str) -> bool:
        self.events.append((user_id, message))
        return True

    def permit(self, context: UserExecutionContext, name: str) -> bool:
        return self.denied.get(name, True)

    def tick(self) -> float:
        self.now += 1.0
        return self.now

    @property
    def types(self) -> list[str]:
        return [message.split('"')[3] for _, message in self.events]


BALANCED = ["tool_executing", "tool_completed"]


def test_names_are_taken_once() -> None:
    """Two tools of one name are refused; names stay in order."""
    catalogue = ToolCatalogue((Tool("b", echo), Tool("a", echo)))
    assert catalogue.names == ("b", "a")
    with pytest.raises(ValueError, match="'a'"):
        catalogue.add(Tool("a", echo))


@pytest.mark.asyncio
async def test_a_call() -> None:
    """A call emits two events and returns its result and owner."""
    bench = Bench()
    result = await bench.dispatcher.execute_tool("echo", {"x": 1})
    assert (result.success, result.error, result.user_id) == (True, None, "ann")
    assert (result.result, result.duration) == ({"user": "ann", "x": 1}, 1.0)
    assert bench.types == BALANCED
    assert current_context.get(None) is None
    assert bench.dispatcher.statistics() == {
        "echo": ToolStatistics(calls=1, succeeded=1, seconds=1.0)
    }


@pytest.mark.asyncio
async def test_nothing_is_shared_with_a_tool() -> None:
    """Arguments and results are deep copies."""
    bench = Bench()
    given = {"list": [1]}
    first = await bench.dispatcher.execute_tool("shared", given)
    first.result["list"].append(9)
    assert given == {"list": [1]}
    assert SHARED == {"list": [1]}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("fail", {}, "RuntimeError: broken"),
        ("nothing", {}, "no tool 'nothing'"),
        ("strict", {"x": 1}, "lacks the arguments y"),
        ("echo", [1], "must be a mapping"),
        ("spurious", {}, "CancelledError"),
    ],
)
async def test_a_failing_call(name: str, arguments: Any, error: str) -> None:
    """The events of a failing call are balanced, and the next call works."""
    bench = Bench()
    result = await bench.dispatcher.execute_tool(name, arguments)
    assert not result.success
    assert result.error is not None
    assert error in result.error
    assert (await bench.dispatcher.execute_tool("echo")).success
    assert bench.types == BALANCED * 2
    assert bench.dispatcher.statistics()[name].failed == 1


@pytest.mark.asyncio
async def test_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    """A denied tool does not run and emits one denial; a failing policy denies."""
    bench = Bench()
    bench.denied["echo"] = False
    result = await bench.dispatcher.execute_tool("echo")
    assert (result.success, result.error) == (False, "tool 'echo' is not permitted")
    monkeypatch.setattr(bench, "denied", None)
    result = await bench.dispatcher.execute_tool("shared", {"list": []})
    assert "permission" in str(result.error)
    assert bench.types == ["tool_denied"] * 2
    assert bench.dispatcher.statistics()["echo"] == ToolStatistics(calls=1, denied=1)


@pytest.mark.asyncio
async def test_a_cancelled_call_is_balanced() -> None:
    """Cancellation goes on, after a `tool_completed`."""
    bench = Bench()
    call = asyncio.create_task(bench.dispatcher.execute_tool("hang"))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert bench.types == BALANCED
    assert bench.dispatcher.statistics()["hang"].cancelled == 1


@pytest.mark.asyncio
async def test_values_that_are_not_json_are_errors() -> None:
    """With such arguments no tool runs; such a result completes as failed."""
    bench = Bench()
    with pytest.raises(SerializationError):
        await bench.dispatcher.execute_tool("echo", {"x": object()})
    assert bench.types == []
    with pytest.raises(SerializationError):
        await bench.dispatcher.execute_tool("unspeakable")
    assert bench.types == BALANCED
    assert bench.dispatcher.statistics()["unspeakable"].failed == 1


@pytest.mark.asyncio
async def test_close_stops_calls_of_other_tasks() -> None:
    """Closing cancels calls in flight and refuses new ones."""
    bench = Bench()
    call = asyncio.create_task(bench.dispatcher.execute_tool("hang"))
    await asyncio.sleep(0)
    await bench.dispatcher.close()
    assert call.done() or call.cancelling()
    with pytest.raises(asyncio.CancelledError):
        await call
    with pytest.raises(ClosedError):
        await bench.dispatcher.execute_tool("echo")
    with pytest.raises(ClosedError):
        await bench.dispatcher.execute(bench.context, bench.emitter, "echo", None)


@pytest.mark.asyncio
async def test_a_call_that_outlives_its_run_is_silent() -> None:
    """A run that is ended from outside completes the call, once."""
    bench = Bench()
    tools = bench.dispatcher.for_run(bench.context, bench.emitter)
    call = asyncio.create_task(tools.execute_tool("hang"))
    await asyncio.sleep(0)
    bench.emitter.finish(EventType.AGENT_CANCELLED)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert bench.types == [*BALANCED, "agent_cancelled"]
