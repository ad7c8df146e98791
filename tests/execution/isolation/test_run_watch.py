"""The CPU time, state and switches of a thread decide whether its run is late."""

import os
import subprocess
import threading
import time
from collections.abc import Iterable
from itertools import repeat
from typing import Any

import pytest

from isolation_spec.execution.isolation.run_watch import (
    Lateness,
    RunClock,
    RunWatch,
    ThreadSample,
    read_thread,
    read_threads,
)

ASLEEP = ThreadSample(1.0, 7, is_asleep=True)

needs_linux = pytest.mark.skipif(
    not os.path.exists("/proc/self/task"),
    reason="Linux alone has the states of threads in /proc; elsewhere no run is late",
)


def looks(
    *samples: ThreadSample | None,
    allowed: float = 30.0,
    runs: tuple[int, ...] = (),
    trees: Iterable[Any] = repeat(None),
) -> list[Lateness | None]:
    """The verdict of each look, 0.1 s after the one before."""
    now = [0.0]
    numbers = iter(runs or (1,) * len(samples))
    remaining = iter(samples)
    remaining_trees = iter(trees)
    watch = RunWatch(
        lambda: RunClock(next(numbers), 0.0, 1, 1, 0.0),
        lambda *_: next(remaining),
        lambda: now[0],
        lambda _: next(remaining_trees),
    )
    found = []
    for _ in samples:
        found.append(watch.look(allowed))
        now[0] += 0.11
    return found


def test_twenty_equal_samples_of_a_sleeping_thread_are_a_wait() -> None:
    """After the first sample, twenty more without a change."""
    found = looks(*[ASLEEP] * 21)

    assert [None] * 20 + [Lateness.ASLEEP] == found


@pytest.mark.parametrize(
    "other",
    [
        ASLEEP._replace(cpu=1.0001),
        ASLEEP._replace(switches=8),
        ASLEEP._replace(is_asleep=False),
    ],
    ids=["computed", "woken", "runnable"],
)
def test_a_change_begins_the_count_anew(other: ThreadSample) -> None:
    """A thread that computes, was woken, or waits for a processor is not asleep."""
    samples = [*[ASLEEP] * 20, other, *[other] * 19]

    assert {None} == set(looks(*samples))


def test_a_runnable_thread_is_never_asleep() -> None:
    """A thread that gets no processor for ever so long is not late."""
    starved = [ASLEEP._replace(is_asleep=False)] * 1000

    assert {None} == set(looks(*starved))


def test_the_cpu_time_of_the_run_decides() -> None:
    """A run is busy once its thread has computed for longer than allowed."""
    samples = [ThreadSample(cpu, 1, is_asleep=False) for cpu in (1.0, 29.9, 30.1)]

    assert [None, None, Lateness.BUSY] == looks(*samples)


def test_each_run_is_watched_by_itself() -> None:
    """The samples of one run count for no other, and between runs there are none."""
    runs = (1,) * 15 + (2,) * 15
    found = looks(*[ASLEEP] * 30, runs=runs)

    assert {None} == set(found)
    assert [None] == looks(ASLEEP, runs=(0,), allowed=0)


def test_without_samples_the_wall_clock_is_left() -> None:
    """Where the platform cannot tell, a run is late after as many seconds."""
    found = looks(*[None] * 4, allowed=0.3)

    assert [None, None, None, Lateness.BUSY] == found


CHILD = {(2, 2): ASLEEP}


def test_a_wait_is_known_once_nothing_is_at_work_for_it() -> None:
    """The thread sleeps, and so does each thread below it, from sample to sample."""
    found = looks(*[ASLEEP] * 6, trees=[CHILD] * 3)

    assert [None] * 4 + [Lateness.WAITING, None] == found


def test_each_wait_is_reported_once() -> None:
    """The report wakes the thread; it must come to its end before the next report."""
    woken = ASLEEP._replace(cpu=1.0001, switches=8)
    next_wait = ASLEEP._replace(cpu=1.1, switches=9)
    samples = [*[ASLEEP] * 5, *[woken] * 21, *[next_wait] * 5]
    found = [lateness for lateness in looks(*samples, trees=repeat(CHILD)) if lateness]

    assert [Lateness.WAITING, Lateness.ASLEEP, Lateness.WAITING] == found


@pytest.mark.parametrize(
    "tree",
    [
        None,
        {(2, 2): ASLEEP._replace(is_asleep=False)},
        {(2, 2): ASLEEP._replace(switches=8)},
        {(2, 2): ASLEEP._replace(cpu=1.1)},
        {(3, 3): ASLEEP},
    ],
    ids=["unknown", "runnable", "woken", "computed", "another"],
)
def test_a_child_at_work_makes_no_wait(tree: Any) -> None:
    """A child that waits for a processor is at work, too: load is no wait."""
    found = looks(*[ASLEEP] * 6, trees=[CHILD, tree, CHILD])

    assert [None] * 6 == found


@needs_linux
def test_the_samples_of_a_tree_are_of_all_its_threads() -> None:
    """The threads of a process and of its children, but for the one that asks."""
    is_over = threading.Event()
    waiting = threading.Thread(target=is_over.wait)
    waiting.start()
    child = subprocess.Popen(["sleep", "3600"])
    try:
        found = read_threads(os.getpid())
    finally:
        is_over.set()
        waiting.join()
        child.kill()
        child.wait()

    assert found is not None
    assert {(os.getpid(), waiting.native_id), (child.pid, child.pid)} <= {*found}
    assert (os.getpid(), threading.get_native_id()) not in found


@needs_linux
def test_a_sample_is_of_one_thread() -> None:
    """CPU time counts in the thread that computes, and a waiting thread sleeps."""
    is_over = threading.Event()
    waiting = threading.Thread(target=is_over.wait)
    waiting.start()
    try:
        began = time.thread_time()
        while time.thread_time() - began < 0.05:
            pass
        own = read_thread(os.getpid(), threading.get_native_id())
        other = read_thread(os.getpid(), waiting.native_id or 0)
    finally:
        is_over.set()
        waiting.join()

    assert own is not None
    assert other is not None
    assert own.cpu >= 0.05
    assert other.cpu < 0.05
    assert other.is_asleep
