"""One user's engine admits, executes and cancels runs, and cleans up."""

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
    OwnershipError,
    UnknownAgentError,
    UserExecutionEngine,
    current_context,
)
from tests.engines.reference.agents import RUNS, furnish

LEFT_TO_THE_COLLECTOR = pytest.mark.filterwarnings(
    # Cancelled in the middle of connecting, the driver leaves a native connection to
    # the collector, about which Python 3.13 and newer warns.
    "ignore:unclosed database:ResourceWarning"
)


@pytest.mark.asyncio
async def test_a_whole_run(world) -> None:  # type: ignore[no-untyped-def]
    """A run uses all services; it is stored, reported in order and in the history."""
    furnish(world)
    engine = await world.engine()
    result = await world.run(engine, "whole", "r1", 7)
    assert (result.success, result.error, result.state) == (True, None, {"value": [7]})
    assert result.metadata == {
        "run_id": "r1",
        "agent": "whole",
        "result": ["answer to why", {"value": 7, "user": "ann"}, "r1/1", True],
        "events": 6,
        "undelivered": 0,
    }
    assert world.inbox.types("r1") == [
        "agent_started",
        "agent_thinking",
        "agent_thinking",
        "tool_executing",
        "tool_completed",
        "agent_completed",
    ]
    assert world.inbox.types("r1/1") == ["agent_started", "agent_completed"]
    assert world.rows(RUNS, "r1") == world.rows(RUNS, "r1/1") == [(1, None)]
    assert [record.run_id for record in engine.run_history] == ["r1/1", "r1"]
    assert [message.content for message in engine.conversation] == [
        "why",
        "answer to why",
    ]
    assert current_context.get(None) is None
    world.assert_nothing_left()


@pytest.mark.asyncio
async def test_cancel_by_id(world) -> None:  # type: ignore[no-untyped-def]
    """Only a run in flight can be cancelled by its id."""
    furnish(world)
    engine = await world.engine()
    task = asyncio.create_task(world.run(engine, "hang", "r"))
    await world.until(lambda: world.inbox.events)
    assert not engine.cancel("other")
    assert engine.cancel("r")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not engine.cancel("r")
    assert world.inbox.types("r") == ["agent_started", "agent_cancelled"]


@pytest.mark.asyncio
async def test_foreign_and_unknown_requests(world) -> None:  # type: ignore[no-untyped-def]
    """Requests of other owners and unknown agents are refused without a run."""
    furnish(world)
    engine = await world.engine()
    for request, error in [
        (AgentRequest("bob", "t", "r"), OwnershipError),
        (AgentRequest("ann", "T", "r"), OwnershipError),
        ("ann", TypeError),
    ]:
        with pytest.raises(error):
            await engine.execute_agent("small", request)
    with pytest.raises(UnknownAgentError):
        await world.run(engine, "unknown", "r")
    with pytest.raises(ValueError, match="once"):
        await engine.execute_agent("small", AgentRequest("ann", "t", "a"), run_id="b")
    result = await engine.execute_agent("small", AgentRequest("ann", "t"), run_id="b")
    assert result.metadata["run_id"] == "b"
    made = await engine.execute_agent("small", AgentRequest("ann", "t"))
    assert made.metadata["run_id"].startswith("run-")
    assert not world.inbox.types("r")


@pytest.mark.asyncio
async def test_at_most_three_at_once(world) -> None:  # type: ignore[no-untyped-def]
    """The fourth run waits; cancelled while it waits, it emits and stores nothing."""
    furnish(world)
    engine = await world.engine()
    tasks = [asyncio.create_task(world.run(engine, "hang", f"r{n}")) for n in range(5)]
    await world.until(lambda: len(world.inbox.events) == 3)
    assert len(engine.active_runs) == 5
    with pytest.raises(DuplicateRunError):
        await world.run(engine, "hang", "r0")
    assert engine.cancel("r3")
    await asyncio.wait((tasks[3],))
    assert world.inbox.types("r3") == []
    engine.cancel("r0")
    await world.until(lambda: world.inbox.types("r4"))
    await engine.cleanup()
    await asyncio.wait(tasks)
    world.assert_nothing_left()


@pytest.mark.asyncio
async def test_children_share_the_slot_and_have_a_depth(world) -> None:  # type: ignore[no-untyped-def]
    """Children take no slot of their own, and their depth is limited."""

    async def nest(services: AgentServices, value: Any) -> Any:
        try:
            return (await services.spawn("nest")).metadata["result"]
        except LimitError:
            return services.context.depth

    world.agent("nest", nest)
    engine = await world.engine(runs_per_engine=1)
    assert (await world.run(engine, "nest", "r")).metadata["result"] == 10
    assert f"r{'/1' * 10}" in [record.run_id for record in engine.run_history]


