"""Limits the time that one run may take, inside its own process."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.attribution import attribute, frames_of
from isolation_spec.execution.containment import TimedOut
from isolation_spec.model.scenario import Scenario
from isolation_spec.world.schedulers.base import Scheduler

__all__ = [
    "ANSWERS_WITHIN",
    "INTERRUPTED_WITHIN",
    "RUN_TIMEOUT",
    "TimeLimit",
    "time_limit",
]

RUN_TIMEOUT = 30.0
"""Seconds of the wall clock that one run may take; a clean one takes milliseconds."""
INTERRUPTED_WITHIN = 5.0
"""Seconds that a run may still take after Ctrl-C."""
ANSWERS_WITHIN = 1.0
"""Seconds in which a process reports or ends, before it is killed."""


class TimeLimit:
    """Limits runs in this process as a beacon does in another, as far as possible.

    An exception ends a run that takes too long. It is raised as soon as Python code
    runs: in a loop, in `time.sleep`, or while the run waits for a lock. A library that
    never returns is not ended. Where another alarm is set or handled, no limit applies.

    Attributes:
        rang: whether the last run exceeded the limit.
    """

    def __init__(self, allowed: float) -> None:
        self.allowed = allowed
        self.rang = False

    def begin_run(self, number: int, scenario: Scenario, scheduler: Scheduler) -> None:
        """A run begins, and with it the time."""
        self.start()

    def start(self) -> None:
        """From now on the time counts."""
        self.rang = False
        if threading.current_thread() is not threading.main_thread():
            return
        handler = signal.getsignal(signal.SIGALRM)
        if handler is signal.SIG_DFL and not signal.getitimer(signal.ITIMER_REAL)[0]:
            signal.signal(signal.SIGALRM, self._ring)
        elif handler != self._ring:
            return
        # Repeated, as an engine may swallow the first exceptions.
        signal.setitimer(signal.ITIMER_REAL, self.allowed, ANSWERS_WITHIN)

    def end_run(self) -> None:
        """No time counts any more."""
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGALRM) == self._ring:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _ring(self, *_: object) -> None:
        self.rang = True
        message = f"within {self.allowed:g} s"
        raise TimedOut(message)


@contextlib.contextmanager
def time_limit(
    allowed: float, name: str, *, at_once: bool = True
) -> Iterator[TimeLimit]:
    """Ends its block after so many seconds, as far as `TimeLimit` can.

    Not `at_once`, the time counts from the first `start` or `begin_run`.

    Raises:
        AdapterError: the block took longer; the text gives its place in the engine.
    """
    alarm = TimeLimit(allowed)
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
        alarm.end_run()
    if alarm.rang:
        message = f"{name} did not come back within {allowed:g} s, and went on"
        raise AdapterError(message)
