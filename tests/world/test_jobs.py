"""A job of an executor that waits does so beside the loop, in virtual time."""

import asyncio
import contextlib
import queue
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from isolation_spec.model.scenario import Schedule
from isolation_spec.world import World
from isolation_spec.world.blocking import BlockingCall
from isolation_spec.world.loop import CURRENT_OPERATION
from isolation_spec.world.schedulers.base import Scheduler


def play(main: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, float]:
    """The result of the coroutine, and the virtual time; no callback may wait."""
    calls: list[BlockingCall] = []
    with World(Scheduler(Schedule())) as world:
        world.on_blocked = calls.append
        result = world.run(main())
        now = world.time()

    assert [] == calls
    return result, now


def test_a_job_waits_for_a_coroutine() -> None:
    """`run_coroutine_threadsafe` serves a job, as it serves a thread."""

    async def answer() -> str:
        await asyncio.sleep(3.0)
        return "answer"

    async def main() -> Any:
        loop = asyncio.get_running_loop()

        def ask() -> str:
            return asyncio.run_coroutine_threadsafe(answer(), loop).result()

        return await asyncio.to_thread(ask)

    assert ("answer", 3.0) == play(main)


@pytest.mark.parametrize(
    ("allowed", "found"), [(None, True), (5.0, True), (0.5, False)]
)
def test_a_job_waits_for_an_event(allowed: float | None, found: bool) -> None:
    """Until the loop sets it, or its time-out has passed."""

    async def main() -> Any:
        event = threading.Event()
        job = asyncio.create_task(asyncio.to_thread(event.wait, allowed))
        await asyncio.sleep(1.0)
        event.set()
        return await job

    assert (found, 1.0) == play(main)


def test_two_jobs_wait_for_one_another() -> None:
    """A producer and a consumer pass items through a queue with one place."""

    async def main() -> Any:
        items: queue.Queue[int] = queue.Queue(1)

        def take() -> list[int]:
            return [items.get() for _ in range(5)]

        def give() -> None:
            for number in range(5):
                items.put(number)

        taken = asyncio.create_task(asyncio.to_thread(take))
        await asyncio.to_thread(give)
        return await taken

    assert ([0, 1, 2, 3, 4], 0.0) == play(main)


def test_a_job_that_waits_keeps_its_context() -> None:
    """Other code runs meanwhile, in contexts of its own."""

    async def main() -> Any:
        event = threading.Event()

        def look() -> tuple[int | None, int | None]:
            before = CURRENT_OPERATION.get()
            event.wait()
            return before, CURRENT_OPERATION.get()

        CURRENT_OPERATION.set(7)
        job = asyncio.create_task(asyncio.to_thread(look))
        CURRENT_OPERATION.set(8)
        await asyncio.sleep(1.0)
        event.set()
        return await job, CURRENT_OPERATION.get()

    assert (((7, 7), 8), 1.0) == play(main)


def test_an_error_of_a_job_is_let_go() -> None:
    """Without a collection, no frame of the job outlives its error."""
    frames: list[Any] = []

    class Local:
        """A local variable, alive as long as its frame is."""

    def fail() -> None:
        local = Local()
        frames.append(weakref.ref(local))
        raise LookupError

    async def main() -> Any:
        with contextlib.suppress(LookupError):
            await asyncio.to_thread(fail)
        # The handle of this step still holds the future.
        await asyncio.sleep(0)
        return frames[0]()

    assert (None, 0.0) == play(main)


def test_a_job_that_waits_for_ever_ends_with_its_world() -> None:
    """Its `finally` runs, and neither its result nor an error arrives."""
    events: list[str] = []

    async def main() -> None:
        def wait() -> None:
            try:
                threading.Event().wait()
            finally:
                events.append("ended")

        asyncio.get_running_loop().run_in_executor(None, wait)
        await asyncio.sleep(1.0)
        events.append("over")

    play(main)

    assert ["over", "ended"] == events
