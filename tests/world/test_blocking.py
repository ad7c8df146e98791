"""A synchronous wait on the thread of a simulated loop takes virtual time."""

import asyncio
import queue
import select
import threading
import time
from collections.abc import Callable
from time import sleep as bound_before
from typing import Any

import pytest

from isolation_spec.model.scenario import Schedule
from isolation_spec.world import World
from isolation_spec.world.blocking import BlockingCall
from isolation_spec.world.loop import WorldExhausted
from isolation_spec.world.schedulers.base import Scheduler

DAY = 86_400.0


def waits_of(wait: Callable[[], Any]) -> tuple[list[BlockingCall], float]:
    """The waits that the world reports of a callback, and the time that has passed."""
    calls: list[BlockingCall] = []

    async def main() -> None:
        wait()

    with World(Scheduler(Schedule())) as world:
        world.on_blocked = calls.append
        world.run(main())
        return calls, world.time()


def get_from_empty_queue() -> None:
    with pytest.raises(queue.Empty):
        queue.Queue[int]().get(timeout=DAY)


@pytest.mark.parametrize(
    ("call", "wait"),
    [
        ("time.sleep", lambda: time.sleep(DAY)),
        ("time.sleep", lambda: bound_before(DAY)),
        ("select.select", lambda: select.select([], [], [], DAY)),
        ("Event.wait", lambda: threading.Event().wait(DAY)),
        ("Queue.get", get_from_empty_queue),
        ("Semaphore.acquire", lambda: threading.Semaphore(0).acquire(timeout=DAY)),
    ],
)
def test_a_wait_takes_virtual_time(call: str, wait: Callable[[], Any]) -> None:
    """A day passes at once, and the world reports the function and the caller."""
    calls, now = waits_of(wait)

    assert [(call, DAY)] == [(one.call, one.seconds) for one in calls]
    assert DAY == now
    assert calls[0].place.startswith(f"{__name__}:")
    assert calls[0].function.startswith(f"{__name__}.")


def test_a_wait_that_no_thread_can_end_ends_the_run() -> None:
    """Without another thread, an event that is never set holds the loop for ever."""
    calls: list[BlockingCall] = []

    async def main() -> None:
        threading.Event().wait()

    world = World(Scheduler(Schedule()))
    world.on_blocked = calls.append
    with world, pytest.raises(WorldExhausted, match="holds the loop"):
        world.run(main())

    assert [("Event.wait", None)] == [(one.call, one.seconds) for one in calls]


def test_a_wait_without_length_is_no_wait() -> None:
    """`sleep(0)` and an event that is set hold no loop."""

    def wait() -> None:
        is_set = threading.Event()
        is_set.set()
        time.sleep(0)
        assert is_set.wait(DAY)

    assert ([], 0.0) == waits_of(wait)


def test_a_job_of_an_executor_waits_beside_the_loop() -> None:
    """The wait delays the completion of the job, and holds no callback."""
    calls: list[BlockingCall] = []

    async def main() -> float:
        job = asyncio.create_task(asyncio.to_thread(time.sleep, 5.0))
        await asyncio.sleep(1.0)
        between = asyncio.get_running_loop().time()
        await job
        return between

    with World(Scheduler(Schedule())) as world:
        world.on_blocked = calls.append
        between = world.run(main())
        now = world.time()

    assert ([], 1.0, True) == (calls, between, 5.0 <= now <= 6.0)


def test_outside_a_world_a_wait_is_real() -> None:
    """Other threads, and this one after the run, wait as they always did."""
    waits_of(lambda: time.sleep(DAY))

    before = time.monotonic()
    time.sleep(0.01)

    assert time.monotonic() - before >= 0.01
