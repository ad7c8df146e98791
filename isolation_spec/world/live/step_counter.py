"""Counts the steps of a task on stock asyncio and cancels it around one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, overload

from isolation_spec.world.tasks import StepTracker

__all__ = ["StepCounter"]


class StepCounter(Coroutine[Any, Any, None]):
    """Wraps the coroutine of a task, so that each step of the task passes through here.

    A cancellation before a step comes when the awaited result is ready and the task has
    not seen it. The task then yields once to the loop, so the CancelledError reaches it
    one turn later than in the simulated world.

    Attributes:
        is_delivered: whether the cancellation was delivered.
    """

    def __init__(
        self, coroutine: Coroutine[Any, Any, None], tracker: StepTracker
    ) -> None:
        self.coroutine = coroutine
        self.tracker = tracker
        self.is_delivered = False
        self.__qualname__ = getattr(coroutine, "__qualname__", "operation")

    @property
    def cr_await(self) -> Coroutine[Any, Any, None]:
        """The wrapped coroutine, for code that walks to the innermost frame."""
        return self.coroutine

    def send(self, value: Any) -> Any:
        """Performs one step."""
        return self._step(lambda: self.coroutine.send(value))

    @overload
    def throw(
        self,
        kind: type[BaseException],
        value: BaseException | object = ...,
        traceback: TracebackType | None = ...,
        /,
    ) -> Any: ...

    @overload
    def throw(
        self,
        kind: BaseException,
        value: None = ...,
        traceback: TracebackType | None = ...,
        /,
    ) -> Any: ...

    def throw(
        self,
        kind: Any,
        value: Any = None,
        traceback: TracebackType | None = None,
        /,
    ) -> Any:
        """Performs one step, which begins with the exception."""
        error = kind if isinstance(kind, BaseException) else value or kind()
        return self._step(lambda: self.coroutine.throw(error))

    def close(self) -> None:
        """Closes the coroutine."""
        self.coroutine.close()

    def __await__(self) -> Any:
        return (yield from self.coroutine.__await__())

    def _step(self, resume: Callable[[], Any]) -> Any:
        cancel = self.tracker.cancellation
        if self.is_delivered:
            return resume()
        self.tracker.steps += 1
        if cancel is None or self.tracker.steps != cancel.step:
            return resume()
        if cancel.after_step:
            awaited = resume()
            self._deliver_cancellation()
            return awaited
        self._deliver_cancellation()
        return None

    def _deliver_cancellation(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.is_delivered = True
        self.tracker.delivered(task)
        task.cancel()
