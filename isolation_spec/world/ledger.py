"""The ledger: all live resources of a simulated world."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.history.states import SessionMove
from isolation_spec.world.database import Databases
from isolation_spec.world.instrumentation import Instrumentation, LiveResource
from isolation_spec.world.loop import CURRENT_OPERATION
from isolation_spec.world.network import NetworkLoop
from isolation_spec.world.tasks import WorldTask

__all__ = ["Ledger", "LiveResource"]


class Ledger(Instrumentation):
    """Knows every live resource of one world from its beginning; a context manager.

    Arguments:
        moved: called with (session number, move, operation) as a session moves.
    """

    def __init__(
        self,
        loop: NetworkLoop,
        databases: Databases,
        activity: ActivityCounters,
        moved: Callable[[int, SessionMove, int | None], None],
    ) -> None:
        super().__init__(activity, moved)
        self.loop = loop
        self.databases = databases
        databases.transaction_began = self.count_transaction

    # Live resources

    def live_resources(self) -> Iterator[LiveResource]:
        """Yields the tasks except the current one, timers, transports and sessions."""
        yield from self._tasks()
        # Callback and context of a handle have no public name.
        timers: Iterable[Any] = self.loop.live_timers()
        for handle in timers:
            context = handle._context
            owner = context.get(CURRENT_OPERATION)
            yield LiveResource("timer", _name(handle._callback), owner, context)
        for transport in self.loop.network.transports:
            yield LiveResource("transport", "connection", transport.requester)
        yield from self.sessions_alive()

    def live_resources_at_end(self) -> Iterator[LiveResource]:
        """Yields `live_resources` and the resources that may outlive a user.

        Those are listeners, driver connections, pending arrivals, async generators and
        database locks; they must end with the engine.
        """
        yield from self.live_resources()
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
                yield LiveResource("task", task.origin, task.owner, task.context)


def _name(thing: Any) -> str:
    thing = getattr(thing, "func", thing)
    return str(getattr(thing, "__qualname__", type(thing).__name__))
