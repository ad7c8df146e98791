"""Reports real threads that are started inside a simulated world."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from typing import Any, Self

from isolation_spec.model.code_origin import in_packages

__all__ = ["ThreadWatch"]

_MACHINERY = ("concurrent", "isolation_spec.world", "threading")
"""The packages through which a thread is started on behalf of others."""


class ThreadWatch:
    """Reports each thread that the present thread starts; a context manager.

    The world cannot schedule such a thread, so its effects depend on the machine.

    Arguments:
        started: called with a description of the thread and the `module:line` that
            started it.
    """

    def __init__(self, started: Callable[[str, str], None]) -> None:
        self.started = started
        self._starter = threading.get_ident()
        self._original: Callable[[threading.Thread], None] = threading.Thread.start

    def __enter__(self) -> Self:
        self._original = threading.Thread.start
        original = self._original

        def start(thread: threading.Thread) -> None:
            if threading.get_ident() == self._starter:
                self.started(_describe(thread), _find_starter())
            original(thread)

        threading.Thread.start = start  # type: ignore[assignment,method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        threading.Thread.start = self._original  # type: ignore[assignment,method-assign]


def _describe(thread: threading.Thread) -> str:
    """The name of the thread without numbers, which count up over the process."""
    return f"thread {re.sub(r'[0-9]+', 'N', thread.name)}"


def _find_starter() -> str:
    frame: Any = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", "?"))
        if not in_packages(module, _MACHINERY):
            return f"{module}:{frame.f_lineno}"
        frame = frame.f_back
    return "?"
