"""Lost wake-ups: a lock loses a turn when a waiter is cancelled at the wrong moment."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from isolation_spec.engines.faults.builders import with_guarded_sessions
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import UserExecutionContext

__all__ = ["FAULTS"]


class _TwoSlots:
    """Admits two units. A unit that leaves while it is full wakes the next in line."""

    def __init__(self) -> None:
        self._free = 2
        self._line: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def hold(self, context: UserExecutionContext) -> AsyncIterator[None]:
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


TURN_LOST = Fault(
    id="turn-lost",
    source="python/cpython #1031 (bpo-27585): a waiter cancelled after its wake-up "
    "does not pass the turn on, and the waiters behind it wait for ever",
    claims=frozenset({"error-containment"}),
    adapter=with_guarded_sessions(_TwoSlots),
)


class _ThreeSlots:
    """Admits three units; a unit that leaves hands its slot to the first in the queue.

    A waiter that is cancelled stays in the queue.
    """

    def __init__(self) -> None:
        self._free = 3
        self._queue: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def hold(self, context: UserExecutionContext) -> AsyncIterator[None]:
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
    source="aio-libs/aiohttp #2937 (review), aio-libs/aiocassandra #6: a slot is "
    "handed to a cancelled waiter, and the unit that hands it over fails",
    claims=frozenset({"error-containment"}),
    adapter=with_guarded_sessions(_ThreeSlots),
)

FAULTS = (LEFT_IN_QUEUE, TURN_LOST)
