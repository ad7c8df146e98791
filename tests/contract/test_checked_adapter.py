"""A broken contract is one clear error; a badly behaved engine is no error."""

import asyncio
import contextlib
import json
import zlib
from collections.abc import Awaitable, Iterable
from typing import Any

import pytest

from isolation_spec.contract.adapter import Row
from isolation_spec.contract.capabilities import Capability
from isolation_spec.contract.errors import AgentFailure
from isolation_spec.contract.scripted_agent import FILLER, ScriptedAgent
from isolation_spec.engines.registry import own_engine
from isolation_spec.model.scenario import (
    AdvanceTime,
    CallTool,
    CancelRun,
    CleanupEngine,
    CleanupUser,
    Erase,
    Operation,
    RunAgent,
    Shutdown,
    Spawn,
    Step,
    Write,
)
from tests.contract.whole_adapter import (
    CONNECT,
    OPEN,
    PERFORM,
    READ,
    RUN,
    THINK,
    Services,
    Silence,
    Whole,
    broken,
    outcomes,
    performed,
    raising,
    returning,
    said,
)


def test_a_whole_adapter_breaks_nothing() -> None:
    """The adapter that these tests break is itself in order."""
    history = performed(own_engine(Whole).make_adapter)  # type: ignore[arg-type]

    assert {1: "returned", 2: "returned", 3: "returned"} == outcomes(history)


# Answers


def test_start_raises_nothing() -> None:
    """An engine that does not start is no finding; the text is one line."""
    assert (
        "Broken.start raised OSError: port taken: whatever happens in it is the "
        "adapter's to handle"
    ) == said(broken("start", raising(OSError("port\ntaken"))))


def test_a_context_has_a_handle() -> None:
    """A context that is None looks like no context."""
    assert (
        "Broken.open_context must return a handle of the context, saw None: return the "
        "object that read, run_agent and cleanup_context are given"
    ) == said(broken("open_context", returning(None)))


@pytest.mark.parametrize(
    ("shown", "saw"), [(None, "None"), (["a"], "list"), ("a", "'a'")]
)
def test_what_is_read_is_a_mapping(shown: Any, saw: str) -> None:
    """Each read interface is named."""
    assert (
        "Broken.read must return a mapping of each read interface to what it shows, "
        f"saw {saw}: write return {{'notes': ...}}"
    ) == said(broken("read", returning(shown)))


@pytest.mark.parametrize(
    ("row", "saw"),
    [
        (("a", "t", "k", "v"), "('a', 't', 'k', 'v')"),
        ({"owner": "a"}, "dict"),
        (Row("a", "t", "k", 1), "Row(owner='a', thread='t', key='k', value=1)"),  # type: ignore[arg-type]
    ],
)
def test_what_is_observed_is_rows(row: Any, saw: str) -> None:
    """Rows are named tuples of text, as claims compare them with written values."""
    assert (
        "Broken.observe must give Row(owner, thread, key, value), each a text, saw "
        f"{saw}: write return [Row(*row) for row in rows]"
    ) == said(broken("observe", lambda self: [row]))


def test_an_observer_gives_something_to_iterate_over() -> None:
    """An observer that returns nothing at all observed nothing."""
    assert (
        "Broken.observe must give something to iterate over, saw None: write 'def "
        "observe', a plain one"
    ) == said(broken("observe", lambda self: None))


@pytest.mark.parametrize(
    ("found", "saw"),
    [(None, "None"), ([1], "list"), ({"open": "none"}, "'open': 'none'")],
)
def test_gauges_are_numbers(found: Any, saw: str) -> None:
    """A gauge that is no number cannot be compared with zero."""
    assert (
        f"Broken.gauges must give a mapping of names to numbers, saw {saw}: write "
        "return {'open contexts': 0}"
    ) == said(broken("gauges", lambda self, user: found))


@pytest.mark.parametrize("method", ["observe", "gauges", "holdings", "shared"])
def test_what_reads_without_the_engine_is_a_plain_method(method: str) -> None:
    """An async one would give a coroutine, which is never empty and never judged."""
    assert (
        f"Broken.{method} must be a plain method, saw a coroutine: write 'def {method}'"
        ", not async"
    ) == said(broken(method, returning(())))


