"""Counting the steps of a task on stock asyncio, and cancelling around one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, overload

from isolation_spec.world.loop import StepTracker

__all__ = ["StepCounter"]


class StepCounter(Coroutine[Any, Any, None]):
    """Wraps the coroutine of a task, so that each step of the task goes through here.

    A cancellation before the step comes where the result of what was awaited is there
    but not yet seen. The task then yields once to the loop before it hears of it, so it
    hears of it one turn later than in the simulated world.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, None], aim: StepTracker) -> None:
        self.coroutine = coroutine
        self.aim = aim
        self.hit = False
        self.__qualname__ = getattr(coroutine, "__qualname__", "operation")

    @property
    def cr_await(self) -> Coroutine[Any, Any, None]:
        """What it waits in, for whoever walks down to the innermost frame."""
        return self.coroutine

    def send(self, value: Any) -> Any:
        """One step."""
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
        """One step, which begins with an exception."""
        error = kind if isinstance(kind, BaseException) else value or kind()
        return self._step(lambda: self.coroutine.throw(error))

    def close(self) -> None:
        """Closes the coroutine."""
        self.coroutine.close()

    def __await__(self) -> Any:
        return (yield from self.coroutine.__await__())

    def _step(self, resume: Callable[[], Any]) -> Any:
        cancel = self.aim.cancellation
        if self.hit:
            return resume()
        self.aim.steps += 1
        if cancel is None or self.aim.steps != cancel.step:
            return resume()
        if cancel.after_step:
            awaited = resume()
            self._hit()
            return awaited
        self._hit()
        return None

    def _hit(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.hit = True
        self.aim.delivered(task)
        task.cancel()
