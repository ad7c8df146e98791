"""The ledger of a live world: resources of asyncio, the process and the database."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NamedTuple, Self
from weakref import WeakKeyDictionary

from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.history.states import SessionMove
from isolation_spec.world.instrumentation import Instrumentation, LiveResource
from isolation_spec.world.live.database import LiveDatabase
from isolation_spec.world.loop import CURRENT_OPERATION

__all__ = ["LiveLedger"]

_DESCRIPTORS = "/proc/self/fd"


class _Origin(NamedTuple):
    """The operation that created a task, and the name of its coroutine."""

    owner: int | None
    name: str


class LiveLedger(Instrumentation):
    """Knows the live resources that one run added to those of the process.

    Users own tasks, database sessions and pool checkouts. Sockets, files and threads
    have no known owner, so they count at the end alone. Timers are invisible here.
    Threads of the loop's own executor belong to the loop.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        database: LiveDatabase,
        activity: ActivityCounters,
        moved: Callable[[int, SessionMove, int | None], None],
    ) -> None:
        super().__init__(activity, moved)
        self.loop = loop
        self.database = database
        self._tasks: WeakKeyDictionary[asyncio.Task[Any], _Origin] = WeakKeyDictionary()
        self._descriptors: set[tuple[int, str]] = set()
        self._threads: set[threading.Thread] = set()

    def __enter__(self) -> Self:
        super().__enter__()
        self.loop.set_task_factory(self._make_task)  # type: ignore[arg-type]
        self._descriptors = set(_descriptors())
        self._threads = set(threading.enumerate())
        return self

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any],
        **options: Any,
    ) -> asyncio.Task[Any]:
        # Task.get_context exists from Python 3.12 on, so the owner is recorded here.
        context = options.get("context")
        owner = (
            CURRENT_OPERATION.get()
            if context is None
            else context.get(CURRENT_OPERATION)
        )
        task = asyncio.Task(coroutine, loop=loop, **options)
        name = getattr(coroutine, "__qualname__", type(coroutine).__name__)
        self._tasks[task] = _Origin(owner, name)
        return task

    def is_working(self) -> bool:
        """Whether a database session or a pool checkout is open."""
        return any(self.sessions_alive())

    def live_resources(self) -> Iterator[LiveResource]:
        """Yields the tasks except the current one, sessions and checkouts."""
        current = asyncio.current_task(self.loop)
        for task in asyncio.all_tasks(self.loop):
            if task is not current and (origin := self._tasks.get(task)) is not None:
                yield LiveResource("task", origin.name, origin.owner)
        yield from self.sessions_alive()

    def live_resources_at_end(self) -> Iterator[LiveResource]:
        """Yields `live_resources`, and files, threads and locks new since the start."""
        yield from self.live_resources()
        for descriptor in _descriptors():
            if descriptor not in self._descriptors:
                yield LiveResource(
                    "file descriptor", descriptor[1].partition(":")[0], None
                )
        for thread in threading.enumerate():
            if thread not in self._threads and not thread.name.startswith("asyncio_"):
                yield LiveResource("thread", thread.name, None)
        if self.database.is_locked():
            yield LiveResource(
                "database lock", "a lock that keeps others from writing", None
            )


def _descriptors() -> Iterator[tuple[int, str]]:
    """Yields (number, target) of each open file; empty on systems without /proc."""
    try:
        names = os.listdir(_DESCRIPTORS)
    except OSError:
        return
    for name in names:
        # The descriptor through which the folder was listed is closed by now.
        with contextlib.suppress(OSError):
            yield int(name), os.readlink(f"{_DESCRIPTORS}/{name}")
