"""Key confusion: the owner of a row is compared or encoded wrongly."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Hashable

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from isolation_spec.engines.faults.builders import with_memory
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import UserMemory
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.reference.storage import MEMORIES

__all__ = ["FAULTS"]

_OWNERSHIP = frozenset({"context-ownership"})
_MIXED = frozenset({"context-ownership", "stored-writes"})


# Queries that compare less than the owner.


class _PrefixMemory(UserMemory):
    def _all_rows(self) -> ColumnElement[bool]:
        user_id, thread_id = self._owner()
        return and_(
            MEMORIES.c.user_id.startswith(user_id),
            MEMORIES.c.thread_id.startswith(thread_id),
        )


PREFIX_MATCH = Fault(
    id="prefix-match",
    source="CVE-2026-71433, langchain-ai/langgraph #8300: a namespace is matched by "
    "its prefix, so user1 reads the entries of user10",
    claims=_MIXED,
    adapter=with_memory(lambda: _PrefixMemory),
)


class _FoldedMemory(UserMemory):
    def _all_rows(self) -> ColumnElement[bool]:
        user_id, thread_id = self._owner()
        return and_(
            func.lower(MEMORIES.c.user_id) == user_id.lower(),
            MEMORIES.c.thread_id == thread_id,
        )


FOLDED_CASE = Fault(
    id="folded-case",
    source="langchain-ai/langgraph #8214: a namespace is compared without its case",
    claims=_MIXED,
    adapter=with_memory(lambda: _FoldedMemory),
)


class _PatternMemory(UserMemory):
    def _all_rows(self) -> ColumnElement[bool]:
        user_id, thread_id = self._owner()
        return and_(MEMORIES.c.user_id.like(user_id), MEMORIES.c.thread_id == thread_id)


PATTERN_MATCH = Fault(
    id="pattern-match",
    source="langchain-ai/langgraph #8356: an id that holds a wildcard matches others",
    claims=_MIXED,
    adapter=with_memory(lambda: _PatternMemory),
)


class _SearchingMemory(UserMemory):
    async def search(self, prefix: str) -> dict[str, str]:
        async def load(session: AsyncSession) -> dict[str, str]:
            columns = select(MEMORIES.c.key, MEMORIES.c.value)
            rows = await session.execute(columns.order_by(MEMORIES.c.key))
            return {key: value for key, value in rows.all() if key.startswith(prefix)}

        return await self._sessions.run(load)


SEARCH_EVERYWHERE = Fault(
    id="search-everywhere",
    source="mem0ai/mem0 #1805, google/adk-python #1019: one of two ways to read "
    "forgets the filter that the other one has",
    claims=_OWNERSHIP,
    adapter=with_memory(lambda: _SearchingMemory),
)


class _ErasingMemory(UserMemory):
    def _erased_rows(self) -> ColumnElement[bool]:
        return MEMORIES.c.thread_id == self.user_context.thread_id


ERASE_BY_THREAD = Fault(
    id="erase-by-thread",
    source="OmicsClaw #137: one user's deletion deletes the rows of all users",
    claims=frozenset({"stored-writes", "database-sessions"}),
    adapter=with_memory(lambda: _ErasingMemory),
)


# Caches whose key is less than the owner.


def _cached_by(key_of: Callable[[str, str], Hashable]) -> type[ReferenceAdapter]:
    """Caches each owner's entries under this key, in a cache that all users share."""

    def make() -> type[UserMemory]:
        cache: dict[Hashable, dict[str, str]] = {}

        class Memory(UserMemory):
            async def entries(self) -> dict[str, str]:
                slot = key_of(*self._owner())
                async with self._locks.hold(self._owner()):
                    if slot not in cache:
                        cache[slot] = await super().entries()
                    return dict(cache[slot])

            async def recall(self, key: str) -> str | None:
                return (await self.entries()).get(key)

            async def remember(self, key: str, value: str) -> None:
                try:
                    await super().remember(key, value)
                finally:
                    cache.pop(key_of(*self._owner()), None)

            async def erase(self) -> None:
                try:
                    await super().erase()
                finally:
                    cache.pop(key_of(*self._owner()), None)

        return Memory

    return with_memory(make)


def _as_number(name: str) -> Hashable:
    try:
        return float(name)
    except ValueError:
        return name


THREAD_ONLY = Fault(
    id="thread-only",
    source="ForceInjection/AI-fundamentals #17: entries are cached under a thread id "
    "that the client chooses, without the user",
    claims=_MIXED,
    adapter=_cached_by(lambda user, thread: thread),
)
JOINED_OWNER = Fault(
    id="joined-owner",
    source="incident 19, langchain-ai/langgraphjs #2721: user and thread are joined to "
    "one text, and two owners give the same",
    claims=_MIXED,
    adapter=_cached_by(lambda user, thread: f"{user}:{thread}"),
)
SLASHED_OWNER = Fault(
    id="slashed-owner",
    source="crewAIInc/crewAI #2584: a path of parts that may hold its separator",
    claims=_MIXED,
    adapter=_cached_by(lambda user, thread: f"{user}/{thread}"),
)
TRIMMED_ID = Fault(
    id="trimmed-id",
    source="incident 19: blanks around an id are trimmed in one of two places",
    claims=_MIXED,
    adapter=_cached_by(lambda user, thread: (user.strip(), thread)),
)
NORMALISED_ID = Fault(
    id="normalised-id",
    source="incident 19: ids are normalised, and two forms of a letter become one",
    claims=_MIXED,
    adapter=_cached_by(
        lambda user, thread: (unicodedata.normalize("NFKC", user), thread)
    ),
)
NUMBER_LIKE = Fault(
    id="number-like",
    source="modelcontextprotocol/python-sdk #2655: the ids 1 and '1' collide",
    claims=_MIXED,
    adapter=_cached_by(lambda user, thread: (_as_number(user), thread)),
)
TRUNCATED_ID = Fault(
    id="truncated-id",
    source="apache/superset #26023: a key of a user that is the same for two users",
    claims=_MIXED,
    adapter=_cached_by(lambda user, thread: (user[:16], thread)),
)

FAULTS = (
    ERASE_BY_THREAD,
    FOLDED_CASE,
    JOINED_OWNER,
    NORMALISED_ID,
    NUMBER_LIKE,
    PATTERN_MATCH,
    PREFIX_MATCH,
    SEARCH_EVERYWHERE,
    SLASHED_OWNER,
    THREAD_ONLY,
    TRIMMED_ID,
    TRUNCATED_ID,
)
