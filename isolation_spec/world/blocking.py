"""Intercepts synchronous waits on the thread of a simulated loop.

While a callback waits, no other user is served. A wait on the loop's thread takes
virtual time instead of real time, and the loop reports it. Other threads wait as usual.
"""

from __future__ import annotations

import queue
import select
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol, Self

from isolation_spec.model.code_origin import is_library, is_ours

__all__ = ["WATCHER", "BlockingCall", "BlockingWatch", "find_caller"]

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


class _Loop(Protocol):
    def time(self) -> float: ...

    def hold(self, call: BlockingCall) -> None: ...


_LOOPS: Final[dict[int, _Loop]] = {}
"""Thread -> the simulated loop that runs in it. The replaced functions below belong to
the process, so they need a place in which they find the world of their caller."""
_sleep = time.sleep
_monotonic = time.monotonic
_select = select.select
_wait = threading.Condition.wait


class BlockingWatch:
    """Intercepts the waits of the present thread; a context manager.

    Arguments:
        loop: takes each wait, and lets its virtual time pass.
    """

    def __init__(self, loop: _Loop) -> None:
        self._loop = loop
        self._thread = threading.get_ident()

    def __enter__(self) -> Self:
        _install()
        self._before = _LOOPS.get(self._thread)
        _LOOPS[self._thread] = self._loop
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is None:
            del _LOOPS[self._thread]
        else:
            _LOOPS[self._thread] = self._before


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


def _hold(loop: _Loop, call: str, seconds: float | None) -> None:
    loop.hold(BlockingCall(call, seconds, *find_caller(sys._getframe(1))))


# The functions of the process


def _install() -> None:
    """Replaces the functions once; they stay, as modules bind them by name."""
    if time.sleep is sleep:
        return
    replaced: dict[Any, Callable[..., Any]] = {
        _sleep: sleep,
        _select: select_descriptors,
    }
    _replace(time, "sleep", sleep)
    _replace(select, "select", select_descriptors)
    _replace(threading.Condition, "wait", wait_condition)
    # Both compute the end of a wait from this clock, and wait again until it is over.
    _replace(threading, "_time", monotonic)
    _replace(queue, "time", monotonic)
    for name, module in tuple(sys.modules.items()):
        if name != __name__:
            _rebind(module, replaced)


def _replace(owner: Any, name: str, function: Callable[..., Any]) -> None:
    setattr(owner, name, function)


def _rebind(module: Any, replaced: dict[Any, Callable[..., Any]]) -> None:
    """Replaces names that a module has bound by `from time import sleep`."""
    names = getattr(module, "__dict__", {})
    for name, value in tuple(names.items()):
        if type(value) is _BUILTIN and value in replaced:
            names[name] = replaced[value]


_BUILTIN = type(len)


def sleep(seconds: float, /) -> None:
    """As `time.sleep`; on the thread of a simulated loop it takes virtual time."""
    loop = _LOOPS.get(threading.get_ident())
    if loop is None or not seconds > 0:
        _sleep(seconds)
    else:
        _hold(loop, "time.sleep", float(seconds))


def monotonic() -> float:
    """As `time.monotonic`; on the thread of a simulated loop the virtual time."""
    loop = _LOOPS.get(threading.get_ident())
    return _monotonic() if loop is None else loop.time()


def select_descriptors(
    readers: Any, writers: Any, others: Any, timeout: float | None = None, /
) -> tuple[list[Any], list[Any], list[Any]]:
    """As `select.select`; a time-out without descriptors takes virtual time.

    Descriptors are real, so their wait is real; its time-out is reported all the same.
    """
    loop = _LOOPS.get(threading.get_ident())
    if loop is None or not timeout:
        return _select(readers, writers, others, timeout)
    found = _select(readers, writers, others, timeout if _any(readers, writers) else 0)
    if not any(found):
        _hold(loop, "select.select", float(timeout))
    return found


def _any(*descriptors: Any) -> bool:
    return any(map(bool, descriptors))


def wait_condition(
    condition: threading.Condition, timeout: float | None = None
) -> bool:
    """As `Condition.wait`, through which events, queues and futures wait.

    Where no other thread could end the wait, it takes virtual time.
    """
    loop = _LOOPS.get(threading.get_ident())
    if loop is None or (timeout is not None and timeout <= 0):
        return _wait(condition, timeout)
    others = [one for one in threading.enumerate() if one.name != WATCHER]
    alone = len(others) == 1
    if timeout is None and not alone:
        return _wait(condition, timeout)
    if _wait(condition, 0 if alone else timeout):
        return True
    _hold(loop, _waiter(), timeout)
    return False


def _waiter() -> str:
    """The function of the standard library by which the engine waits."""
    frame, called = sys._getframe(2), "Condition.wait"
    while frame is not None and is_library(frame.f_code.co_filename):
        called = frame.f_code.co_qualname
        frame = frame.f_back  # type: ignore[assignment]
    return called
