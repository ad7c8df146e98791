"""Limits, slots and permits that count the wrong users, or count too late."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import (
    SharedClient,
    SharedToolClient,
    with_engine,
    with_factory,
    with_fresh_engine,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import ExecutionEngineFactory, UserExecutionEngine

__all__ = ["FAULTS"]


class _LateSemaphore(asyncio.Semaphore):
    """Checks for a free slot, prepares the run, and only then takes the slot."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self._freed = asyncio.Event()

    async def __aenter__(self) -> None:
        # No first-in-first-out queue: once the value is negative, its waiters would
        # all be released.
        while self._value <= 0:
            self._freed.clear()
            await self._freed.wait()
        await asyncio.sleep(0.01)
        self._value -= 1

    def release(self) -> None:
        super().release()
        self._freed.set()


class _LateCountingEngine(UserExecutionEngine):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._slots = _LateSemaphore(self._limits.runs_per_engine)


COUNTED_AFTERWARDS = Fault(
    id="counted-afterwards",
    source="NVIDIA-NeMo/Guardrails #1765: a slot is checked before an await and taken "
    "after it",
    claims=frozenset({"exact-limits"}),
    adapter=with_engine(_LateCountingEngine),
)


class _GlobalLimitFactory(ExecutionEngineFactory):
    def _held(self, user_id: str) -> int:
        return len(self._slots)


COUNTED_FOR_ALL = Fault(
    id="counted-for-all",
    source="dmwm/WMCore #10360: a limit per user counts the holdings of all users",
    claims=frozenset({"error-containment", "exact-limits"}),
    adapter=with_factory(_GlobalLimitFactory),
)


def _with_one_slot() -> type[UserExecutionEngine]:
    slots = asyncio.Semaphore(1)

    class Engine(UserExecutionEngine):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._slots = slots

    return Engine


class _SerialClient(SharedClient):
    """A call waits until all calls before it are answered."""

    async def start(self, environment: Environment) -> None:
        self._turn = asyncio.Lock()
        await super().start(environment)

    async def call(self, request: Callable[[], Awaitable[Any]]) -> Any:
        async with self._turn:
            return await request()


ONE_QUESTION = Fault(
    id="one-question",
    source="OpenHands/OpenHands #16459, HKUDS/nanobot #2393: all users share the lock "
    "around model calls, and wait while the model answers one of them",
    claims=frozenset({"error-containment"}),
    adapter=_SerialClient,
)


ONE_AT_A_TIME = Fault(
    id="one-at-a-time",
    source="marin-community/marin #5925, ridafkih/keeper.sh #249: the process has one "
    "set of slots, and while one user holds them all others wait",
    claims=frozenset({"error-containment"}),
    adapter=with_fresh_engine(_with_one_slot),
)


class _LeakingClient(SharedToolClient):
    """One call at a time; a cancelled call does not release its permit."""

    async def start(self, environment: Environment) -> None:
        self._permits = asyncio.Semaphore(1)
        await super().start(environment)

    async def call(self, request: Callable[[], Awaitable[Any]]) -> Any:
        await self._permits.acquire()
        try:
            answer = await request()
        except Exception:
            self._permits.release()
            raise
        self._permits.release()
        return answer


PERMIT_LOST = Fault(
    id="permit-lost",
    source="encode/httpcore #830, pipeshub-ai/pipeshub-ai #2918: a cancelled request "
    "keeps its slot in the pool for ever, and the others wait for it",
    claims=frozenset({"error-containment"}),
    adapter=_LeakingClient,
)

FAULTS = (
    COUNTED_AFTERWARDS,
    COUNTED_FOR_ALL,
    ONE_AT_A_TIME,
    ONE_QUESTION,
    PERMIT_LOST,
)
