"""One user's engine admits, runs, cancels and cleans up."""

import asyncio
import gc
from typing import Any

import pytest

from isolation_spec.engines.reference import (
    AgentRequest,
    AgentServices,
    CleanupError,
    ClosedError,
    DuplicateRunError,
    LimitError,
    Limits,
    OwnershipError,
    UnknownAgentError,
    UserExecutionEngine,
    current_context,
)

LEFT_TO_THE_COLLECTOR = pytest.mark.filterwarnings(
    # Cancelled in the middle of connecting, the driver leaves a native connection to
    # the collector, which Python 3.13 and newer remarks upon.
    "ignore:unclosed database:ResourceWarning"
)


RUNS = "SELECT success, error FROM runs WHERE run_id = ?"


async def whole(services: AgentServices, value: Any) -> Any:
    """Uses everything that an agent can use."""
    assert current_context.get() is services.context
    services.state["value"] = [value]
    services.emit({"progress": 1})
    await services.memory.remember("k", f"{value}")
    answer = await services.think("why")
    tool = await services.tools.execute_tool("echo", {"value": value})
    child = await services.spawn("small", value)
    assert current_context.get() is services.context
    return [answer, tool.result, child.metadata["run_id"], child.success]


async def small(services: AgentServices, value: Any) -> Any:
    await services.sleep(0)
    return await services.memory.recall("k")


async def echo(context: Any, arguments: Any) -> Any:
    await asyncio.sleep(0)
    return {**arguments, "user": context.user_id}


async def hang(services: AgentServices, value: Any) -> Any:
    services.state["began"] = True
    await asyncio.Event().wait()


def furnish(house: Any) -> None:
    house.agent("whole", whole)
    house.agent("small", small)
    house.agent("hang", hang)
    house.tool("echo", echo)


@pytest.mark.asyncio
async def test_a_whole_run(house) -> None:  # type: ignore[no-untyped-def]
    """A run uses all services, is stored, told in order and remembered."""
    furnish(house)
    engine = await house.engine()
    result = await house.run(engine, "whole", "r1", 7)
    assert (result.success, result.error, result.state) == (True, None, {"value": [7]})
    assert result.metadata == {
        "run_id": "r1",
        "agent": "whole",
        "result": ["answer to why", {"value": 7, "user": "ann"}, "r1/1", True],
        "events": 6,
        "undelivered": 0,
    }
    assert house.inbox.types("r1") == [
        "agent_started",
        "agent_thinking",
        "agent_thinking",
        "tool_executing",
        "tool_completed",
        "agent_completed",
    ]
    assert house.inbox.types("r1/1") == ["agent_started", "agent_completed"]
    assert house.rows(RUNS, "r1") == house.rows(RUNS, "r1/1") == [(1, None)]
    assert [record.run_id for record in engine.run_history] == ["r1/1", "r1"]
    assert [message.content for message in engine.conversation] == [
        "why",
        "answer to why",
    ]
    assert current_context.get(None) is None
    house.assert_nothing_left()