@pytest.mark.asyncio
async def test_a_child_of_another_user(world) -> None:  # type: ignore[no-untyped-def]
    """An agent cannot spawn for another user."""

    async def reach(services: AgentServices, value: Any) -> Any:
        await services.spawn("small", AgentRequest("bob", "t", None, 1))

    furnish(world)
    world.agent("reach", reach)
    result = await world.run(await world.engine(), "reach", "r")
    assert "OwnershipError" in str(result.error)


@pytest.mark.asyncio
async def test_cleanup_ends_everything(world) -> None:  # type: ignore[no-untyped-def]
    """Concurrent cleanups are one; afterwards no run executes, emits or is admitted."""
    furnish(world)
    engine = await world.engine()
    tasks = [asyncio.create_task(world.run(engine, "hang", f"r{n}")) for n in range(4)]
    await world.until(lambda: len(world.inbox.events) == 3)
    await asyncio.gather(*[engine.cleanup() for _ in range(3)])
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    emitted = len(world.inbox.events)
    assert [world.inbox.types(f"r{n}")[-1:] for n in range(4)] == [
        *[["agent_cancelled"]] * 3,
        [],
    ]
    with pytest.raises(ClosedError):
        await world.run(engine, "small", "late")
    with pytest.raises(ClosedError):
        await engine.memory.entries()
    with pytest.raises(ClosedError):
        await engine.tool_dispatcher.execute_tool("echo")
    await engine.cleanup()
    assert (engine.conversation, engine.active_runs) == ((), ())
    assert len(world.inbox.events) == emitted
    world.assert_nothing_left()


@pytest.mark.asyncio
async def test_cleanup_by_an_own_run(world) -> None:  # type: ignore[no-untyped-def]
    """The run that calls cleanup is ended without a cancellation and cannot succeed."""

    async def suicide(services: AgentServices, value: Any) -> str:
        if value == "child":
            await services.spawn("suicide", "now")
        else:
            await engines[-1].cleanup()
        return "still here"

    world.agent("suicide", suicide)
    engines: list[UserExecutionEngine] = []
    for value in ("now", "child"):
        engines.append(await world.engine())
        result = await world.run(engines[-1], "suicide", value, value)
        assert "cleaned up" in str(result.error)
        assert world.inbox.types(value) == ["agent_started", "agent_cancelled"]
        assert world.rows(RUNS, value) == [(0, "cancelled")]
        world.assert_nothing_left()


@pytest.mark.asyncio
async def test_a_run_that_will_not_stop_is_reported(world) -> None:  # type: ignore[no-untyped-def]
    """Cleanup ends in bounded time, lists the run and closes its emitter."""
    release = asyncio.Event()

    async def immortal(services: AgentServices, value: Any) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    world.agent("immortal", immortal)
    engine = await world.engine(cleanup_seconds=0.02)
    task = asyncio.create_task(world.run(engine, "immortal", "r"))
    await world.until(lambda: world.inbox.events)
    with pytest.raises(CleanupError, match="'r' did not stop"):
        await engine.cleanup()
    assert world.inbox.types("r") == ["agent_started", "agent_cancelled"]
    assert engine.active_runs == ()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.inbox.types("r") == ["agent_started", "agent_cancelled"]
    del task
    world.assert_nothing_left()


@LEFT_TO_THE_COLLECTOR
@pytest.mark.asyncio
async def test_database_work_that_hangs_is_aborted(world) -> None:  # type: ignore[no-untyped-def]
    """A unit that never ends is cancelled, and its session is closed."""

    async def hanging(services: AgentServices, value: Any) -> None:
        async def wait(session: Any) -> None:
            await asyncio.Event().wait()

        await services.sessions.run(wait)

    world.agent("hanging", hanging)
    engine = await world.engine(cleanup_seconds=0.02)
    task = asyncio.create_task(world.run(engine, "hanging", "r"))
    await world.until(lambda: engine.database_session_manager.active_units)
    with pytest.raises(CleanupError, match="'r' did not stop"):
        await engine.cleanup()
    with pytest.raises(asyncio.CancelledError):
        await task
    del task
    world.assert_nothing_left()
    gc.collect()


@pytest.mark.asyncio
async def test_a_cancelled_cleanup_is_finished(world) -> None:  # type: ignore[no-untyped-def]
    """A cleanup whose caller is cancelled is completed."""
    furnish(world)
    engine = await world.engine()
    run = asyncio.create_task(world.run(engine, "hang", "r"))
    await world.until(lambda: world.inbox.events)
    cleaner = asyncio.create_task(engine.cleanup())
    await asyncio.sleep(0)
    cleaner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cleaner
    assert run.cancelled()
    del cleaner, run
    world.assert_nothing_left()


@pytest.mark.asyncio
async def test_a_direct_tool_call(world) -> None:  # type: ignore[no-untyped-def]
    """A tool call outside a run has a run id that no run can have."""
    furnish(world)
    engine = await world.engine()
    assert (await engine.tool_dispatcher.execute_tool("echo", {"x": 1})).success
    assert world.inbox.types("home/tools") == ["tool_executing", "tool_completed"]
