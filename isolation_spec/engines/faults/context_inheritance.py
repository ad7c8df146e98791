"""Whose context a task carries: its creator's, for as long as it lives."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping
from typing import Any

from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.faults.tool_call_order import with_dispatcher
from isolation_spec.engines.reference import (
    ExecutionEngineFactory,
    ToolDispatcher,
    UserExecutionContext,
    UserExecutionEngine,
)
from isolation_spec.engines.reference.adapter import ReferenceAdapter

__all__ = ["FAULTS"]


class _Worker:
    """Does what it is given, in one task, which whoever comes first creates."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Coroutine[Any, Any, Any], asyncio.Future[Any]]] = (
            deque()
        )
        self._task: asyncio.Task[None] | None = None

    async def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._serve())
        return await done

    async def _serve(self) -> None:
        while self._waiting:
            work, done = self._waiting.popleft()
            try:
                value = await work
            except Exception as error:
                if not done.done():
                    done.set_exception(error)
            else:
                if not done.done():
                    done.set_result(value)
        self._task = None


def _with_worker() -> type[UserExecutionEngine]:
    worker = _Worker()

    class Dispatcher(ToolDispatcher):
        async def _run_tool(
            self, context: UserExecutionContext, name: str, arguments: Mapping[str, Any]
        ) -> Any:
            return await worker.do(super()._run_tool(context, name, arguments))

    return with_dispatcher(Dispatcher)


class _Factory(ExecutionEngineFactory):
    def __init__(self, **options: Any) -> None:
        options["engine_class"] = _with_worker()
        super().__init__(**options)


class _Adapter(ReferenceAdapter):
    factory_class = _Factory


WORKER_KEEPS_CONTEXT = Fault(
    id="worker-keeps-context",
    mechanism="context_inheritance",
    source="ogx-ai/ogx #5221: a lazily created worker copies its first user's context "
    "and works for everybody",
    claims=frozenset({"context-ownership", "tool-isolation"}),
    adapter=_Adapter,
)

FAULTS = (WORKER_KEEPS_CONTEXT,)
