"""What is counted, for whom, and when: limits, slots and permits."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from isolation_spec.adapter import Environment
from isolation_spec.adapters.reference import ReferenceAdapter
from isolation_spec.engine import (
    DatabaseSessionManager,
    ExecutionEngineFactory,
    Limits,
    Message,
    UserExecutionContext,
    UserExecutionEngine,
)
from isolation_spec.engine.storage import RUNS
from isolation_spec.faults.fault import Fault

__all__ = ["FAULTS"]


class _CountsFinished(ExecutionEngineFactory):
    def _held(self, user_id: str) -> int:
        return self.get_active_contexts().get(user_id, 0)

    async def _build(self, context: UserExecutionContext) -> UserExecutionEngine:
        async def load_last_run(session: AsyncSession) -> None:
            last = select(RUNS.c.run_id).where(RUNS.c.user_id == context.user_id)
            await session.execute(last.limit(1))

        await DatabaseSessionManager(context, self._database).run(load_last_run)
        return await super()._build(context)


class _CountsFinishedAdapter(ReferenceAdapter):
    factory_class = _CountsFinished


COUNTED_AFTERWARDS = Fault(
    id="counted-afterwards",
    mechanism="limits",
    source="",
    claims=frozenset({"exact-limits"}),
    adapter=_CountsFinishedAdapter,
)


class _CountsAll(ExecutionEngineFactory):
    def _held(self, user_id: str) -> int:
        return len(self._slots)


class _CountsAllAdapter(ReferenceAdapter):
    factory_class = _CountsAll


COUNTED_FOR_ALL = Fault(
    id="counted-for-all",
    mechanism="limits",
    source="",
    claims=frozenset({"error-containment", "exact-limits"}),
    adapter=_CountsAllAdapter,
)


class _OneQueueFactory(ExecutionEngineFactory):
    def __init__(self, **options: Any) -> None:
        slots = asyncio.Semaphore(Limits().runs_per_engine)

        class Engine(UserExecutionEngine):
            def __init__(self, **options: Any) -> None:
                super().__init__(**options)
                self._slots = slots

        options["engine_class"] = Engine
        super().__init__(**options)


class _OneQueueAdapter(ReferenceAdapter):
    factory_class = _OneQueueFactory


SLOTS_FOR_ALL = Fault(
    id="slots-for-all",
    mechanism="limits",
    source="",
    claims=frozenset({"error-containment"}),
    adapter=_OneQueueAdapter,
)


class _Slots(asyncio.Semaphore):
    """Wakes all who wait when one comes free, and they do not look again."""

    def __init__(self, free: int) -> None:
        super().__init__(free)
        self._free = free
        self._came_free = asyncio.Event()

    async def __aenter__(self) -> None:
        if self._free <= 0:
            self._came_free.clear()
            await self._came_free.wait()
        self._free -= 1

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._free += 1
        self._came_free.set()


class _WokenTogether(UserExecutionEngine):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._slots = _Slots(self._limits.runs_per_engine)


class _WokenTogetherAdapter(ReferenceAdapter):
    engine_class = _WokenTogether


WOKEN_TOGETHER = Fault(
    id="woken-together",
    mechanism="limits",
    source="",
    claims=frozenset({"exact-limits"}),
    adapter=_WokenTogetherAdapter,
)


class _LostPermit(ReferenceAdapter):
    """Two calls at once to the model; a cancelled one does not give its place back."""

    async def start(self, environment: Environment) -> None:
        self._permits = asyncio.Semaphore(2)
        await super().start(environment)

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        await self._permits.acquire()
        try:
            answer = await super().answer(context, messages)
        except Exception:
            self._permits.release()
            raise
        self._permits.release()
        return answer


PERMIT_LOST = Fault(
    id="permit-lost",
    mechanism="limits",
    source="",
    claims=frozenset({"error-containment"}),
    adapter=_LostPermit,
)

FAULTS = (
    COUNTED_AFTERWARDS,
    COUNTED_FOR_ALL,
    PERMIT_LOST,
    SLOTS_FOR_ALL,
    WOKEN_TOGETHER,
)
