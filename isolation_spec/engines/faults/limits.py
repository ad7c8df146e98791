"""What is counted, for whom, and when: limits, slots and permits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import (
    OneClient,
    ToolClient,
    with_engine,
    with_factory,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import ExecutionEngineFactory, UserExecutionEngine

__all__ = ["FAULTS"]


class _Eager(asyncio.Semaphore):
    """Asks whether a place is free, prepares the run, and only then takes it."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self._freed = asyncio.Event()

    async def __aenter__(self) -> None:
        # Not by waiting in line: once too many are in, it lets everybody through.
        while self._value <= 0:
            self._freed.clear()
            await self._freed.wait()
        await asyncio.sleep(0.01)
        self._value -= 1

    def release(self) -> None:
        super().release()
        self._freed.set()


class _CountsAfterwards(UserExecutionEngine):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._slots = _Eager(self._limits.runs_per_engine)


COUNTED_AFTERWARDS = Fault(
    id="counted-afterwards",
    mechanism="limits",
    source="NVIDIA-NeMo/Guardrails #1765: whether a slot is free is asked before an "
    "await, and it is taken after it",
    claims=frozenset({"exact-limits"}),
    adapter=with_engine(_CountsAfterwards),
)


class _CountsAll(ExecutionEngineFactory):
    def _held(self, user_id: str) -> int:
        return len(self._slots)


COUNTED_FOR_ALL = Fault(
    id="counted-for-all",
    mechanism="limits",
    source="dmwm/WMCore #10360: a limit that is meant for each user counts what all of "
    "them hold",
    claims=frozenset({"error-containment", "exact-limits"}),
    adapter=with_factory(_CountsAll),
)


class _OneQueueFactory(ExecutionEngineFactory):
    def __init__(self, **options: Any) -> None:
        slots = asyncio.Semaphore(1)

        class Engine(UserExecutionEngine):
            def __init__(self, **options: Any) -> None:
                super().__init__(**options)
                self._slots = slots

        options["engine_class"] = Engine
        super().__init__(**options)


class _OneQuestion(OneClient):
    """What is asked waits until what was asked before it is answered."""

    async def start(self, environment: Environment) -> None:
        self._turn = asyncio.Lock()
        await super().start(environment)

    async def call(self, request: Callable[[], Awaitable[Any]]) -> Any:
        async with self._turn:
            return await request()


ONE_QUESTION = Fault(
    id="one-question",
    mechanism="limits",
    source="OpenHands/OpenHands #16459, HKUDS/nanobot #2393: a lock around each call "
    "of the model is everybody's, and all wait while it answers one of them",
    claims=frozenset({"error-containment"}),
    adapter=_OneQuestion,
)


ONE_AT_A_TIME = Fault(
    id="one-at-a-time",
    mechanism="limits",
    source="marin-community/marin #5925, ridafkih/keeper.sh #249: the slots are the "
    "process's, and while one user holds them everybody waits",
    claims=frozenset({"error-containment"}),
    adapter=with_factory(_OneQueueFactory),
)


class _LostPermit(ToolClient):
    """One call at a time; a cancelled one does not give its place back."""

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
    mechanism="limits",
    source="encode/httpcore #830, pipeshub-ai/pipeshub-ai #2918: a cancelled request "
    "keeps its place in the pool for ever, and the others wait for it",
    claims=frozenset({"error-containment"}),
    adapter=_LostPermit,
)

FAULTS = (
    COUNTED_AFTERWARDS,
    COUNTED_FOR_ALL,
    ONE_AT_A_TIME,
    ONE_QUESTION,
    PERMIT_LOST,
)
