"""Everything alive in a deterministic world."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.history.states import SessionMove
from isolation_spec.world.database import Databases
from isolation_spec.world.instrumentation import Instrumentation, LiveResource
from isolation_spec.world.loop import REQUESTER, WorldTask
from isolation_spec.world.network import NetworkLoop

__all__ = ["Ledger", "LiveResource"]


class Ledger(Instrumentation):
    """Sees every resource of one world from its beginning; a context manager.

    Arguments:
        moved: takes (session number, move, operation) whenever a session moves.
    """

    def __init__(
        self,
        loop: NetworkLoop,
        databases: Databases,
        reached: ActivityCounters,
        moved: Callable[[int, SessionMove, int | None], None],
    ) -> None:
        super().__init__(reached, moved)
        self.loop = loop
        self.databases = databases

    # What is alive

    def alive(self) -> Iterator[LiveResource]:
        """Yields every live resource except the task that asks."""
        yield from self._tasks()
        for handle in self.loop.live_timers():
            owner = handle._context.get(REQUESTER)  # type: ignore[attr-defined]
            yield LiveResource("timer", _name(handle._callback), owner)  # type: ignore[attr-defined]
        for transport in self.loop.network.transports:
            yield LiveResource("transport", "connection", transport.requester)
        yield from self.sessions_alive()

    def alive_at_the_end(self) -> Iterator[LiveResource]:
        """Yields what may outlive a user but not the engine, and all of `alive`."""
        yield from self.alive()
        for port in self.loop.network.listeners:
            yield LiveResource("listener", f"port {port}", None)
        for worker in self.databases.open_connections():
            yield LiveResource("driver connection", f"connection {worker.number}", None)
        for source in self.loop.scheduler.pending():
            yield LiveResource("pending arrival", source.name, None)
        for generator in tuple(self.loop._asyncgens):
            if getattr(generator, "ag_frame", None) is not None:
                yield LiveResource("async generator", _name(generator), None)
        if self.databases.is_locked():
            yield LiveResource(
                "database lock", "a lock that keeps others from writing", None
            )

    def _tasks(self) -> Iterator[LiveResource]:
        current = asyncio.current_task(self.loop)
        for task in sorted(asyncio.all_tasks(self.loop), key=hash):
            if task is not current and isinstance(task, WorldTask):
                yield LiveResource("task", task.origin, task.owner)


def _name(thing: Any) -> str:
    thing = getattr(thing, "func", thing)
    return str(getattr(thing, "__qualname__", type(thing).__name__))