@pytest.mark.parametrize("method", ["observe", "gauges"])
def test_what_reads_without_the_engine_raises_nothing(method: str) -> None:
    """A claim cannot judge without its observation."""

    def failing(self: Any, *_: Any) -> Any:
        raise OSError("no table")

    assert (
        f"Broken.{method} raised OSError: no table: whatever happens in it is the "
        "adapter's to handle"
    ) == said(broken(method, failing))


class Half(Silence):
    abort = None  # type: ignore[assignment]

    def __getattribute__(self, name: str) -> Any:
        if name == "abort":
            raise AttributeError(name)
        return super().__getattribute__(name)


@pytest.mark.parametrize(
    ("connection", "saw"),
    [
        (None, "NoneType without __aiter__, close, abort, close_code"),
        (Half(), "Half without abort"),
    ],
)
def test_a_connection_has_its_form(connection: Any, saw: str) -> None:
    """A connection can be read, closed and dropped, and has a close code."""
    members = {
        "capabilities": frozenset({Capability.CONNECTIONS}),
        "connect": returning(connection),
    }

    assert (
        "Broken.connect must return a connection with __aiter__, close, abort, "
        f"close_code, saw {saw}: return a client of websockets, or an object of its "
        "form"
    ) == said(type("Broken", (Whole,), members), CONNECT)


PLAIN: list[tuple[str, Operation]] = [
    ("start", OPEN),
    ("open_context", OPEN),
    ("run_agent", RUN),
    ("read", READ),
    ("write", Write(id=5, user=0, context="x", key="k", value="v")),
    ("erase", Erase(id=5, user=0, context="x")),
    ("cleanup_context", CleanupEngine(id=5, user=0, context="x")),
    ("cleanup_user", OPEN),
    ("shutdown", OPEN),
]


@pytest.mark.parametrize(("method", "operation"), PLAIN, ids=[n for n, _ in PLAIN])
def test_a_request_is_a_coroutine_method(method: str, operation: Operation) -> None:
    """A plain method in the place of an async one is named, also in the cleanup."""
    adapter = broken(method, lambda self, *arguments: 7)
    operations = dict.fromkeys((OPEN, operation))

    assert (
        f"Broken.{method} must be a coroutine method, saw 7: write 'async def {method}'"
    ) == said(adapter, *operations)


def test_a_stream_is_no_coroutine() -> None:
    """A run that is written as an async generator would never begin."""

    async def run_agent(self: Any, *arguments: Any) -> Any:
        yield "event"

    assert (
        "Broken.run_agent must be a coroutine method, saw async_generator: write "
        "'async def run_agent'"
    ) == said(broken("run_agent", run_agent))


def test_a_plain_method_may_return_a_coroutine() -> None:
    """An awaitable need not come from an `async def`."""

    def read(self: Any, user: str, context: Any) -> Awaitable[Any]:
        return returning({"all": ""})(self)  # type: ignore[no-any-return]

    assert {1: "returned", 2: "returned", 3: "returned"} == outcomes(
        performed(own_engine(broken("read", read)).make_adapter)  # type: ignore[arg-type]
    )


# The agent


def test_a_run_performs_its_agent() -> None:
    """A run that returns without its agent would make everything hold."""
    assert (
        "Broken.run_agent never performed the agent, saw no call of agent.perform in "
        "run-2: let the engine run an agent that awaits agent.perform(services), and "
        "raise one of refusals or AgentFailure if it did not run it"
    ) == said(broken("run_agent", returning(None)))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (PermissionError("not yours"), "refused"),
        (AgentFailure("failed early"), "failed"),
        (LookupError("a bug of the engine"), "failed"),
        (asyncio.CancelledError(), "cancelled"),
    ],
)
def test_a_run_that_never_began_breaks_nothing(
    error: BaseException, outcome: str
) -> None:
    """A refused, failed or cancelled run need not have performed its agent."""
    history = performed(broken("run_agent", raising(error)))

    assert outcome == outcomes(history)[2]


