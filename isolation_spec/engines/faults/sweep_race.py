"""What is cleared away because it was not there when somebody looked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import delete, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from isolation_spec.engines.faults.builders import answered, with_factory
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    DatabaseSessionManager,
    ExecutionEngineFactory,
    UserExecutionContext,
    UserExecutionEngine,
    UserMemory,
)
from isolation_spec.engines.reference.storage import MEMORIES

__all__ = ["FAULTS"]

_Row = tuple[str, str, str]


class _Rows:
    """The rows that were remembered, and those that are being written."""

    def __init__(self) -> None:
        self._stored: set[_Row] = set()
        self._writing: Counter[_Row] = Counter()

    @contextmanager
    def writing(self, row: _Row) -> Iterator[None]:
        """Holds what is being written as in use."""
        self._writing[row] += 1
        try:
            yield
            self._stored.add(row)
        finally:
            self._writing -= Counter([row])

    @property
    def in_use(self) -> frozenset[_Row]:
        """What is being written."""
        return frozenset(self._writing)

    @property
    def all(self) -> frozenset[_Row]:
        """What is stored, or is being written."""
        return frozenset(self._stored) | self.in_use


def _remembering(rows: _Rows) -> type[UserExecutionEngine]:
    class Memory(UserMemory):
        async def remember(self, key: str, value: str) -> None:
            with rows.writing((*self._owner(), key)):
                await super().remember(key, value)

    class Engine(UserExecutionEngine):
        def _create_memory(self) -> UserMemory:
            return Memory(
                self.user_context,
                self.database_session_manager,
                locks=self._write_locks,
            )

    return Engine


class _Sweeping(ExecutionEngineFactory):
    """Marks all rows before it makes an engine, and sweeps what is neither marked nor
    being written."""

    def __init__(self, **options: Any) -> None:
        self._rows = _Rows()
        super().__init__(**{**options, "engine_class": _remembering(self._rows)})

    async def create_for_user(
        self, context: UserExecutionContext
    ) -> UserExecutionEngine:
        marked = self._rows.all
        await answered()
        await self._sweep(context, self._rows.all - marked - self._rows.in_use)
        return await super().create_for_user(context)

    async def _sweep(
        self, context: UserExecutionContext, unmarked: frozenset[_Row]
    ) -> None:
        place = tuple_(MEMORIES.c.user_id, MEMORIES.c.thread_id, MEMORIES.c.key)

        async def remove(session: AsyncSession) -> None:
            await session.execute(delete(MEMORIES).where(place.in_(sorted(unmarked))))

        if unmarked:
            await DatabaseSessionManager(context, self._database).run(remove)


SWEPT_UNMARKED = Fault(
    id="swept-unmarked",
    mechanism="sweep_race",
    source="garbage collection of the Docker registry (distribution/distribution): "
    "what is stored between marking and sweeping is taken for garbage",
    claims=frozenset({"stored-writes"}),
    adapter=with_factory(_Sweeping),
)

FAULTS = (SWEPT_UNMARKED,)
