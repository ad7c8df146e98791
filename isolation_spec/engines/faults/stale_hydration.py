"""What was there before is put back, over what has come since it was read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from isolation_spec.engines.faults.builders import answered, with_factory
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    ClosedError,
    ExecutionEngineFactory,
    UserExecutionContext,
    UserExecutionEngine,
    UserMemory,
)

__all__ = ["FAULTS"]


class _Hydrating(ExecutionEngineFactory):
    """A thread begins with what is read while that is asked for; what was read before
    the answer is put there with it, as soon as nobody writes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._asking: dict[asyncio.Task[None], None] = {}

    async def _build(self, context: UserExecutionContext) -> UserExecutionEngine:
        engine = await super()._build(context)
        read: list[Mapping[str, str]] = []
        task = asyncio.get_running_loop().create_task(self._ask(engine.memory, read))
        self._asking[task] = None
        task.add_done_callback(self._asking.pop)
        read.append(await engine.memory.entries())
        return engine

    async def _ask(self, memory: UserMemory, read: list[Mapping[str, str]]) -> None:
        await answered()
        if read and not len(self._write_locks):
            with suppress(ClosedError):
                await self._put_back(memory, read.pop())

    async def _put_back(self, memory: UserMemory, read: Mapping[str, str]) -> None:
        await memory.erase()
        for key, value in read.items():
            await memory.remember(key, value)


READ_BEFORE = Fault(
    id="read-before",
    mechanism="stale_hydration",
    source="redux-persist, which now guards against it: what was kept is loaded over "
    "what has been changed since",
    claims=frozenset({"stored-writes"}),
    adapter=with_factory(_Hydrating),
)

FAULTS = (READ_BEFORE,)
