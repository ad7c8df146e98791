"""A user's memory, addressed by exact user, exact thread and exact key."""

from asyncio import Lock
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import ColumnElement, and_, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from .context import UserExecutionContext
from .sessions import DatabaseSessionManager
from .storage import MEMORIES, store_memory

__all__ = ["UserMemory", "WriteLocks"]


_ENTRIES = select(MEMORIES.c.key, MEMORIES.c.value)
_VALUE = select(MEMORIES.c.value)


class WriteLocks:
    """One lock for each owner with writers, so that an erase waits for all writes.

    The engines of a factory share it, since a user may have several engines.
    """

    def __init__(self) -> None:
        self._locks: dict[tuple[str, str], tuple[Lock, int]] = {}

    def __len__(self) -> int:
        """How many owners have writers now."""
        return len(self._locks)

    @asynccontextmanager
    async def hold(self, owner: tuple[str, str]) -> AsyncIterator[None]:
        """Be the only writer of this owner for a block; first come, first served."""
        lock, holders = self._locks.get(owner) or (Lock(), 0)
        self._locks[owner] = lock, holders + 1
        try:
            async with lock:
                yield
        finally:
            lock, holders = self._locks.pop(owner)
            if holders > 1:
                self._locks[owner] = lock, holders - 1


class UserMemory:
    """The memory of one user in one thread; keys and values are text.

    Reads and writes compare user, thread and key exactly: no patterns, no case
    folding. Every method is one unit of work and raises `ClosedError` after cleanup.
    """

    def __init__(
        self,
        context: UserExecutionContext,
        sessions: DatabaseSessionManager,
        *,
        locks: WriteLocks | None = None,
    ) -> None:
        self.user_context = context
        self._sessions = sessions
        self._locks = WriteLocks() if locks is None else locks

    async def remember(self, key: str, value: str) -> None:
        """Store the value and overwrite an old one; it is committed on return."""
        _require_text(key=key, value=value)

        async def store(session: AsyncSession) -> None:
            await store_memory(session, self._owner(), key, value)

        async with self._locks.hold(self._owner()):
            await self._sessions.run(store)

    async def recall(self, key: str) -> str | None:
        """The stored value, or None."""
        _require_text(key=key)

        async def load(session: AsyncSession) -> str | None:
            statement = _VALUE.where(self._row(key))
            return (await session.execute(statement)).scalar_one_or_none()

        return await self._sessions.run(load)

    async def entries(self) -> dict[str, str]:
        """All keys and values, in the order of the keys."""

        async def load(session: AsyncSession) -> dict[str, str]:
            rows = (await session.execute(_ENTRIES.where(self._all_rows()))).all()
            return dict(sorted((key, value) for key, value in rows))

        return await self._sessions.run(load)

    async def search(self, prefix: str) -> dict[str, str]:
        """The entries whose key starts with exactly this text."""
        _require_text(prefix=prefix)
        # Compared here, not in SQL: LIKE has wildcards and, in SQLite, ignores case.
        entries = await self.entries()
        return {key: entries[key] for key in entries if key.startswith(prefix)}

    async def forget(self, key: str) -> bool:
        """Delete one entry; returns whether there was one."""
        _require_text(key=key)

        async def remove(session: AsyncSession) -> bool:
            result = await session.execute(
                delete(MEMORIES).where(self._row(key)).returning(MEMORIES.c.key)
            )
            return result.first() is not None

        async with self._locks.hold(self._owner()):
            return await self._sessions.run(remove)

    async def erase(self) -> None:
        """Wait for the writes in flight, then delete all entries."""

        async def remove(session: AsyncSession) -> None:
            await session.execute(delete(MEMORIES).where(self._erased_rows()))

        async with self._locks.hold(self._owner()):
            await self._sessions.run(remove)

    def _owner(self) -> tuple[str, str]:
        return self.user_context.user_id, self.user_context.thread_id

    def _all_rows(self) -> ColumnElement[bool]:
        user_id, thread_id = self._owner()
        return and_(MEMORIES.c.user_id == user_id, MEMORIES.c.thread_id == thread_id)

    def _erased_rows(self) -> ColumnElement[bool]:
        return self._all_rows()

    def _row(self, key: str) -> ColumnElement[bool]:
        return and_(self._all_rows(), MEMORIES.c.key == key)


def _require_text(**values: object) -> None:
    for name, value in values.items():
        if not isinstance(value, str):
            message = (
                f"memory {name} must be text, got {value!r}; encode it, for example "
                "with json.dumps"
            )
            raise TypeError(message)
