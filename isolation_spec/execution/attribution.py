"""Attributes a stack to a method of the adapter.

The stack is that of a worker that hangs or dies, or of an exception that ends more than
its operation.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from isolation_spec.execution.await_probe import frames_awaiting
from isolation_spec.model.code_origin import is_library, is_ours, own_path

__all__ = [
    "Blame",
    "Frame",
    "attribute",
    "frames_dumped",
    "frames_of",
    "frames_waiting",
    "is_importing",
]

_CONTRACT = "contract/checked_adapter.py"
_AGENT = "contract/scripted_agent.py"
_THREAD = re.compile("^(?:Current thread|Thread) ", re.MULTILINE)
_DUMPED = re.compile(r'^  File "(.*)", line (\d+) in (.*)$')


class Frame(NamedTuple):
    """One call on a stack."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line} in {self.function}"

    @property
    def is_ours(self) -> bool:
        """Whether it is a call in this package, and not in an engine that it ships."""
        return is_ours(self.file)


class Blame(NamedTuple):
    """The method that a stack is in, "" outside all methods, and its innermost line."""

    method: str
    place: str

    def __str__(self) -> str:
        if not self.method:
            return f"the engine ({self.place})" if self.place else "the engine"
        return f"{self.method} ({self.place})" if self.place else self.method


def attribute(stack: Sequence[Frame], adapter: str) -> Blame:
    """Blames the innermost method of the contract on a stack, the outermost call first.

    `adapter` names its class; the services of an agent are named by their method alone,
    as a stack does not name their class.
    """
    method = ""
    for outer, inner in itertools.pairwise(stack):
        if own_path(outer.file) == _CONTRACT and not outer.function.startswith(
            ("_", "<")
        ):
            method = f"{adapter}.{outer.function}"
        elif own_path(outer.file) == _AGENT and outer.function in ("_take", "perform"):
            if not inner.is_ours:
                method = f"Services.{inner.function}"
        elif not inner.is_ours and inner.function == "__init__" and outer.is_ours:
            method = f"{adapter}.__init__"
    return Blame(method, _place(stack))


def _place(stack: Sequence[Frame]) -> str:
    for frame in reversed(stack):
        if not frame.is_ours and not is_library(frame.file):
            return str(frame)
    return ""


def is_importing(stack: Sequence[Frame]) -> bool:
    """Whether the stack is in the import of a module."""
    return any(frame.file.startswith("<frozen importlib") for frame in stack)


def frames_of(trace: TracebackType | None) -> tuple[Frame, ...]:
    """The frames of a traceback, the outermost first."""
    return tuple(
        Frame(one.filename, one.lineno or 0, one.name)
        for one in traceback.extract_tb(trace)
    )


def frames_waiting(task: asyncio.Task[Any]) -> tuple[Frame, ...]:
    """The frames of a task that waits, the outermost first."""
    return tuple(
        Frame(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        for frame in frames_awaiting(task)
    )


def frames_dumped(text: str) -> tuple[Frame, ...]:
    """The frames that `faulthandler` wrote of the thread in which a search is.

    Of several threads it is the one with the longest way through this package; of
    several dumps the last one counts.
    """
    threads = [_frames(part.splitlines()) for part in _THREAD.split(text)]
    return max(reversed(threads), key=lambda t: sum(f.is_ours for f in t), default=())


def _frames(lines: Iterable[str]) -> tuple[Frame, ...]:
    """Written the innermost first."""
    found = (_DUMPED.match(line) for line in lines)
    frames = [Frame(one[1], int(one[2]), one[3]) for one in found if one]
    return tuple(reversed(frames))
