"""Waiting until tasks are done, even across cancellations of the waiting task."""

import asyncio
from collections.abc import Callable
from typing import Any

__all__ = ["cancel_others", "wait_until_done"]


async def wait_until_done(
    *tasks: asyncio.Task[Any], on_cancel: Callable[[], None] | None = None
) -> None:
    """Return once all tasks are done, even if the caller is cancelled meanwhile.

    Calls `on_cancel` at each cancellation of the caller, and raises the cancellation
    after the last task is done. The tasks' results and errors stay in the tasks.
    """
    cancelled: tuple[Any, ...] | None = None
    for task in tasks:
        while not task.done():
            try:
                await asyncio.wait((task,))
            except asyncio.CancelledError as error:
                # Store the arguments only: the exception would hold every frame.
                cancelled = error.args
                if on_cancel is not None:
                    on_cancel()
    if cancelled is not None:
        raise asyncio.CancelledError(*cancelled)


def cancel_others(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel each task once, in order, except the current task."""
    current = asyncio.current_task()
    for task in dict.fromkeys(tasks):
        if task is not current:
            task.cancel()
