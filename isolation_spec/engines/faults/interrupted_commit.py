"""A cancelled unit of database work leaves a shared connection half prepared."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from isolation_spec.engines.faults.builders import engine_of, with_fresh_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    DatabaseSessionManager,
    UserExecutionEngine,
    UserMemory,
)
from isolation_spec.engines.reference.sessions import T, Work

__all__ = ["FAULTS"]

_Owner = tuple[str, str]


class _BoundConnection:
    """A connection for one owner at a time; the previous holder binds it to the next.

    A waiter cancelled just after the handover passes it on without rebinding it.
    """

    def __init__(self) -> None:
        self.owner: _Owner | None = None
        self._line: deque[tuple[asyncio.Future[None], _Owner]] = deque()

    @asynccontextmanager
    async def serve(self, owner: _Owner) -> AsyncIterator[None]:
        if self.owner is None:
            self.owner = owner
        else:
            turn = asyncio.get_running_loop().create_future()
            self._line.append((turn, owner))
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():
                    self._hand_over(self.owner)
                raise
        try:
            yield
        finally:
            self._hand_over(None)

    def _hand_over(self, bound: _Owner | None) -> None:
        while self._line:
            turn, owner = self._line.popleft()
            if not turn.done():
                self.owner = bound or owner
                turn.set_result(None)
                return
        self.owner = None


def _with_bound_connection() -> type[UserExecutionEngine]:
    connection = _BoundConnection()

    class Sessions(DatabaseSessionManager):
        async def run(self, work: Work[T]) -> T:
            owner = self.user_context.user_id, self.user_context.thread_id
            async with connection.serve(owner):
                return await super().run(work)

    class Memory(UserMemory):
        def _owner(self) -> _Owner:
            return connection.owner or super()._owner()

    return engine_of(sessions_class=Sessions, memory_class=Memory)


BOUND_FOR_ANOTHER = Fault(
    id="bound-for-another",
    source="sqlalchemy #13381, ujeenet/rustango #1224: a connection stays bound to a "
    "tenant whose request was cancelled during preparation",
    claims=frozenset({"context-ownership", "stored-writes"}),
    adapter=with_fresh_engine(_with_bound_connection),
)

FAULTS = (BOUND_FOR_ANOTHER,)
