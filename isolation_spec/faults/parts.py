"""Adapters of the reference engine with one part replaced, for planted faults."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from isolation_spec.adapters.reference import ReferenceAdapter
from isolation_spec.engine import (
    AgentExecutionResult,
    DatabaseSessionManager,
    ExecutionEngineFactory,
    Message,
    Tool,
    UserExecutionContext,
    UserExecutionEngine,
    UserMemory,
    WebSocketManager,
)
from isolation_spec.engine.runs import Run, RunOutcome

__all__ = [
    "Announcing",
    "OneClient",
    "Overwriting",
    "outside",
    "with_engine",
    "with_factory",
    "with_fresh_engine",
    "with_manager",
    "with_memory",
    "with_sessions",
]


def _nothing() -> None:
    """What is done outside, of which only the completion matters."""


async def outside() -> None:
    """Returns when something outside has answered; for parts without a world."""
    await asyncio.get_running_loop().run_in_executor(None, _nothing)


def with_engine(kind: type[UserExecutionEngine]) -> type[ReferenceAdapter]:
    """An adapter whose engines are of this class."""
    return type("Adapter", (ReferenceAdapter,), {"engine_class": kind})


def with_factory(kind: type[ExecutionEngineFactory]) -> type[ReferenceAdapter]:
    """An adapter whose factory is of this class."""
    return type("Adapter", (ReferenceAdapter,), {"factory_class": kind})


def with_manager(kind: type[WebSocketManager]) -> type[ReferenceAdapter]:
    """An adapter whose WebSocket manager is of this class."""
    return type("Adapter", (ReferenceAdapter,), {"manager_class": kind})


def with_fresh_engine(
    make: Callable[[], type[UserExecutionEngine]],
) -> type[ReferenceAdapter]:
    """An engine class is made for each factory, so that what engines share ends with
    their world."""

    class Factory(ExecutionEngineFactory):
        def __init__(self, **options: Any) -> None:
            options["engine_class"] = make()
            super().__init__(**options)

    return with_factory(Factory)


def with_memory(make: Callable[[], type[UserMemory]]) -> type[ReferenceAdapter]:
    """The memories of all engines of a factory are of the class that is made for it."""

    def engine() -> type[UserExecutionEngine]:
        kind = make()

        class Engine(UserExecutionEngine):
            def _create_memory(self) -> UserMemory:
                return kind(
                    self.user_context,
                    self.database_session_manager,
                    locks=self._write_locks,
                )

        return Engine

    return with_fresh_engine(engine)


def with_sessions(kind: type[DatabaseSessionManager]) -> type[ReferenceAdapter]:
    """The engines' database sessions are managed by this class."""

    class Engine(UserExecutionEngine):
        def _create_sessions(self) -> DatabaseSessionManager:
            return kind(self.user_context, self._database)

    return with_engine(Engine)


class Overwriting(UserExecutionEngine):
    """Stores how a run ended over what may be there of it."""

    async def _store_run(self, run: Run, outcome: RunOutcome, *, replace: bool) -> None:
        await super()._store_run(run, outcome, replace=True)


class Announcing(UserExecutionEngine):
    """Announces each run, children apart, and does not wait for the answer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._announcing: dict[asyncio.Task[None], None] = {}

    async def _execute(self, run: Run) -> AgentExecutionResult:
        if run.parent is None:
            task = asyncio.get_running_loop().create_task(self._announce(run))
            self._announcing[task] = None
            task.add_done_callback(self._announcing.pop)
        return await super()._execute(run)

    async def _announce(self, run: Run) -> None:
        await outside()
        if not self.closed:
            await self._announced(run)

    async def _announced(self, run: Run) -> None:
        """What the answer does."""


class OneClient(ReferenceAdapter):
    """Everybody's calls to the model and to tools go through one client, `call`."""

    async def call(self, request: Callable[[], Awaitable[Any]]) -> Any:
        """Makes the request and returns what was answered."""
        return await request()

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        model = super().answer
        answer: str = await self.call(lambda: model(context, messages))
        return answer

    def _tool(self, name: str) -> Tool:
        tool = super()._tool(name)

        async def function(
            context: UserExecutionContext, arguments: Mapping[str, Any]
        ) -> Any:
            return await self.call(lambda: tool.function(context, arguments))

        return dataclasses.replace(tool, function=function)
