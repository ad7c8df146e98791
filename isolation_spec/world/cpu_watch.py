"""Notes a callback of a simulated loop that computes for a second, and ends it at ten.

The figures are CPU time of the loop's own thread, so a busy machine makes no callback
slow. They are bounds and no measurements: the history stays the same on any machine.
"""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Self

from isolation_spec.world.blocking import BlockingCall, find_caller
from isolation_spec.world.loop import WorldLoop

__all__ = ["COMPUTING_SECONDS", "NOTED_SECONDS", "CpuWatch"]

COMPUTING_SECONDS = 10.0
"""CPU seconds in one callback that violate; engines abroad took up to 0.4 s for a whole
run, and 24 s for an import, which does not count."""
NOTED_SECONDS = 1.0
"""CPU seconds in one callback that are worth a remark; seen within 0.5 s more."""
_EVERY = 0.25
"""CPU seconds of the process between two looks."""


class CpuWatch:
    """Looks at the callback under way from time to time; a context manager.

    It counts from the first look at a callback, so the callback has computed for longer
    than it says. Where SIGPROF is another's, or in another thread, it does nothing.

    Arguments:
        seconds: CPU seconds after which the callback is broken off.
        noted: CPU seconds after which its function is noted.
        every: CPU seconds between two looks.

    Attributes:
        functions: the innermost functions of the engine in long callbacks, so far.
    """

    def __init__(
        self,
        loop: WorldLoop,
        *,
        seconds: float = COMPUTING_SECONDS,
        noted: float = NOTED_SECONDS,
        every: float = _EVERY,
    ) -> None:
        self._loop = loop
        self.functions: list[str] = []
        self._seconds = seconds
        self._noted = noted
        self._noted_callback = 0
        self._every = every
        self._callback = 0
        self._since = 0.0
        self._is_on = False

    def __enter__(self) -> Self:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGPROF) is signal.SIG_DFL:
            self._is_on = True
            signal.signal(signal.SIGPROF, self._look)
            signal.setitimer(signal.ITIMER_PROF, self._every, self._every)
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_on and signal.getsignal(signal.SIGPROF) == self._look:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, signal.SIG_DFL)

    def _look(self, _: int, frame: FrameType | None) -> None:
        now, loop = time.thread_time(), self._loop
        if loop.callback != self._callback or not loop.in_callback:
            self._callback, self._since = loop.callback, now
        elif _is_importing(frame):
            self._since = now
        elif now - self._since >= self._seconds and loop.on_blocked is not None:
            call = BlockingCall("a computation", self._seconds, *find_caller(frame))
            loop.break_off(call)
        elif now - self._since >= self._noted and self._noted_callback != loop.callback:
            self._noted_callback = loop.callback
            self.functions.append(find_caller(frame)[1])


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
