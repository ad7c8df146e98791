"""A place, a turn or a session that is chosen before a wait and used after it, though
somebody else has had it meanwhile."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from isolation_spec.engines.faults.builders import (
    answered,
    with_fresh_sessions,
    with_memory,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import DatabaseSessionManager, UserMemory
from isolation_spec.engines.reference.sessions import T, Work

__all__ = ["FAULTS"]


def _with_journal() -> type[UserMemory]:
    """Values stand in a journal, whose end is looked for when nobody writes, and
    written to if still nobody does."""
    journal: list[str] = []
    places: dict[tuple[tuple[str, str], str], int] = {}
    turn = asyncio.Lock()

    class Memory(UserMemory):
        async def remember(self, key: str, value: str) -> None:
            place = await self._find_end()
            while turn.locked():
                place = await self._find_end()
            async with turn:
                await super().remember(key, value)
                journal[place : place + 1] = [value]
                places[self._owner(), value] = place

        async def _find_end(self) -> int:
            async with turn:
                end = len(journal)
            await answered()
            return end

        async def recall(self, key: str) -> str | None:
            value = await super().recall(key)
            return None if value is None else self._written(value)

        async def entries(self) -> dict[str, str]:
            found = await super().entries()
            return {key: self._written(value) for key, value in found.items()}

        def _written(self, value: str) -> str:
            place = places.get((self._owner(), value))
            return value if place is None else journal[place]

    return Memory


SAME_END = Fault(
    id="same-end",
    mechanism="check_then_act",
    source="nightscout/Trio #1449, ssbc/async-append-only-log #27: where a log ends is "
    "looked up before it is written to, and others have written there meanwhile",
    claims=frozenset({"context-ownership", "stored-writes"}),
    adapter=with_memory(_with_journal),
)


def _with_numbers() -> type[UserMemory]:
    """Each write has the number after the last that is known to be stored, as it was
    read again; what has a number that was stored is acknowledged, and no more."""
    last = 0

    class Memory(UserMemory):
        async def remember(self, key: str, value: str) -> None:
            nonlocal last
            number = last + 1
            await answered()
            if number > last:
                await super().remember(key, value)
                await super().recall(key)
                last = max(last, number)

    return Memory


TAKEN_FOR_REPEATED = Fault(
    id="taken-for-repeated",
    mechanism="check_then_act",
    source="rabbitmq-community/rstream #227: what comes with a number that was seen is "
    "dropped as a repetition, and its sender told that it is stored",
    claims=frozenset({"stored-writes"}),
    adapter=with_memory(_with_numbers),
)


class _Tickets:
    """One at a time, in the order of tickets: who comes reads the next one, and takes
    it once that is confirmed."""

    def __init__(self) -> None:
        self._next = 0
        self._serving = 0
        self._waiting: defaultdict[int, list[asyncio.Future[None]]] = defaultdict(list)

    async def read(self) -> int:
        ticket = self._next
        await answered()
        return ticket

    @asynccontextmanager
    async def take(self, ticket: int) -> AsyncIterator[None]:
        self._next = max(self._next, ticket + 1)
        try:
            if ticket != self._serving:
                turn = asyncio.get_running_loop().create_future()
                self._waiting[ticket].append(turn)
                await turn
            yield
        finally:
            self._serve(ticket + 1)

    def _serve(self, ticket: int) -> None:
        self._serving = max(self._serving, ticket)
        for turn in self._waiting.pop(ticket, ()):
            if not turn.done():
                turn.set_result(None)


def _with_tickets() -> type[DatabaseSessionManager]:
    tickets = _Tickets()

    class Sessions(DatabaseSessionManager):
        async def _serve(self, unit: Any) -> None:
            ticket = await tickets.read()
            if not unit.abandoned:
                async with tickets.take(ticket):
                    await super()._serve(unit)
                    await answered()

    return Sessions


TICKET_PASSED = Fault(
    id="ticket-passed",
    mechanism="check_then_act",
    source="sgl-project/sglang #30606, Joshuaalbert/FairAsyncRLock #17: a queue made "
    "by hand lets somebody pass, and who was passed waits for ever",
    claims=frozenset({"error-containment", "teardown"}),
    adapter=with_fresh_sessions(_with_tickets),
)


def _with_pool() -> type[DatabaseSessionManager]:
    """A session is there for all while it is tried out, and whoever has tried it out
    takes it if nobody has it."""
    free: list[AsyncSession] = []
    taken: list[AsyncSession] = []
    chosen: ContextVar[AsyncSession] = ContextVar("chosen")

    class Sessions(DatabaseSessionManager):
        async def run(self, work: Work[T]) -> T:
            session = await self._try_out()
            while session in taken:
                session = await self._try_out()
            if session in free:
                free.remove(session)
            taken.append(session)
            chosen.set(session)
            try:
                await answered()
                result = await super().run(work)
                await answered()
                return result
            finally:
                taken.remove(session)

        async def _try_out(self) -> AsyncSession:
            if not free:
                free.append(super()._open_session())
            session = free[0]
            await answered()
            return session

        def _open_session(self) -> AsyncSession:
            return chosen.get()

    return Sessions


TRIED_BY_TWO = Fault(
    id="tried-by-two",
    mechanism="check_then_act",
    source="coopernurse/node-pool #132: a resource stays in the pool while it is being "
    "validated, and two who validate it at once both take it",
    claims=frozenset({"database-sessions"}),
    adapter=with_fresh_sessions(_with_pool),
)

FAULTS = (SAME_END, TAKEN_FOR_REPEATED, TICKET_PASSED, TRIED_BY_TWO)
