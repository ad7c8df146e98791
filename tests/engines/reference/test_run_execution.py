"""Every run that starts ends once: stored, reported, and without leftover work."""

import asyncio
from typing import Any

import pytest

from isolation_spec.engines.reference import (
    AgentServices,
    ClosedError,
    Limits,
)
from tests.engines.reference.agents import RUNS, furnish


@pytest.mark.asyncio
async def test_cancelled_at_every_step(world, cancel_at) -> None:  # type: ignore[no-untyped-def]
    """At any cancellation the end is reported once and stored, and no task is left."""
    furnish(world)
    engine = await world.engine()
    cancelled = completed = 0
    for number in range(40):
        run_id = f"r{number}"
        run = world.run(engine, "whole", run_id, number)
        stepper = cancel_at(run, number // 2 + 1, late=bool(number % 2))
        task = asyncio.create_task(stepper.run())
        await asyncio.wait((task,))
        types = world.inbox.types(run_id)
        if task.cancelled():
            cancelled += 1
            assert types[-1] == "agent_cancelled"
            assert world.rows(RUNS, run_id) == [(0, "cancelled")]
        else:
            completed += 1
            assert types[-1] == "agent_completed"
            assert world.rows(RUNS, run_id) == [(1, None)]
        ends = [name for name in types if name.startswith("agent_c")]
        assert (len(ends), types.count("agent_started")) == (1, 1)
        assert types.count("tool_executing") == types.count("tool_completed")
        assert engine.active_runs == ()
        del task, stepper
        world.assert_nothing_left()
    assert cancelled > 10
    assert completed > 10


@pytest.mark.asyncio
async def test_cancelled_again_and_again(world) -> None:  # type: ignore[no-untyped-def]
    """A run cancelled in every turn ends once and is stored."""
    furnish(world)
    engine = await world.engine()
    task = asyncio.create_task(world.run(engine, "whole", "r", 1))
    while not task.done():
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.inbox.types("r")[-1] == "agent_cancelled"
    assert world.rows(RUNS, "r") == [(0, "cancelled")]
    del task
    world.assert_nothing_left()


@pytest.mark.asyncio
async def test_a_suppressed_cancellation_counts(world) -> None:  # type: ignore[no-untyped-def]
    """An agent that ignores its cancellation does not turn it into a result."""

    async def stubborn(services: AgentServices, value: Any) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "no"
        return "never"

    world.agent("stubborn", stubborn)
    engine = await world.engine()
    task = asyncio.create_task(world.run(engine, "stubborn", "r"))
    await world.until(lambda: world.inbox.events)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.inbox.types("r")[-1] == "agent_cancelled"


@pytest.mark.asyncio
async def test_failures_become_results(world) -> None:  # type: ignore[no-untyped-def]
    """A failing agent gives an error; so does a result that cannot be copied or
    sent."""

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

    world.agent("fail", fail)
    engine = await world.engine()
    for value, error in {
        "raise": "RuntimeError: broken",
        "spurious": "CancelledError",
        "result": "agent_completed of run 'result' is not JSON",
        "swallow": "agent_thinking of run 'swallow' is not JSON",
        "state": "cannot be copied",
    }.items():
        result = await world.run(engine, "fail", value, value)
        assert not result.success
        assert error in str(result.error)
        assert world.inbox.types(value)[-1] == "agent_error"
        assert world.rows(RUNS, value) == [(0, result.error)]
        assert result.state in ({"half": 1}, {})
    assert len(engine.run_history) == 5


@pytest.mark.asyncio
async def test_a_slow_run_fails(world) -> None:  # type: ignore[no-untyped-def]
    """A run over the time limit fails with a result that names it, even if
    suppressed."""

    async def stubborn(services: AgentServices, value: Any) -> None:
        try:
            await services.sleep(1)
        except asyncio.CancelledError:
            return

    furnish(world)
    world.agent("stubborn", stubborn)
    engine = await world.engine(run_seconds=0.02)
    for name in ("hang", "stubborn"):
        result = await world.run(engine, name, name)
        assert (result.success, "run_seconds" in str(result.error)) == (False, True)
        assert world.inbox.types(name)[-1] == "agent_error"


@pytest.mark.asyncio
async def test_unawaited_work_ends_with_its_run(world) -> None:  # type: ignore[no-untyped-def]
    """Tool calls and children that the agent does not await end before the run."""
    left: list[asyncio.Task[Any]] = []

    async def leave(services: AgentServices, value: Any) -> Any:
        left.append(asyncio.create_task(services.tools.execute_tool("stay")))
        left.append(asyncio.create_task(services.spawn("hang")))
        await asyncio.sleep(0.001)
        left.append(asyncio.create_task(services.tools.execute_tool("stay")))
        left.append(asyncio.create_task(services.spawn("hang")))

    async def stay(context: Any, arguments: Any) -> None:
        await asyncio.Event().wait()

    furnish(world)
    world.agent("leave", leave)
    world.tool("stay", stay)
    engine = await world.engine()
    result = await world.run(engine, "leave", "r")
    assert result.success
    assert world.inbox.types("r")[-1] == "agent_completed"
    assert world.inbox.types("r").count("tool_completed") == 1
    assert world.inbox.types("r/1")[-1] == "agent_cancelled"
    await asyncio.wait(left)
    assert [task.cancelled() for task in left] == [True, True, False, False]
    assert all(isinstance(task.exception(), ClosedError) for task in left[2:])
    world.assert_nothing_left()


@pytest.mark.asyncio
async def test_a_run_that_cannot_be_stored_fails(world) -> None:  # type: ignore[no-untyped-def]
    """Success is reported only after it is stored."""
    furnish(world)
    engine = await world.engine()
    await engine.database_session_manager.close()
    world.agent("nothing", lambda services, value: asyncio.sleep(0, "done"))
    result = await world.run(engine, "nothing", "r")
    assert "not stored" in str(result.error)
    assert world.inbox.types("r")[-1] == "agent_error"


@pytest.mark.asyncio
async def test_undelivered_and_history(world) -> None:  # type: ignore[no-untyped-def]
    """Queued events are counted in the result; the history is bounded."""
    furnish(world)
    world.inbox.connected = False
    engine = await world.engine(run_history=2)
    for number in range(3):
        result = await world.run(engine, "small", f"r{number}")
        assert result.metadata["undelivered"] == 2
    assert [record.run_id for record in engine.run_history] == ["r1", "r2"]
    assert Limits().run_history == 100
