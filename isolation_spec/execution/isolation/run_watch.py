"""Tells from outside whether the thread of a run computes for too long, or sleeps.

Both are read from the kernel: the CPU time of that thread, its state, and the number of
its context switches. The wall clock only paces the samples, so a busy machine makes no
run late: a thread that waits for a processor is runnable, and never counts as asleep.
"""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import psutil

__all__ = [
    "ASLEEP_SECONDS",
    "WAIT_SECONDS",
    "Lateness",
    "RunClock",
    "RunWatch",
    "read_thread",
    "read_threads",
]

_EVERY = 0.1
"""Seconds between two samples."""
_SAMPLES = 20
"""Equal samples of a sleeping thread that show a wait without an end."""
ASLEEP_SECONDS = _SAMPLES * _EVERY
"""The least time for which such a thread has slept."""
_SAMPLES_OF_WAIT = 3
"""Equal samples after which its whole tree of processes is sampled, too. A tree takes
milliseconds, and no loop in virtual time sleeps on its own account."""
_WENT_ON = 0.001
"""CPU seconds after which a thread is in another wait; the report of one takes less."""
WAIT_SECONDS = _EVERY
"""The least time for which the whole tree of a waiting thread has slept."""


class ThreadSample(NamedTuple):
    """One look at a thread: CPU seconds, context switches, and whether it sleeps."""

    cpu: float
    switches: int
    is_asleep: bool


class RunClock(NamedTuple):
    """The run under way in a thread.

    Attributes:
        run: its number in its process; 0 between two runs.
        began: the CPU time of the thread as the run began.
        process: the id of the process.
        thread: the id of the thread within the system.
        started: the monotonic time as the run began.
    """

    run: int
    began: float
    process: int
    thread: int
    started: float


class Lateness(enum.Enum):
    """The way in which a run is late."""

    BUSY = enum.auto()
    """Its thread has computed for longer than allowed."""
    ASLEEP = enum.auto()
    """Its thread sleeps, and nothing wakes it."""
    WAITING = enum.auto()
    """Its thread sleeps, and so does every thread that could be at work for it."""


def read_thread(process: int, thread: int) -> ThreadSample | None:
    """A sample of a thread; None where the platform cannot tell, or it has ended."""
    folder = Path(f"/proc/{process}/task/{thread}")
    try:
        nanoseconds = int((folder / "schedstat").read_text().split()[0])
        lines = (folder / "status").read_text().splitlines()
    except (OSError, ValueError, IndexError):
        return None
    status = dict(line.split(":", 1) for line in lines if ":" in line)
    switches = (v for k, v in status.items() if k.endswith("ctxt_switches"))
    return ThreadSample(
        nanoseconds / 1e9, sum(map(int, switches)), status["State"].split()[0] == "S"
    )


def read_threads(process: int) -> Mapping[tuple[int, int], ThreadSample] | None:
    """Samples of all other threads of a process and of the processes below it.

    The calling thread is left out. Returns None if a thread cannot be read.
    """
    try:
        top = psutil.Process(process)
        found = {
            (one.pid, thread.id): read_thread(one.pid, thread.id)
            for one in (top, *top.children(recursive=True))
            for thread in one.threads()
            if thread.id != threading.get_native_id()
        }
    except psutil.Error:
        return None
    samples = {key: sample for key, sample in found.items() if sample is not None}
    return samples if len(samples) == len(found) else None


class RunWatch:
    """Watches the runs of one thread; asked again and again, it samples as it goes.

    Arguments:
        clock: gives the run under way.
        read: takes the ids of a process and a thread, and gives a sample.
        now: gives seconds of the wall clock.
        read_all: takes the id of a process, and gives a sample of each thread that may
            be at work for it.
    """

    def __init__(
        self,
        clock: Callable[[], RunClock],
        read: Callable[[int, int], ThreadSample | None] = read_thread,
        now: Callable[[], float] = time.monotonic,
        read_all: Callable[
            [int], Mapping[tuple[int, int], ThreadSample] | None
        ] = read_threads,
    ) -> None:
        self._now = now
        self._read_all = read_all
        self._all: Mapping[tuple[int, int], ThreadSample] | None = None
        self._clock = clock
        self._read = read
        self._run = 0
        self._last: ThreadSample | None = None
        self._equal = 0
        self._granted = 0.0
        self._reported_until = 0.0
        self._next = 0.0

    def look(self, allowed: float, asleep: float = ASLEEP_SECONDS) -> Lateness | None:
        """How the run is late, None if it is not.

        Arguments:
            allowed: CPU seconds that the run may take.
            asleep: seconds for which its thread may sleep without a change.
        """
        clock, now = self._clock(), self._now()
        if clock.run != self._run:
            self._run, self._last, self._equal = clock.run, None, 0
            self._granted = self._reported_until = 0.0
        if not clock.run or now < self._next:
            return None
        self._next = now + _EVERY
        sample = self._read(clock.process, clock.thread)
        if sample is None:
            # Without a sample the wall clock is left; a hang is inconclusive at most.
            is_late = now - clock.started > allowed + self._granted
            return Lateness.BUSY if is_late else None
        self._equal = self._equal + 1 if self._is_unchanged(sample) else 0
        self._last = sample
        if sample.cpu - clock.began > allowed + self._granted:
            return Lateness.BUSY
        if self._equal * _EVERY >= asleep:
            return Lateness.ASLEEP
        if sample.cpu < self._reported_until or not self._is_waiting(clock.process):
            return None
        # Its report wakes the thread, and the count of equal samples begins anew.
        self._reported_until = sample.cpu + _WENT_ON
        return Lateness.WAITING

    def _is_waiting(self, process: int) -> bool:
        """Whether nothing in the tree of the thread has moved since the last sample.

        A child that computes, or has to wait for a processor, keeps it from waiting: a
        busy machine makes no wait longer.
        """
        if self._equal < _SAMPLES_OF_WAIT:
            self._all = None
            return False
        before, self._all = self._all, self._read_all(process)
        return bool(
            self._all
            and self._all == before
            and all(sample.is_asleep for sample in self._all.values())
        )

    def _is_unchanged(self, sample: ThreadSample) -> bool:
        return sample.is_asleep and sample == self._last

    def grant(self, seconds: float) -> None:
        """Allows the present run so many CPU seconds more, and samples it anew."""
        self._granted += seconds
        self._equal = 0
