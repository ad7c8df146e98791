"""Reports synchronous waits on the thread of a simulated loop.

While a callback waits, no other user is served. A wait on the loop's thread takes
virtual time instead of real time, and the loop reports it. Other threads wait as usual.
`waits` replaces the functions by which engines wait.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final, NamedTuple, Protocol, Self

from isolation_spec.model.code_origin import is_library, is_ours

__all__ = [
    "LOOPS",
    "WATCHER",
    "BlockableLoop",
    "BlockingCall",
    "BlockingWatch",
    "find_caller",
    "hold_loop",
    "outside_of_loop",
    "wait_for_thread",
]

WATCHER = "isolation-spec watcher"
"""The name of a thread that watches runs, and never ends a wait of an engine."""


class BlockingCall(NamedTuple):
    """One synchronous wait in a callback.

    Attributes:
        call: the function that waits, as `time.sleep`.
        seconds: its length in virtual time; None for a wait without an end.
        place: `module:line` of the innermost frame of the engine.
        function: the qualified name of that frame's function, with its module.
    """

    call: str
    seconds: float | None
    place: str
    function: str


class BlockableLoop(Protocol):
    """A loop whose callbacks may wait."""

    def time(self) -> float:
        """Virtual seconds."""

    def hold(self, call: BlockingCall) -> None:
        """Lets the time of a wait pass, and reports it."""

    def wait_in_job(
        self, attempt: Callable[[], bool], seconds: float | None
    ) -> bool | None:
        """Suspends the job of an executor that waits; None for a callback."""


LOOPS: Final[dict[int, BlockableLoop]] = {}
"""Thread -> the simulated loop that runs in it. The replaced functions below belong to
the process, so they need a place in which they find the world of their caller."""


class BlockingWatch:
    """Intercepts the waits of the present thread; a context manager.

    Arguments:
        loop: takes each wait, and lets its virtual time pass.
    """

    def __init__(self, loop: BlockableLoop) -> None:
        self._loop = loop
        self._thread = threading.get_ident()

    def __enter__(self) -> Self:
        self._before = LOOPS.get(self._thread)
        LOOPS[self._thread] = self._loop
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is None:
            del LOOPS[self._thread]
        else:
            LOOPS[self._thread] = self._before


def find_caller(frame: Any) -> tuple[str, str]:
    """The place and the function of the innermost frame of an engine.

    Frames of the standard library and of this package wait on behalf of others.
    """
    while frame is not None:
        file = frame.f_code.co_filename
        if not is_ours(file) and not is_library(file):
            module = frame.f_globals.get("__name__", "?")
            function = f"{module}.{frame.f_code.co_qualname}"
            return f"{module}:{frame.f_lineno}", function
        frame = frame.f_back
    return "?", "?"


def hold_loop(loop: BlockableLoop, call: str, seconds: float | None) -> None:
    """A callback on the present thread waits for so many seconds, None for ever."""
    loop.hold(BlockingCall(call, seconds, *find_caller(sys._getframe(1))))


def wait_for_thread(
    loop: BlockableLoop,
    call: str,
    seconds: float | None,
    attempt: Callable[[bool], bool],
) -> bool:
    """Whether a wait for another thread succeeds.

    Where no other thread could end it, it takes virtual time.

    Arguments:
        attempt: succeeds or fails at once, or waits really if it is given True.
    """
    succeeds = loop.wait_in_job(lambda: attempt(False), seconds)
    if succeeds is not None:
        return succeeds
    if _has_other_threads() and (attempt(True) or seconds is None):
        return True
    hold_loop(loop, _waiter(call), seconds)
    return False


@contextlib.contextmanager
def outside_of_loop() -> Iterator[None]:
    """Lets the present thread wait really."""
    thread = threading.get_ident()
    loop = LOOPS.pop(thread)
    try:
        yield
    finally:
        LOOPS[thread] = loop


def _has_other_threads() -> bool:
    # The look at them waits for a lock.
    with outside_of_loop():
        return any(
            one.name != WATCHER and one.ident != threading.get_ident()
            for one in threading.enumerate()
        )


def _waiter(called: str) -> str:
    """The outermost function of the standard library by which the engine waits."""
    frame: FrameType | None = sys._getframe(3)
    while frame is not None and is_library(frame.f_code.co_filename):
        called = frame.f_code.co_qualname
        frame = frame.f_back
    return called
