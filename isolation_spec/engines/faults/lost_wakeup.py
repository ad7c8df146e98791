"""Who comes next: locks that hold as long as nobody leaves at the wrong moment."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from isolation_spec.engines.faults.builders import with_fresh_sessions
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import DatabaseSessionManager
from isolation_spec.engines.reference.sessions import T, Work

__all__ = ["FAULTS"]


class _Two:
    """Room for two; who leaves it when it was full gives the next in line a turn."""

    def __init__(self) -> None:
        self._free = 2
        self._line: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        if self._line or not self._free:
            turn = asyncio.get_running_loop().create_future()
            self._line.append(turn)
            try:
                await turn
            finally:
                self._line.remove(turn)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
            if self._free == 1 and self._line:
                turn = self._line[0]
                if not turn.done():
                    turn.set_result(None)


def _in_turn(places: _Two | _Queue) -> type[DatabaseSessionManager]:
    """Each unit of database work takes one of the places that all engines share."""

    class Sessions(DatabaseSessionManager):
        async def run(self, work: Work[T]) -> T:
            async with places.hold():
                return await super().run(work)

    return Sessions


TURN_LOST = Fault(
    id="turn-lost",
    mechanism="lost_wakeup",
    source="python/cpython #1031 (bpo-27585): who is cancelled when their turn has "
    "come to have a session does not pass it on, and those behind wait for ever",
    claims=frozenset({"error-containment"}),
    adapter=with_fresh_sessions(lambda: _in_turn(_Two())),
)


class _Queue:
    """Room for three; who leaves hands the place to the first who waits for one.

    Who is cancelled while waiting stays in the queue.
    """

    def __init__(self) -> None:
        self._free = 3
        self._queue: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        if self._free:
            self._free -= 1
        else:
            turn = asyncio.get_running_loop().create_future()
            self._queue.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():
                    self._leave()
                raise
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._queue:
            self._queue.popleft().set_result(None)
        else:
            self._free += 1


LEFT_IN_QUEUE = Fault(
    id="left-in-queue",
    mechanism="lost_wakeup",
    source="aio-libs/aiohttp #2937 (review), aio-libs/aiocassandra #6: a place is "
    "given back to a waiter that was cancelled, and who does so fails",
    claims=frozenset({"error-containment"}),
    adapter=with_fresh_sessions(lambda: _in_turn(_Queue())),
)

FAULTS = (LEFT_IN_QUEUE, TURN_LOST)