@pytest.mark.asyncio
async def test_cancelled_at_every_step(house, cancel_at) -> None:  # type: ignore[no-untyped-def]
    """Wherever a run is cancelled, its end is told once, stored, and nothing stays."""
    furnish(house)
    engine = await house.engine()
    cancelled = completed = 0
    for number in range(40):
        run_id = f"r{number}"
        run = house.run(engine, "whole", run_id, number)
        stepper = cancel_at(run, number // 2 + 1, late=bool(number % 2))
        task = asyncio.create_task(stepper.run())
        await asyncio.wait((task,))
        types = house.inbox.types(run_id)
        if task.cancelled():
            cancelled += 1
            assert types[-1] == "agent_cancelled"
            assert house.rows(RUNS, run_id) == [(0, "cancelled")]
        else:
            completed += 1
            assert types[-1] == "agent_completed"
            assert house.rows(RUNS, run_id) == [(1, None)]
        ends = [name for name in types if name.startswith("agent_c")]
        assert (len(ends), types.count("agent_started")) == (1, 1)
        assert types.count("tool_executing") == types.count("tool_completed")
        assert engine.active_runs == ()
        del task, stepper
        house.assert_nothing_left()
    assert cancelled > 10
    assert completed > 10


@pytest.mark.asyncio
async def test_cancelled_again_and_again(house) -> None:  # type: ignore[no-untyped-def]
    """A run that is cancelled in every turn still ends once, and is stored."""
    furnish(house)
    engine = await house.engine()
    task = asyncio.create_task(house.run(engine, "whole", "r", 1))
    while not task.done():
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert house.inbox.types("r")[-1] == "agent_cancelled"
    assert house.rows(RUNS, "r") == [(0, "cancelled")]
    del task
    house.assert_nothing_left()


@pytest.mark.asyncio
async def test_cancel_by_id(house) -> None:  # type: ignore[no-untyped-def]
    """A run in flight can be cancelled by its id, one that is not cannot."""
    furnish(house)
    engine = await house.engine()
    task = asyncio.create_task(house.run(engine, "hang", "r"))
    await house.until(lambda: house.inbox.events)
    assert not engine.cancel("other")
    assert engine.cancel("r")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not engine.cancel("r")
    assert house.inbox.types("r") == ["agent_started", "agent_cancelled"]


@pytest.mark.asyncio
async def test_a_swallowed_cancellation_counts(house) -> None:  # type: ignore[no-untyped-def]
    """An agent that ignores its cancellation does not turn it into a result."""

    async def stubborn(services: AgentServices, value: Any) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "no"
        return "never"

    house.agent("stubborn", stubborn)
    engine = await house.engine()
    task = asyncio.create_task(house.run(engine, "stubborn", "r"))
    await house.until(lambda: house.inbox.events)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert house.inbox.types("r")[-1] == "agent_cancelled"


@pytest.mark.asyncio
async def test_failures_become_results(house) -> None:  # type: ignore[no-untyped-def]
    """A failing agent says why; what cannot be handed out is a failure too."""

    async def fail(services: AgentServices, value: Any) -> Any:
        services.state["half"] = 1
        if value == "spurious":
            raise asyncio.CancelledError
        if value == "state":
            services.state["task"] = asyncio.current_task()
        if value == "swallow":
            with pytest.raises(Exception, match="JSON"):
                services.emit({"x": object()})
        if value in ("swallow", "state"):
            return 1
        if value == "result":
            return object()
        raise RuntimeError("broken")

    house.agent("fail", fail)
    engine = await house.engine()
    for value, error in {
        "raise": "RuntimeError: broken",
        "spurious": "CancelledError",
        "result": "agent_completed of run 'result' is not JSON",
        "swallow": "agent_thinking of run 'swallow' is not JSON",
        "state": "cannot be copied",
    }.items():
        result = await house.run(engine, "fail", value, value)
        assert not result.success
        assert error in str(result.error)
        assert house.inbox.types(value)[-1] == "agent_error"
        assert house.rows(RUNS, value) == [(0, result.error)]
        assert result.state in ({"half": 1}, {})
    assert len(engine.run_history) == 5


@pytest.mark.asyncio
async def test_a_slow_run_fails(house) -> None:  # type: ignore[no-untyped-def]
    """The time limit is a result that names it, swallowed or not."""

    async def stubborn(services: AgentServices, value: Any) -> None:
        try:
            await services.sleep(1)
        except asyncio.CancelledError:
            return

    furnish(house)
    house.agent("stubborn", stubborn)
    engine = await house.engine(run_seconds=0.02)
    for name in ("hang", "stubborn"):
        result = await house.run(engine, name, name)
        assert (result.success, "run_seconds" in str(result.error)) == (False, True)
        assert house.inbox.types(name)[-1] == "agent_error"


@pytest.mark.asyncio
async def test_foreign_and_unknown_requests(house) -> None:  # type: ignore[no-untyped-def]
    """What is not this owner's, or not known, is refused without a run."""
    furnish(house)
    engine = await house.engine()
    for request, error in [
        (AgentRequest("bob", "t", "r"), OwnershipError),
        (AgentRequest("ann", "T", "r"), OwnershipError),
        ("ann", TypeError),
    ]:
        with pytest.raises(error):
            await engine.execute_agent("small", request)
    with pytest.raises(UnknownAgentError):
        await house.run(engine, "nobody", "r")
    with pytest.raises(ValueError, match="once"):
        await engine.execute_agent("small", AgentRequest("ann", "t", "a"), run_id="b")
    result = await engine.execute_agent("small", AgentRequest("ann", "t"), run_id="b")
    assert result.metadata["run_id"] == "b"
    made = await engine.execute_agent("small", AgentRequest("ann", "t"))
    assert made.metadata["run_id"].startswith("run-")
    assert not house.inbox.types("r")


@pytest.mark.asyncio
async def test_at_most_three_at_once(house) -> None:  # type: ignore[no-untyped-def]
    """The fourth run waits; cancelled while it waits, it was never there."""
    furnish(house)
    engine = await house.engine()
    tasks = [asyncio.create_task(house.run(engine, "hang", f"r{n}")) for n in range(5)]
    await house.until(lambda: len(house.inbox.events) == 3)
    assert len(engine.active_runs) == 5
    with pytest.raises(DuplicateRunError):
        await house.run(engine, "hang", "r0")
    assert engine.cancel("r3")
    await asyncio.wait((tasks[3],))
    assert house.inbox.types("r3") == []
    engine.cancel("r0")
    await house.until(lambda: house.inbox.types("r4"))
    await engine.cleanup()
    await asyncio.wait(tasks)
    house.assert_nothing_left()


@pytest.mark.asyncio
async def test_children_share_the_slot_and_have_a_depth(house) -> None:  # type: ignore[no-untyped-def]
    """Nesting takes no further slot and ends at its limit."""

    async def nest(services: AgentServices, value: Any) -> Any:
        try:
            return (await services.spawn("nest")).metadata["result"]
        except LimitError:
            return services.context.depth

    house.agent("nest", nest)
    engine = await house.engine(runs_per_engine=1)
    assert (await house.run(engine, "nest", "r")).metadata["result"] == 10
    assert f"r{'/1' * 10}" in [record.run_id for record in engine.run_history]


@pytest.mark.asyncio
async def test_a_child_of_somebody_else(house) -> None:  # type: ignore[no-untyped-def]
    """An agent cannot spawn for another user."""

    async def reach(services: AgentServices, value: Any) -> Any:
        await services.spawn("small", AgentRequest("bob", "t", None, 1))

    furnish(house)
    house.agent("reach", reach)
    result = await house.run(await house.engine(), "reach", "r")
    assert "OwnershipError" in str(result.error)


@pytest.mark.asyncio
async def test_what_the_agent_left_behind_ends_with_it(house) -> None:  # type: ignore[no-untyped-def]
    """Tools and children in tasks nobody awaited are ended before the run is."""
    left: list[asyncio.Task[Any]] = []

    async def leave(services: AgentServices, value: Any) -> Any:
        left.append(asyncio.create_task(services.tools.execute_tool("stay")))
        left.append(asyncio.create_task(services.spawn("hang")))
        await asyncio.sleep(0.001)
        left.append(asyncio.create_task(services.tools.execute_tool("stay")))
        left.append(asyncio.create_task(services.spawn("hang")))

    async def stay(context: Any, arguments: Any) -> None:
        await asyncio.Event().wait()

    furnish(house)
    house.agent("leave", leave)
    house.tool("stay", stay)
    engine = await house.engine()
    result = await house.run(engine, "leave", "r")
    assert result.success
    assert house.inbox.types("r")[-1] == "agent_completed"
    assert house.inbox.types("r").count("tool_completed") == 1
    assert house.inbox.types("r/1")[-1] == "agent_cancelled"
    await asyncio.wait(left)
    assert [task.cancelled() for task in left] == [True, True, False, False]
    assert all(isinstance(task.exception(), ClosedError) for task in left[2:])
    house.assert_nothing_left()


@pytest.mark.asyncio
async def test_cleanup_ends_everything(house) -> None:  # type: ignore[no-untyped-def]
    """Concurrent cleanups are one; afterwards nothing runs, speaks or is admitted."""
    furnish(house)
    engine = await house.engine()
    tasks = [asyncio.create_task(house.run(engine, "hang", f"r{n}")) for n in range(4)]
    await house.until(lambda: len(house.inbox.events) == 3)
    await asyncio.gather(*[engine.cleanup() for _ in range(3)])
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    told = len(house.inbox.events)
    assert [house.inbox.types(f"r{n}")[-1:] for n in range(4)] == [
        *[["agent_cancelled"]] * 3,
        [],
    ]
    with pytest.raises(ClosedError):
        await house.run(engine, "small", "late")
    with pytest.raises(ClosedError):
        await engine.memory.entries()
    with pytest.raises(ClosedError):
        await engine.tool_dispatcher.execute_tool("echo")
    await engine.cleanup()
    assert (engine.conversation, engine.active_runs) == ((), ())
    assert len(house.inbox.events) == told
    house.assert_nothing_left()


@pytest.mark.asyncio
async def test_cleanup_by_an_own_run(house) -> None:  # type: ignore[no-untyped-def]
    """The run that cleans up is ended, not cancelled; it cannot succeed any more."""

    async def suicide(services: AgentServices, value: Any) -> str:
        if value == "child":
            await services.spawn("suicide", "now")
        else:
            await engines[-1].cleanup()
        return "still here"

    house.agent("suicide", suicide)
    engines: list[UserExecutionEngine] = []
    for value in ("now", "child"):
        engines.append(await house.engine())
        result = await house.run(engines[-1], "suicide", value, value)
        assert "cleaned up" in str(result.error)
        assert house.inbox.types(value) == ["agent_started", "agent_cancelled"]
        assert house.rows(RUNS, value) == [(0, "cancelled")]
        house.assert_nothing_left()


@pytest.mark.asyncio
async def test_a_run_that_will_not_stop_is_reported(house) -> None:  # type: ignore[no-untyped-def]
    """Cleanup ends in bounded time, says what stayed, and silences it."""
    release = asyncio.Event()

    async def immortal(services: AgentServices, value: Any) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    house.agent("immortal", immortal)
    engine = await house.engine(cleanup_seconds=0.02)
    task = asyncio.create_task(house.run(engine, "immortal", "r"))
    await house.until(lambda: house.inbox.events)
    with pytest.raises(CleanupError, match="'r' did not stop"):
        await engine.cleanup()
    assert house.inbox.types("r") == ["agent_started", "agent_cancelled"]
    assert engine.active_runs == ()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert house.inbox.types("r") == ["agent_started", "agent_cancelled"]
    del task
    house.assert_nothing_left()


@LEFT_TO_THE_COLLECTOR
@pytest.mark.asyncio
async def test_database_work_that_hangs_is_aborted(house) -> None:  # type: ignore[no-untyped-def]
    """A unit that never ends is cancelled in the end; its session is closed."""

    async def stuck(services: AgentServices, value: Any) -> None:
        async def wait(session: Any) -> None:
            await asyncio.Event().wait()

        await services.sessions.run(wait)

    house.agent("stuck", stuck)
    engine = await house.engine(cleanup_seconds=0.02)
    task = asyncio.create_task(house.run(engine, "stuck", "r"))
    await house.until(lambda: engine.database_session_manager.active_units)
    with pytest.raises(CleanupError, match="'r' did not stop"):
        await engine.cleanup()
    with pytest.raises(asyncio.CancelledError):
        await task
    del task
    house.assert_nothing_left()
    gc.collect()


@pytest.mark.asyncio
async def test_a_cancelled_cleanup_is_finished(house) -> None:  # type: ignore[no-untyped-def]
    """Who cancels the one that cleans up gets a cleaned engine all the same."""
    furnish(house)
    engine = await house.engine()
    run = asyncio.create_task(house.run(engine, "hang", "r"))
    await house.until(lambda: house.inbox.events)
    cleaner = asyncio.create_task(engine.cleanup())
    await asyncio.sleep(0)
    cleaner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cleaner
    assert run.cancelled()
    del cleaner, run
    house.assert_nothing_left()


@pytest.mark.asyncio
async def test_a_run_that_cannot_be_stored_fails(house) -> None:  # type: ignore[no-untyped-def]
    """Success is not told unless it is stored."""
    furnish(house)
    engine = await house.engine()
    await engine.database_session_manager.close()
    house.agent("nothing", lambda services, value: asyncio.sleep(0, "done"))
    result = await house.run(engine, "nothing", "r")
    assert "not stored" in str(result.error)
    assert house.inbox.types("r")[-1] == "agent_error"


@pytest.mark.asyncio
async def test_undelivered_and_history(house) -> None:  # type: ignore[no-untyped-def]
    """Queued events are counted in the result; the history is bounded."""
    furnish(house)
    house.inbox.connected = False
    engine = await house.engine(run_history=2)
    for number in range(3):
        result = await house.run(engine, "small", f"r{number}")
        assert result.metadata["undelivered"] == 2
    assert [record.run_id for record in engine.run_history] == ["r1", "r2"]
    assert Limits().run_history == 100


@pytest.mark.asyncio
async def test_a_direct_tool_call(house) -> None:  # type: ignore[no-untyped-def]
    """Tools work outside a run, under a run id that no run can take for its own."""
    furnish(house)
    engine = await house.engine()
    assert (await engine.tool_dispatcher.execute_tool("echo", {"x": 1})).success
    assert house.inbox.types("home/tools") == ["tool_executing", "tool_completed"]
