"""Pipelines run steps in sequence, in parallel and on conditions."""

import asyncio
from typing import Any

import pytest

from isolation_spec.engines.reference import (
    AgentServices,
    ExecutionStrategy,
    PipelineStep,
    PipelineStepConfig,
)

PARALLEL = ExecutionStrategy.PARALLEL
CONDITIONAL = ExecutionStrategy.CONDITIONAL


def step(name: str, value: Any = None, agent: str = "echo", **more: Any) -> Any:
    return PipelineStepConfig(name=name, agent=agent, input=value, **more)


async def echo(services: AgentServices, value: Any) -> Any:
    if value == "fail":
        raise RuntimeError(value)
    if isinstance(value, asyncio.Barrier):
        await value.wait()
        return "met"
    return value


@pytest.mark.asyncio
async def test_sequence_and_dependencies(world) -> None:  # type: ignore[no-untyped-def]
    """A failed step skips exactly the steps that depend on it."""
    world.agent("echo", echo)
    engine = await world.engine()
    done = await engine.execute_agent_pipeline(
        [
            step("a", "fail"),
            step("b", 2, dependencies=("a",)),
            step("c", 3),
            step("d", 4, dependencies=("c",), metadata={"x": [1]}),
        ]
    )
    assert list(done.results) == ["a", "c", "d"]
    assert done.skipped == ("b",)
    assert (done.success, done.step) == (False, PipelineStep.ERROR)
    assert done.results["d"].metadata["result"] == 4


@pytest.mark.asyncio
async def test_parallel_steps_meet(world) -> None:  # type: ignore[no-untyped-def]
    """Adjacent parallel steps are in flight together."""
    world.agent("echo", echo)
    engine = await world.engine()
    barrier = asyncio.Barrier(2)
    done = await engine.execute_agent_pipeline(
        [
            step("a", barrier, strategy=PARALLEL),
            step("b", barrier, strategy=PARALLEL),
            step("c", 1, strategy=PARALLEL, dependencies=("b",)),
        ]
    )
    assert done.success
    assert list(done.results) == ["a", "b", "c"]
    assert done.results["a"].metadata["result"] == "met"


@pytest.mark.asyncio
async def test_conditions(world) -> None:  # type: ignore[no-untyped-def]
    """A condition gets the results so far and decides."""
    world.agent("echo", echo)
    engine = await world.engine()

    def came_to(value: int) -> Any:
        return lambda results: results["a"].metadata["result"] == value

    done = await engine.execute_agent_pipeline(
        [
            step("a", 1),
            step("b", 2, strategy=CONDITIONAL, condition=came_to(1)),
            step("c", 3, strategy=CONDITIONAL, condition=came_to(2)),
        ]
    )
    assert (list(done.results), done.skipped) == (["a", "b"], ("c",))


@pytest.mark.asyncio
async def test_cancellation_ends_all_steps(world) -> None:  # type: ignore[no-untyped-def]
    """A cancelled pipeline leaves no run in flight."""
    world.agent("echo", echo)
    engine = await world.engine()
    steps = [step(name, asyncio.Barrier(2), strategy=PARALLEL) for name in "abc"]
    pipeline = asyncio.create_task(engine.execute_agent_pipeline(steps))
    await world.until(lambda: len(world.inbox.events) == 3)
    pipeline.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pipeline
    assert engine.active_runs == ()
    world.assert_nothing_left()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "steps",
    [
        [step("a"), step("a")],
        [step("a", dependencies=("b",)), step("b")],
    ],
)
async def test_steps_are_checked_first(world, steps) -> None:  # type: ignore[no-untyped-def]
    """An invalid pipeline raises before its first run."""
    world.agent("echo", echo)
    engine = await world.engine()
    with pytest.raises(ValueError, match="dependencies first"):
        await engine.execute_agent_pipeline(steps)
    assert world.inbox.events == []


def test_a_condition_goes_with_its_strategy() -> None:
    """A condition without the strategy, or the strategy without one, is refused."""
    with pytest.raises(ValueError, match="CONDITIONAL"):
        step("a", condition=bool)
    with pytest.raises(ValueError, match="CONDITIONAL"):
        step("a", strategy=CONDITIONAL)
