"""The await sites of operations' tasks, and a look around at each await."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from types import FrameType
from typing import Any

from isolation_spec.model.code_origin import EngineCode

__all__ = ["BEFORE_FIRST_STEP", "ProbedCoroutine", "await_site", "frames_awaiting"]

BEFORE_FIRST_STEP = "before its first step"


class ProbedCoroutine(Coroutine[Any, Any, None]):
    """A coroutine that calls `look` whenever it has come to an await.

    `look` is called in the context of the task that runs it.
    """

    def __init__(
        self, coroutine: Coroutine[Any, Any, None], look: Callable[[], None]
    ) -> None:
        self.coroutine = coroutine
        self.look = look
        self.__qualname__ = getattr(coroutine, "__qualname__", "operation")

    @property
    def cr_await(self) -> Coroutine[Any, Any, None]:
        """The coroutine that it waits in, on the way down to the innermost frame."""
        return self.coroutine

    def send(self, value: Any) -> Any:
        """One step."""
        awaited = self.coroutine.send(value)
        self.look()
        return awaited

    def throw(self, *raised: Any) -> Any:
        """One step, which begins with an exception."""
        try:
            awaited = self.coroutine.throw(*raised)
        finally:
            # The traceback of the exception leads to this frame: from Python 3.12 on
            # both would stay until the next garbage collection.
            del raised
        self.look()
        return awaited

    def close(self) -> None:
        """Closes the coroutine."""
        self.coroutine.close()

    def __await__(self) -> Any:
        return (yield from self.coroutine.__await__())


def await_site(task: asyncio.Task[Any], engine: EngineCode) -> str:
    """`module:line` of the innermost frame of the engine in which the task waits."""
    site = BEFORE_FIRST_STEP
    for frame in frames_awaiting(task):
        module = str(frame.f_globals.get("__name__", "?"))
        if engine.has_module(module):
            site = f"{module}:{frame.f_lineno}"
    return site


def frames_awaiting(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """Yields the frames of a task that waits, the outermost first."""
    waiting: Any = task.get_coro()
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
        if frame is not None:
            yield frame
        waiting = getattr(waiting, "cr_await", None) or getattr(
            waiting, "gi_yieldfrom", None
        )
