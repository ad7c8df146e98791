"""Permits of a pool that are acquired and never released."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import SharedToolClient
from isolation_spec.engines.faults.fault import Fault

__all__ = ["FAULTS"]


class _Line(SharedToolClient):
    """One call at a time; a caller that leaves hands its permit to the next in line."""

    async def start(self, environment: Environment) -> None:
        self._held = False
        self._line: deque[asyncio.Future[None]] = deque()
        await super().start(environment)

    async def call(self, request: Callable[[], Awaitable[Any]]) -> Any:
        await self._acquire()
        try:
            return await request()
        finally:
            self._release()

    async def _acquire(self) -> None:
        if not self._held:
            self._held = True
            return
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        await self._wait_for(turn)

    async def _wait_for(self, turn: asyncio.Future[None]) -> None:
        await turn

    def _release(self) -> None:
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._held = False


class _DeadNextLine(_Line):
    """Hands the permit to the next in line even if it has been cancelled."""

    async def _wait_for(self, turn: asyncio.Future[None]) -> None:
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release()
            raise

    def _release(self) -> None:
        if not self._line:
            self._held = False
            return
        turn = self._line.popleft()
        if not turn.cancelled():
            turn.set_result(None)


DEAD_NEXT = Fault(
    id="dead-next",
    source="python/asyncio #393, aio-libs/aiohttp #2937: the permit is handed to a "
    "waiter that has left, and is lost",
    claims=frozenset({"error-containment"}),
    adapter=_DeadNextLine,
)


class _AbandonedWaiterClient(SharedToolClient):
    """A cancelled waiter leaves behind the task that acquires the lock for it."""

    async def start(self, environment: Environment) -> None:
        self._lock = asyncio.Lock()
        await super().start(environment)

    async def call(self, request: Callable[[], Awaitable[Any]]) -> Any:
        if self._lock.locked():
            waiting = asyncio.get_running_loop().create_task(self._lock.acquire())
            try:
                await asyncio.shield(waiting)
            except asyncio.CancelledError:
                if waiting.done():
                    self._lock.release()
                raise
        else:
            await self._lock.acquire()
        try:
            return await request()
        finally:
            self._lock.release()


WAITS_ON = Fault(
    id="waits-on",
    source="bytedance/deer-flow #4240: a caller that waits for a lock is cancelled, "
    "but its helper task is not, and acquires the lock for no caller",
    claims=frozenset({"error-containment"}),
    adapter=_AbandonedWaiterClient,
)


FAULTS = (
    DEAD_NEXT,
    WAITS_ON,
)
