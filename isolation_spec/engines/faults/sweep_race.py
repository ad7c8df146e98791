"""Sweep race: an entry stored between marking and sweeping is taken for garbage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import delete, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from isolation_spec.engines.faults.builders import (
    call_external,
    engine_of,
    with_factory,
)
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
    """The stored rows, and the rows being written."""

    def __init__(self) -> None:
        self._stored: set[_Row] = set()
        self._writing: Counter[_Row] = Counter()

    @contextmanager
    def writing(self, row: _Row) -> Iterator[None]:
        """Marks a row as being written for the length of a block."""
        self._writing[row] += 1
        try:
            yield
            self._stored.add(row)
        finally:
            self._writing -= Counter([row])

    @property
    def in_use(self) -> frozenset[_Row]:
        """The rows being written."""
        return frozenset(self._writing)

    @property
    def all(self) -> frozenset[_Row]:
        """The stored rows and the rows being written."""
        return frozenset(self._stored) | self.in_use


def _recording_engine(rows: _Rows) -> type[UserExecutionEngine]:
    class Memory(UserMemory):
        async def remember(self, key: str, value: str) -> None:
            with rows.writing((*self._owner(), key)):
                await super().remember(key, value)

    return engine_of(memory_class=Memory)


class _SweepingFactory(ExecutionEngineFactory):
    """Marks all rows before it makes an engine, and deletes the rows that are neither
    marked nor being written."""

    def __init__(self, **options: Any) -> None:
        self._rows = _Rows()
        super().__init__(**{**options, "engine_class": _recording_engine(self._rows)})

    async def create_for_user(
        self, context: UserExecutionContext
    ) -> UserExecutionEngine:
        marked = self._rows.all
        await call_external()
        await self._sweep(context, self._rows.all - marked - self._rows.in_use)
        return await super().create_for_user(context)

    async def _sweep(
        self, context: UserExecutionContext, unmarked: frozenset[_Row]
    ) -> None:
        identity = tuple_(MEMORIES.c.user_id, MEMORIES.c.thread_id, MEMORIES.c.key)

        async def remove(session: AsyncSession) -> None:
            await session.execute(
                delete(MEMORIES).where(identity.in_(sorted(unmarked)))
            )

        if unmarked:
            await DatabaseSessionManager(context, self._database).run(remove)


SWEPT_UNMARKED = Fault(
    id="swept-unmarked",
    source="garbage collection of the Docker registry (distribution/distribution): a "
    "blob stored between marking and sweeping is taken for garbage",
    claims=frozenset({"stored-writes"}),
    adapter=with_factory(_SweepingFactory),
)

FAULTS = (SWEPT_UNMARKED,)
