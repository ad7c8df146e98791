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


class TimeLimit:
    """Does for this process what a slate does for another, as far as that is possible.

    What takes too long is left by an exception, which is heard as soon as Python code
    runs: in a loop, in `time.sleep`, or while waiting for a lock, and not in a library
    that never comes back. Where somebody else has an alarm set, or listens to one, it
    does nothing.
    """

    def __init__(self, allowed: float) -> None:
        self.allowed = allowed
        self.rang = False

    def began(self, number: int, scenario: Scenario, scheduler: Scheduler) -> None:
        """A run begins."""
        self.set()

    def set(self) -> None:
        """From now on the time counts."""
        self.rang = False
        if threading.current_thread() is not threading.main_thread():
            return
        listening = signal.getsignal(signal.SIGALRM)
        if listening is signal.SIG_DFL and not signal.getitimer(signal.ITIMER_REAL)[0]:
            signal.signal(signal.SIGALRM, self._ring)
        elif listening != self._ring:
            return
        # Again and again, for those who swallow it.
        signal.setitimer(signal.ITIMER_REAL, self.allowed, ANSWERS_WITHIN)

    def ended(self) -> None:
        """What was to be timed is over."""
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
    allowed: float, what: str, *, at_once: bool = True
) -> Iterator[TimeLimit]:
    """What is done in it ends within so many seconds, as far as `TimeLimit` can.

    Not `at_once`, the time counts from where somebody sets the alarm.

    Raises:
        AdapterError: it took longer; names where it was.
    """
    alarm = TimeLimit(allowed)
    try:
        if at_once:
            alarm.set()
        yield alarm
        alarm.ended()
    except TimedOut as error:
        alarm.ended()
        where = attribute(frames_of(error.__traceback__), "the adapter")
        message = f"{what} did not come back within {allowed:g} s, it was in {where}"
        raise AdapterError(message) from None
    finally:
        alarm.ended()
    if alarm.rang:
        message = f"{what} did not come back within {allowed:g} s, and went on"
        raise AdapterError(message)
