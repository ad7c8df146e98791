"""The step counter cancels a task of stock asyncio around one of its steps."""

import asyncio
from typing import Any

import pytest

from isolation_spec.model.scenario import (
    Cancellation,
)
from isolation_spec.world.live.world import LiveWorld
from isolation_spec.world.tasks import StepTracker


async def three_steps(log: list[str]) -> None:
    try:
        for step in ("first", "second", "third"):
            log.append(step)
            await asyncio.sleep(0)
        log.append("end")
    except asyncio.CancelledError:
        log.append("cancelled")
        raise


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
def test_cancellation_around_a_step(step: int, early: bool) -> None:
    """Cancelled before a step, it is not done; after it, it is the last one done."""
    log: list[str] = []
    hits: list[asyncio.Task[Any]] = []
    tracker = StepTracker(Cancellation(step=step, after_step=early), hits.append)

    async def main(world: LiveWorld) -> tuple[bool, int]:
        task = world.launch(three_steps(log), name="x", requester=1, tracker=tracker)
        await asyncio.wait([task])
        return world.stop_tracking(task), task.cancelling()

    with LiveWorld() as world:
        landed, requests = world.run(main(world))

    everything = ["first", "second", "third", "end"]
    done = everything[: step if early else step - 1]
    missed = step == 5 or (step == 4 and early)

    assert (everything if missed else [*done, *["cancelled"] * bool(done)]) == log
    assert (0 if missed else 1) == len(hits) == requests
    assert missed == landed
