"""Everything alive in a live world: what asyncio, the process and the database hold."""

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
from isolation_spec.world.loop import REQUESTER

__all__ = ["LiveLedger"]

_DESCRIPTORS = "/proc/self/fd"


class _Origin(NamedTuple):
    """The operation for which a task was made, and what it runs."""

    owner: int | None
    name: str


class LiveLedger(Instrumentation):
    """Sees what is left of one run, beside what was there before it.

    Users own tasks, database sessions and pool checkouts. Sockets, files and threads
    have no owner that could be told, so they count at the end alone; timers are not
    seen at all. Threads of the loop's own executor are the loop's.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        database: LiveDatabase,
        reached: ActivityCounters,
        moved: Callable[[int, SessionMove, int | None], None],
    ) -> None:
        super().__init__(reached, moved)
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
        # Before 3.12 a task does not tell its context, so its owner is noted here.
        context = options.get("context")
        owner = REQUESTER.get() if context is None else context.get(REQUESTER)
        task = asyncio.Task(coroutine, loop=loop, **options)
        name = getattr(coroutine, "__qualname__", type(coroutine).__name__)
        self._tasks[task] = _Origin(owner, name)
        return task

    def is_working(self) -> bool:
        """True if somebody is in the middle of database work."""
        return any(self.sessions_alive())

    def alive(self) -> Iterator[LiveResource]:
        """Yields every live resource that has an owner, except the task that asks."""
        current = asyncio.current_task(self.loop)
        for task in asyncio.all_tasks(self.loop):
            if task is not current and (origin := self._tasks.get(task)) is not None:
                yield LiveResource("task", origin.name, origin.owner)
        yield from self.sessions_alive()

    def alive_at_the_end(self) -> Iterator[LiveResource]:
        """Yields all of `alive`, and what this process holds since the run began."""
        yield from self.alive()
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
    """Yields (number, what it is) of each open file, where the system tells it."""
    try:
        names = os.listdir(_DESCRIPTORS)
    except OSError:
        return
    for name in names:
        # The descriptor by which the folder itself was read is gone by now.
        with contextlib.suppress(OSError):
            yield int(name), os.readlink(f"{_DESCRIPTORS}/{name}")
