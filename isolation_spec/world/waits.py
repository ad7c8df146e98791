"""Replaces the functions and methods of the standard library that wait.

On the thread of a simulated loop they take virtual time; elsewhere they are unchanged.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import os
import queue
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from isolation_spec.world.blocking import (
    LOOPS,
    BlockableLoop,
    hold_loop,
    outside_of_loop,
    wait_for_thread,
)

__all__ = ["replace_waits"]

_sleep = time.sleep
_monotonic = time.monotonic
_select = select.select
_wait_for_child = subprocess.Popen.wait


def replace_waits() -> None:
    """Replaces the functions once; they stay, as modules bind them by name."""
    if time.sleep is sleep:
        return
    replaced: dict[Any, Callable[..., Any]] = {
        _sleep: sleep,
        _select: select_descriptors,
    }
    _replace(time, "sleep", sleep)
    _replace(select, "select", select_descriptors)
    _replace(subprocess.Popen, "wait", wait_for_child)
    for kind, name, make in _METHODS:
        replace_method(kind, name, make)
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
    loop = LOOPS.get(threading.get_ident())
    if loop is None or not seconds > 0:
        _sleep(seconds)
    else:
        hold_loop(loop, "time.sleep", float(seconds))


def monotonic() -> float:
    """As `time.monotonic`; on the thread of a simulated loop the virtual time."""
    loop = LOOPS.get(threading.get_ident())
    return _monotonic() if loop is None else loop.time()


def select_descriptors(
    readers: Any, writers: Any, others: Any, timeout: float | None = None, /
) -> tuple[list[Any], list[Any], list[Any]]:
    """As `select.select`; a time-out without descriptors takes virtual time.

    Descriptors are real, so their wait is real; its time-out is reported all the same.
    """
    loop = LOOPS.get(threading.get_ident())
    if loop is None or not timeout:
        return _select(readers, writers, others, timeout)
    found = _select(readers, writers, others, timeout if _any(readers, writers) else 0)
    if not any(found):
        hold_loop(loop, "select.select", float(timeout))
    return found


def wait_for_child(child: subprocess.Popen[Any], timeout: float | None = None) -> int:
    """As `Popen.wait`; a child is real, and so is the wait for it.

    With a time-out the original sleeps and looks again, all in no real time if `sleep`
    is virtual: the child would never get a chance to end.
    """
    loop = LOOPS.get(threading.get_ident())
    if loop is None or timeout is None:
        return _wait_for_child(child, timeout)
    try:
        if child.poll() is None and hasattr(os, "pidfd_open"):
            # One long sleep, which a watcher can tell, instead of many short ones.
            _wait_for_end(child.pid, timeout)
        with outside_of_loop():
            return _wait_for_child(child, 0 if hasattr(os, "pidfd_open") else timeout)
    except subprocess.TimeoutExpired:
        hold_loop(loop, "Popen.wait", timeout)
        raise subprocess.TimeoutExpired(child.args, timeout) from None


def _wait_for_end(pid: int, seconds: float) -> None:
    descriptor = os.pidfd_open(pid)
    try:
        _select([descriptor], [], [], seconds)
    finally:
        os.close(descriptor)


def _any(*descriptors: Any) -> bool:
    return any(map(bool, descriptors))


# The methods of built-in types


def _make_acquire(acquire: Callable[..., bool]) -> Callable[..., bool]:
    """The `acquire` of a lock, through which conditions, events and futures wait."""

    def acquire_lock(
        lock: threading.Lock,
        blocking: bool = True,
        timeout: float = -1,
        # Bound here: locks are acquired after the names of modules are gone.
        find: Callable[[int], BlockableLoop | None] = LOOPS.get,
        thread: Callable[[], int] = threading.get_ident,
    ) -> bool:
        loop = find(thread())
        if loop is None or not blocking or not timeout:
            return acquire(lock, blocking, timeout)
        if acquire(lock, False):
            return True

        def attempt(waits: bool) -> bool:
            return acquire(lock, waits, timeout if waits else -1)

        seconds = None if timeout < 0 else float(timeout)
        return wait_for_thread(loop, "Lock.acquire", seconds, attempt)

    return acquire_lock


def _make_get(get: Callable[..., Any]) -> Callable[..., Any]:
    """The `get` of a simple queue, which is all written in C."""

    def get_item(
        simple: queue.SimpleQueue[Any],
        block: bool = True,
        timeout: float | None = None,
        find: Callable[[int], BlockableLoop | None] = LOOPS.get,
        thread: Callable[[], int] = threading.get_ident,
    ) -> Any:
        loop = find(thread())
        if loop is None or not block or (timeout is not None and timeout <= 0):
            return get(simple, block, timeout)
        found: list[Any] = []

        def attempt(waits: bool) -> bool:
            try:
                found.append(get(simple, waits, timeout if waits else None))
            except queue.Empty:
                return False
            return True

        if attempt(False) or wait_for_thread(loop, "SimpleQueue.get", timeout, attempt):
            return found[0]
        raise queue.Empty

    return get_item


def _make_poll(name: str, unit: float) -> Callable[..., Callable[..., list[Any]]]:
    """The `poll` of a polling object, whose time-out counts in that many seconds."""

    def make(poll: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        def poll_descriptors(
            polling: Any, timeout: float | None = None, *rest: Any, **named: Any
        ) -> list[Any]:
            found = poll(polling, timeout, *rest, **named)
            loop = LOOPS.get(threading.get_ident())
            # Descriptors are real, and so is the wait.
            if loop is not None and timeout is not None and timeout > 0 and not found:
                hold_loop(loop, name, timeout * unit)
            return found

        return poll_descriptors

    return make


_METHODS: Final[list[tuple[type, str, Callable[..., Callable[..., Any]]]]] = [
    (type(threading.Lock()), "acquire", _make_acquire),
    (type(threading.Lock()), "__enter__", _make_acquire),
    (queue.SimpleQueue, "get", _make_get),
]
if hasattr(select, "poll"):
    _METHODS.append((type(select.poll()), "poll", _make_poll("poll.poll", 0.001)))
if hasattr(select, "epoll"):
    _METHODS.append((select.epoll, "poll", _make_poll("epoll.poll", 1.0)))


def replace_method(
    kind: type, name: str, make: Callable[..., Callable[..., Any]]
) -> None:
    """Replaces a method of a built-in type, for all objects of any age.

    A replaced *name* would miss the locks that an engine makes as it is imported. The
    dictionary of such a type is read-only for attributes, and has one other referrer:
    the proxy that `vars` returns.
    """
    (methods,) = gc.get_referents(vars(kind))
    methods[name] = functools.wraps(methods[name])(make(methods[name]))
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