@pytest.mark.parametrize(
    "reason",
    [
        CancelRun(id=9, user=0, run=2),
        CancelRun(id=9, user=1, run=2, victim=0),
        CleanupEngine(id=9, user=0, context="x"),
        CleanupUser(id=9, user=0),
        Shutdown(id=9),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_run_that_was_ended_by_its_engine_breaks_nothing(
    reason: Operation,
) -> None:
    """An engine may return quietly from a run that it had to end."""
    history = performed(
        type(
            "Quiet",
            (Whole,),
            {"run_agent": returning(None), "cancel_run": returning(None)},
        ),
        OPEN,
        RUN,
        reason,
    )

    assert "returned" == outcomes(history)[2]


def test_an_intruder_may_get_nothing() -> None:
    """A run in somebody else's context may be answered with nothing at all."""
    intrusion = RunAgent(id=2, user=1, context="x", script=(THINK,), victim=0)
    wait = AdvanceTime(id=3, seconds=1.0)
    operations = (OPEN, wait, intrusion)

    assert (
        "returned"
        == outcomes(performed(broken("run_agent", returning(None)), *operations))[2]
    )


def served(services: type, *script: Step, swallow: bool = False) -> str:
    """The error when the engine's agent performs the script with such services."""

    class Serving(Whole):
        async def run_agent(self, user: str, context: Any, agent: ScriptedAgent) -> Any:
            try:
                return await agent.perform(services())
            except Exception:
                if not swallow:
                    raise

    return said(Serving, OPEN, RunAgent(id=2, user=0, context="x", script=script))


class Mute(Services):
    """No tool can be called with it."""

    def __getattribute__(self, name: str) -> Any:
        if name == "call_tool":
            raise AttributeError(name)
        return super().__getattribute__(name)


@pytest.mark.parametrize("swallow", [False, True])
def test_services_have_the_methods_of_the_steps(swallow: bool) -> None:
    """A missing method is named even if the engine swallows its agent's exceptions."""
    step = CallTool(tool="echo", argument="a")

    assert f"Mute.call_tool is missing{PERFORM}" == served(Mute, step, swallow=swallow)


class Hushing(Services):
    """Swallows the exceptions of its children."""

    async def spawn(self, agent: ScriptedAgent) -> Any:
        with contextlib.suppress(Exception):
            await agent.perform(Mute())


def test_services_of_a_child_have_them_too() -> None:
    """A method that a child agent lacks is named even if its parent goes on."""
    child = Spawn(script=(CallTool(tool="echo", argument="a"),))

    assert f"Mute.call_tool is missing{PERFORM}" == served(Hushing, child)


def test_services_say_for_whom_they_work() -> None:
    """`identity` is read before the first step."""
    bare = type("Bare", (), {})

    assert f"Bare.identity is missing{PERFORM}" == served(bare, THINK)


def test_services_can_be_awaited() -> None:
    """A plain method in the place of an async one is named."""
    plain = type("Plain", (Services,), {"think": lambda self, prompt: "answer"})

    assert (
        "Plain.think cannot be called and awaited (object str can't be used in 'await' "
        f"expression){PERFORM}"
    ) == served(plain, THINK)


@pytest.mark.parametrize("error", [TypeError("not so"), AttributeError("think")])
def test_an_error_inside_a_service_is_the_engines(error: Exception) -> None:
    """A TypeError or AttributeError of the engine's own fails the run, no more."""
    services = type("Buggy", (Services,), {"think": raising(error)})

    async def run_agent(self: Any, user: str, context: Any, agent: Any) -> Any:
        return await agent.perform(services())

    assert "failed" == outcomes(performed(broken("run_agent", run_agent)))[2]


def test_what_an_engine_does_badly_is_for_the_claims() -> None:
    """Requests that raise end as failed or refused, and the run goes on."""
    failing = broken("read", raising(TypeError("a bug of the engine")))
    refusing = broken("open_context", raising(PermissionError()))

    assert "failed" == outcomes(performed(failing))[3]
    assert {1: "refused", 2: "unavailable", 3: "unavailable"} == outcomes(
        performed(refusing)
    )


def rows(self: Any) -> Iterable[Row]:
    yield Row("a", "t", "k", "v")


def test_a_generator_of_rows_is_an_observer() -> None:
    """Rows may be given one by one."""
    assert 3 == len(outcomes(performed(broken("observe", rows))))


def test_what_is_large_stays_large_when_compressed() -> None:
    """Two such events are more than a transport holds back by default, 64 KiB, with
    the compression that `websockets` offers unless told not to."""
    deflated = zlib.compress(FILLER.encode(), 9)

    assert 64 * 1024 < 2 * len(deflated)
    assert json.dumps(FILLER) == f'"{FILLER}"'
