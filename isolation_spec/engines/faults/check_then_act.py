"""Check-then-act: a position, a ticket or a session is chosen before an await and used
after it, although another task has taken it meanwhile."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from isolation_spec.engines.faults.builders import (
    call_external,
    with_fresh_sessions,
    with_memory,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import DatabaseSessionManager, UserMemory
from isolation_spec.engines.reference.sessions import T, Work

__all__ = ["FAULTS"]


def _with_journal() -> type[UserMemory]:
    """Appends values to a journal. A writer looks up its end while the journal is idle,
    and writes there if it is idle again."""
    journal: list[str] = []
    positions: dict[tuple[tuple[str, str], str], int] = {}
    turn = asyncio.Lock()

    class Memory(UserMemory):
        async def remember(self, key: str, value: str) -> None:
            position = await self._find_end()
            while turn.locked():
                position = await self._find_end()
            async with turn:
                await super().remember(key, value)
                journal[position : position + 1] = [value]
                positions[self._owner(), value] = position

        async def _find_end(self) -> int:
            async with turn:
                end = len(journal)
            await call_external()
            return end

        async def recall(self, key: str) -> str | None:
            value = await super().recall(key)
            return None if value is None else self._written(value)

        async def entries(self) -> dict[str, str]:
            entries = await super().entries()
            return {key: self._written(value) for key, value in entries.items()}

        def _written(self, value: str) -> str:
            position = positions.get((self._owner(), value))
            return value if position is None else journal[position]

    return Memory


SAME_END = Fault(
    id="same-end",
    source="nightscout/Trio #1449, ssbc/async-append-only-log #27: a writer looks up "
    "the end of a log, and another writes there before it does",
    claims=frozenset({"context-ownership", "stored-writes"}),
    adapter=with_memory(_with_journal),
)


def _with_numbers() -> type[UserMemory]:
    """Numbers each write after the last one known to be stored. A write whose number is
    already stored is acknowledged without being stored."""
    last = 0

    class Memory(UserMemory):
        async def remember(self, key: str, value: str) -> None:
            nonlocal last
            number = last + 1
            await call_external()
            if number > last:
                await super().remember(key, value)
                await super().recall(key)
                last = max(last, number)

    return Memory


TAKEN_FOR_REPEATED = Fault(
    id="taken-for-repeated",
    source="rabbitmq-community/rstream #227: a message with a known number is dropped "
    "as a duplicate and acknowledged to its sender",
    claims=frozenset({"stored-writes"}),
    adapter=with_memory(_with_numbers),
)


class _Tickets:
    """Serves one unit at a time, in the order of tickets. A unit reads the next ticket
    and takes it after a call outside confirms it."""

    def __init__(self) -> None:
        self._next = 0
        self._serving = 0
        self._waiting: defaultdict[int, list[asyncio.Future[None]]] = defaultdict(list)

    async def read(self) -> int:
        ticket = self._next
        await call_external()
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
                    await call_external()

    return Sessions


TICKET_PASSED = Fault(
    id="ticket-passed",
    source="sgl-project/sglang #30606, Joshuaalbert/FairAsyncRLock #17: a hand-made "
    "queue lets one waiter pass another, which then waits for ever",
    claims=frozenset({"error-containment", "teardown"}),
    adapter=with_fresh_sessions(_with_tickets),
)


def _with_pool() -> type[DatabaseSessionManager]:
    """A session stays in the pool while a unit validates it; the unit takes it if no
    other unit has it after that."""
    free: list[AsyncSession] = []
    taken: list[AsyncSession] = []
    chosen: ContextVar[AsyncSession] = ContextVar("chosen")

    class Sessions(DatabaseSessionManager):
        async def run(self, work: Work[T]) -> T:
            session = await self._validate()
            while session in taken:
                session = await self._validate()
            if session in free:
                free.remove(session)
            taken.append(session)
            chosen.set(session)
            try:
                await call_external()
                result = await super().run(work)
                await call_external()
                return result
            finally:
                taken.remove(session)

        async def _validate(self) -> AsyncSession:
            if not free:
                free.append(super()._open_session())
            session = free[0]
            await call_external()
            return session

        def _open_session(self) -> AsyncSession:
            return chosen.get()

    return Sessions


TRIED_BY_TWO = Fault(
    id="tried-by-two",
    source="coopernurse/node-pool #132: a resource stays in the pool while it is being "
    "validated, and two callers that validate it at once both take it",
    claims=frozenset({"database-sessions"}),
    adapter=with_fresh_sessions(_with_pool),
)

FAULTS = (SAME_END, TAKEN_FOR_REPEATED, TICKET_PASSED, TRIED_BY_TWO)
