"""Identity mangled in a key: who owns a row is asked in the wrong way."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Hashable

from sqlalchemy import ColumnElement, and_, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from isolation_spec.engines.faults.builders import with_memory
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import UserMemory
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.reference.storage import MEMORIES

__all__ = ["FAULTS"]

_OWNERSHIP = frozenset({"context-ownership"})
_MIXED = frozenset({"context-ownership", "stored-writes"})


# Rows that are found by less than their owner


class _PrefixMemory(UserMemory):
    def _all_rows(self) -> ColumnElement[bool]:
        user_id, thread_id = self._owner()
        return and_(
            MEMORIES.c.user_id.startswith(user_id),
            MEMORIES.c.thread_id.startswith(thread_id),
        )


PREFIX_MATCH = Fault(
    id="prefix-match",
    mechanism="key_confusion",
    source="CVE-2026-71433, langchain-ai/langgraph #8300: a namespace is found by its "
    "prefix, so user1 reads what user10 stored",
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
    mechanism="key_confusion",
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
    mechanism="key_confusion",
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
    mechanism="key_confusion",
    source="mem0ai/mem0 #1805, google/adk-python #1019: one of two ways to read "
    "forgets the filter that the other one has",
    claims=_OWNERSHIP,
    adapter=with_memory(lambda: _SearchingMemory),
)


class _ErasingMemory(UserMemory):
    async def erase(self) -> None:
        thread_id = self.user_context.thread_id

        async def remove(session: AsyncSession) -> None:
            found = delete(MEMORIES).where(MEMORIES.c.thread_id == thread_id)
            await session.execute(found)

        async with self._locks.hold(self._owner()):
            await self._sessions.run(remove)


ERASE_BY_THREAD = Fault(
    id="erase-by-thread",
    mechanism="key_confusion",
    source="OmicsClaw #137: what one user forgets is deleted for all",
    claims=frozenset({"stored-writes", "database-sessions"}),
    adapter=with_memory(lambda: _ErasingMemory),
)


# A cache whose key is less than the owner


def _cached_by(key_of: Callable[[str, str], Hashable]) -> type[ReferenceAdapter]:
    """What an owner stored is kept in a cache that all users share, under this key."""

    def make() -> type[UserMemory]:
        cache: dict[Hashable, dict[str, str]] = {}

        class Memory(UserMemory):
            async def entries(self) -> dict[str, str]:
                place = key_of(*self._owner())
                async with self._locks.hold(self._owner()):
                    if place not in cache:
                        cache[place] = await super().entries()
                    return dict(cache[place])

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
    mechanism="key_confusion",
    source="ForceInjection/AI-fundamentals #17: what is kept is found by a thread that "
    "the client chose, and no user",
    claims=_MIXED,
    adapter=_cached_by(lambda user, thread: thread),
)
JOINED_OWNER = Fault(
    id="joined-owner",
    mechanism="key_confusion",
    source="incident 19, langchain-ai/langgraphjs #2721: user and thread are joined to "
    "one text, and two owners give the same",
    claims=_MIXED,
    adapter=_cached_by(lambda user, thread: f"{user}:{thread}"),
)
SLASHED_OWNER = Fault(
    id="slashed-owner",
    mechanism="key_confusion",
    source="crewAIInc/crewAI #2584: a path of parts that may hold its separator",
    claims=_MIXED,
    adapter=_cached_by(lambda user, thread: f"{user}/{thread}"),
)
TRIMMED_ID = Fault(
    id="trimmed-id",
    mechanism="key_confusion",
    source="incident 19: blanks around an id are trimmed in one of two places",
    claims=_MIXED,
    adapter=_cached_by(lambda user, thread: (user.strip(), thread)),
)
NORMALISED_ID = Fault(
    id="normalised-id",
    mechanism="key_confusion",
    source="incident 19: ids are normalised, and two forms of a letter become one",
    claims=_MIXED,
    adapter=_cached_by(
        lambda user, thread: (unicodedata.normalize("NFKC", user), thread)
    ),
)
NUMBER_LIKE = Fault(
    id="number-like",
    mechanism="key_confusion",
    source="modelcontextprotocol/python-sdk #2655: the ids 1 and '1' collide",
    claims=_MIXED,
    adapter=_cached_by(lambda user, thread: (_as_number(user), thread)),
)
TRUNCATED_ID = Fault(
    id="truncated-id",
    mechanism="key_confusion",
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
