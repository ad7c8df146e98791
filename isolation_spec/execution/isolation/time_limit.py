"""Limits the time that one run may take, inside its own process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.attribution import attribute, frames_of
from isolation_spec.execution.containment import TimedOut
from isolation_spec.execution.isolation.run_watch import (
    ASLEEP_SECONDS,
    WAIT_SECONDS,
    Lateness,
    RunClock,
    RunWatch,
)
from isolation_spec.execution.run_limit import RUN_LIMIT
from isolation_spec.model.scenario import Scenario
from isolation_spec.world.blocking import WATCHER, BlockingCall, find_caller
from isolation_spec.world.loop import WorldLoop
from isolation_spec.world.schedulers.base import Scheduler

__all__ = [
    "ANSWERS_WITHIN",
    "INTERRUPTED_WITHIN",
    "RUN_TIMEOUT",
    "TimeLimit",
    "leave_wait",
    "report_wait",
    "time_limit",
]

RUN_TIMEOUT = 30.0
"""CPU seconds that one run may take; a clean one takes milliseconds."""
INTERRUPTED_WITHIN = 5.0
"""Seconds that a run may still take after Ctrl-C."""
ANSWERS_WITHIN = 1.0
"""Seconds in which a process reports or ends, before it is killed."""
_LOOKS_EVERY = 0.1
_NO_RUN = RunClock(0, 0.0, 0, 0, 0.0)


def leave_wait(frame: FrameType | None) -> None:
    """Ends the wait in which this thread sleeps, if a recorded run is under way in it.

    Raises:
        WorldExhausted: so that the wait is left; the world has recorded it.
    """
    loop = asyncio._get_running_loop()
    if isinstance(loop, WorldLoop) and loop.on_blocked is not None:
        where = find_caller(frame)
        loop.break_off(BlockingCall("a wait of its thread", ASLEEP_SECONDS, *where))


def report_wait(frame: FrameType | None) -> None:
    """Reports the wait in which this thread sleeps, once for each callback of a run."""
    loop = asyncio._get_running_loop()
    if isinstance(loop, WorldLoop) and loop.in_callback:
        loop.hold_once(
            BlockingCall("a wait of its thread", WAIT_SECONDS, *find_caller(frame))
        )


class TimeLimit:
    """Limits runs in this process as a beacon does in another, as far as possible.

    A thread watches the run, and a signal makes the main thread leave a run that
    computes for too long, or whose thread sleeps. An exception ends the run as soon as
    Python code runs: in a loop, or while it waits for a lock. A library that never
    returns is not ended. Where another alarm is handled, no limit applies.

    Attributes:
        rang: whether the last run exceeded the limit.
    """

    def __init__(self, allowed: float, *, asleep: float = ASLEEP_SECONDS) -> None:
        self.allowed = allowed
        self.rang = False
        self._asleep = asleep
        self._clock = _NO_RUN
        self._runs = 0
        self._lateness: Lateness | None = None
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin_run(self, number: int, scenario: Scenario, scheduler: Scheduler) -> None:
        """Nothing: a run in this process needs no report."""

    def start(self) -> None:
        """From now on the time counts."""
        self.rang = False
        if threading.current_thread() is not threading.main_thread():
            return
        if self._thread is None and not self._watch():
            return
        self._runs += 1
        self._clock = RunClock(
            self._runs,
            time.thread_time(),
            os.getpid(),
            threading.get_native_id(),
            time.monotonic(),
        )

    def end_run(self) -> None:
        """No time counts any more."""
        self._clock = _NO_RUN

    def close(self) -> None:
        """Ends the watch."""
        self.end_run()
        if self._thread is None:
            return
        self._is_over.set()
        self._thread.join()
        self._thread = None
        if signal.getsignal(signal.SIGALRM) == self._ring:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _watch(self) -> bool:
        """Begins the watch; False if the signal is another's."""
        if signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
            return False
        signal.signal(signal.SIGALRM, self._ring)
        self._thread = threading.Thread(target=self._look, name=WATCHER, daemon=True)
        self._thread.start()
        return True

    def _look(self) -> None:
        watch = RunWatch(lambda: self._clock)
        while not self._is_over.wait(_LOOKS_EVERY):
            lateness = watch.look(self.allowed, self._asleep)
            if lateness is not None:
                self._lateness = lateness
                if lateness is not Lateness.WAITING:
                    # Again a second later, as an engine may swallow the exception.
                    watch.grant(ANSWERS_WITHIN)
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    def _ring(self, _: int, frame: FrameType | None) -> None:
        if not self._clock.run:
            return
        if self._lateness is Lateness.WAITING:
            report_wait(frame)
            return
        if self._lateness is Lateness.ASLEEP:
            leave_wait(frame)
        self.rang = True
        message = f"within {self.allowed:g} s"
        raise TimedOut(message)


@contextlib.contextmanager
def time_limit(
    allowed: float, name: str, *, at_once: bool = True
) -> Iterator[TimeLimit]:
    """Ends its block after so many CPU seconds, as far as `TimeLimit` can.

    A block may also sleep for as long. Not `at_once`, each run of the block is limited
    by itself, and its time begins and ends with it.

    Raises:
        AdapterError: the block took longer; the text gives its place in the engine.
    """
    alarm = TimeLimit(allowed, asleep=allowed if at_once else ASLEEP_SECONDS)
    token = RUN_LIMIT.set(None if at_once else alarm)
    try:
        if at_once:
            alarm.start()
        yield alarm
        alarm.end_run()
    except TimedOut as error:
        alarm.end_run()
        where = attribute(frames_of(error.__traceback__), "the adapter")
        message = f"{name} did not come back within {allowed:g} s, it was in {where}"
        raise AdapterError(message) from None
    finally:
        alarm.close()
        RUN_LIMIT.reset(token)
    if alarm.rang:
        message = f"{name} did not come back within {allowed:g} s, and went on"
        raise AdapterError(message)
