"""Stale hydration: a snapshot is restored over changes made since it was read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from isolation_spec.engines.faults.builders import call_external, with_factory
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    ClosedError,
    ExecutionEngineFactory,
    UserExecutionContext,
    UserExecutionEngine,
    UserMemory,
)

__all__ = ["FAULTS"]


class _HydratingFactory(ExecutionEngineFactory):
    """Reads a thread's entries when its engine is made, and restores them at the reply
    of a call outside, if no write is in flight."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._hydrations: dict[asyncio.Task[None], None] = {}

    async def _build(self, context: UserExecutionContext) -> UserExecutionEngine:
        engine = await super()._build(context)
        read: list[Mapping[str, str]] = []
        task = asyncio.get_running_loop().create_task(
            self._hydrate(engine.memory, read)
        )
        self._hydrations[task] = None
        task.add_done_callback(self._hydrations.pop)
        read.append(await engine.memory.entries())
        return engine

    async def _hydrate(self, memory: UserMemory, read: list[Mapping[str, str]]) -> None:
        await call_external()
        if read and not len(self._write_locks):
            with suppress(ClosedError):
                await self._restore(memory, read.pop())

    async def _restore(self, memory: UserMemory, read: Mapping[str, str]) -> None:
        await memory.erase()
        for key, value in read.items():
            await memory.remember(key, value)


READ_BEFORE = Fault(
    id="read-before",
    source="redux-persist, which now guards against it: a stored snapshot is loaded "
    "over later changes",
    claims=frozenset({"stored-writes"}),
    adapter=with_factory(_HydratingFactory),
)

FAULTS = (READ_BEFORE,)
