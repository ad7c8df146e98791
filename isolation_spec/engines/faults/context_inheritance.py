"""A long-lived task carries the context of the user that created it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping
from typing import Any

from isolation_spec.engines.faults.builders import engine_of, with_fresh_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    ToolDispatcher,
    UserExecutionContext,
    UserExecutionEngine,
)

__all__ = ["FAULTS"]


class _Worker:
    """Does all work in one task, which the first caller creates."""

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

    return engine_of(dispatcher_class=Dispatcher)


WORKER_KEEPS_CONTEXT = Fault(
    id="worker-keeps-context",
    source="ogx-ai/ogx #5221: a lazily created worker copies its first user's context "
    "and works for all users",
    claims=frozenset({"context-ownership", "tool-isolation"}),
    adapter=with_fresh_engine(_with_worker),
)

FAULTS = (WORKER_KEEPS_CONTEXT,)
