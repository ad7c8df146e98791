"""Each function that waits takes virtual time on the thread of a simulated loop."""

import asyncio
import concurrent.futures
import os
import queue
import select
import subprocess
import sys
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


def get_from_empty(kind: Any) -> Callable[[], None]:
    def get() -> None:
        with pytest.raises(queue.Empty):
            kind().get(timeout=DAY)

    return get


def wait_for_condition() -> None:
    condition = threading.Condition()
    with condition:
        assert not condition.wait(DAY)


def wait_for_future() -> None:
    with pytest.raises(TimeoutError):
        concurrent.futures.Future[int]().result(DAY)


LOCKED = threading.Lock()
LOCKED.acquire()
"""Older than any world, as the locks of an engine's modules."""


@pytest.mark.parametrize(
    ("call", "wait"),
    [
        ("time.sleep", lambda: time.sleep(DAY)),
        ("time.sleep", lambda: bound_before(DAY)),
        ("select.select", lambda: select.select([], [], [], DAY)),
        ("Event.wait", lambda: threading.Event().wait(DAY)),
        ("Lock.acquire", lambda: LOCKED.acquire(timeout=DAY)),
        ("Condition.wait", wait_for_condition),
        ("Queue.get", get_from_empty(queue.Queue)),
        ("SimpleQueue.get", get_from_empty(queue.SimpleQueue)),
        ("Future.result", wait_for_future),
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


def wait_with_lock() -> None:
    with LOCKED:
        pass


@pytest.mark.parametrize(
    ("call", "wait"),
    [
        ("Event.wait", lambda: threading.Event().wait()),
        ("Lock.acquire", lambda: LOCKED.acquire()),
        ("Lock.acquire", wait_with_lock),
        ("SimpleQueue.get", lambda: queue.SimpleQueue[int]().get()),
    ],
)
def test_a_wait_that_no_thread_can_end_ends_the_run(
    call: str, wait: Callable[[], Any]
) -> None:
    """Without another thread, a lock that is never released holds the loop for ever."""
    calls: list[BlockingCall] = []

    async def main() -> None:
        wait()

    world = World(Scheduler(Schedule()))
    world.on_blocked = calls.append
    with world, pytest.raises(WorldExhausted, match="holds the loop"):
        world.run(main())

    assert [(call, None)] == [(one.call, one.seconds) for one in calls]


@pytest.mark.parametrize(
    ("call", "polling", "timeout"),
    [("poll.poll", "poll", 20), ("epoll.poll", "epoll", 0.02)],
)
def test_a_poll_that_times_out_is_reported(
    call: str, polling: str, timeout: float
) -> None:
    """Its descriptors are real: so is the wait, and the same length is virtual."""
    if not hasattr(select, polling):
        pytest.skip(f"this system has no select.{polling}")
    reader, writer = os.pipe()
    try:
        poll = getattr(select, polling)()
        poll.register(reader, select.POLLIN)
        calls, now = waits_of(lambda: poll.poll(timeout))
        os.write(writer, b"x")
        ready, _ = waits_of(lambda: poll.poll(timeout))
    finally:
        os.close(reader)
        os.close(writer)

    assert [(call, 0.02)] == [(one.call, one.seconds) for one in calls]
    assert 0.02 == now
    assert [] == ready


SLEEPS = [sys.executable, "-c", "import time; time.sleep(3600)"]
WRITES = [sys.executable, "-c", "print('done')"]


def test_a_wait_for_a_child_is_real() -> None:
    """A child has the whole real time-out to end, and is no hold in virtual time."""
    done: list[Any] = []

    def wait() -> None:
        done.append(subprocess.run(WRITES, capture_output=True, timeout=60).stdout)
        child = subprocess.Popen(WRITES, stdout=subprocess.DEVNULL)
        done.append(child.wait(timeout=60))

    assert ([], 0.0) == waits_of(wait)
    assert [b"done\n", 0] == done


def test_a_wait_for_a_child_that_times_out_is_reported() -> None:
    """The world reports the whole time-out."""

    def wait() -> None:
        with subprocess.Popen(SLEEPS) as child:
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(timeout=0.02)
            child.kill()

    calls, now = waits_of(wait)

    assert [("Popen.wait", 0.02)] == [(one.call, one.seconds) for one in calls]
    assert 0.02 == now


def test_a_lock_that_another_thread_releases_is_no_hold() -> None:
    """Where a real thread can end a wait, the wait is real."""
    lock = threading.Lock()
    lock.acquire()

    def wait() -> None:
        is_waiting = threading.Event()

        def release() -> None:
            is_waiting.wait()
            lock.release()

        thread = threading.Thread(target=release)
        thread.start()
        is_waiting.set()
        assert lock.acquire(timeout=DAY)
        thread.join()

    calls, now = waits_of(wait)

    assert ([], 0.0) == (calls, now)


def test_a_wait_without_length_is_no_wait() -> None:
    """`sleep(0)`, an event that is set and an attempt hold no loop."""

    def wait() -> None:
        is_set = threading.Event()
        is_set.set()
        time.sleep(0)
        assert is_set.wait(DAY)
        assert not LOCKED.acquire(blocking=False)
        assert not LOCKED.acquire(timeout=0)

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
