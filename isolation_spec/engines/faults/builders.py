"""Adapters of the reference engine with one part replaced, for planted faults."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from isolation_spec.engines.reference import (
    Agent,
    AgentExecutionResult,
    DatabaseSessionManager,
    Event,
    EventEmitter,
    ExecutionEngineFactory,
    Message,
    Tool,
    UserExecutionContext,
    UserExecutionEngine,
    UserMemory,
    WebSocketManager,
)
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.reference.runs import Run, RunOutcome

__all__ = [
    "Announcing",
    "OneClient",
    "Overwriting",
    "Place",
    "ToolClient",
    "answered",
    "ask_outside",
    "with_engine",
    "with_factory",
    "with_fresh_engine",
    "with_fresh_sessions",
    "with_manager",
    "with_memory",
    "with_place",
    "with_sessions",
]


def _answer() -> None:
    """What is asked outside, of which only the completion matters."""


async def answered() -> None:
    """Returns when something outside has answered."""
    await asyncio.get_running_loop().run_in_executor(None, _answer)


def ask_outside(then: Callable[[], object]) -> None:
    """Calls `then` when something outside has answered; nobody waits for it."""
    asked = asyncio.get_running_loop().run_in_executor(None, _answer)
    asked.add_done_callback(lambda _: then())


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


def with_fresh_sessions(
    make: Callable[[], type[DatabaseSessionManager]],
) -> type[ReferenceAdapter]:
    """The sessions of all engines of a factory are managed by the class that is made
    for it."""

    def engine() -> type[UserExecutionEngine]:
        kind = make()

        class Engine(UserExecutionEngine):
            def _create_sessions(self) -> DatabaseSessionManager:
                return kind(self.user_context, self._database)

        return Engine

    return with_fresh_engine(engine)


class ToolClient(ReferenceAdapter):
    """Everybody's calls to tools go through one client, `call`."""

    async def call(self, request: Callable[[], Awaitable[Any]]) -> Any:
        """Makes the request and returns what was answered."""
        return await request()

    def _tool(self, name: str) -> Tool:
        tool = super()._tool(name)

        async def function(
            context: UserExecutionContext, arguments: Mapping[str, Any]
        ) -> Any:
            return await self.call(lambda: tool.function(context, arguments))

        return dataclasses.replace(tool, function=function)


class OneClient(ToolClient):
    """Everybody's calls to the model go through the same one."""

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        model = super().answer
        answer: str = await self.call(lambda: model(context, messages))
        return answer


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
        await answered()
        if not self.closed:
            await self._announced(run)

    async def _announced(self, run: Run) -> None:
        """What the answer does."""


class Place:
    """Something that all engines of a factory share, and each run has for a while."""

    def hold(self, run: Run) -> AbstractAsyncContextManager[None]:
        """Has it for this run, from before its start until after its end."""
        return nullcontext()

    def begin(self, run: Run) -> None:
        """The run's agent begins."""

    def tell(self, request_id: str, told: Mapping[str, Any]) -> None:
        """The run of this request, which may be a child, tells its user something."""

    def listeners(self, request_id: str) -> Iterable[str]:
        """Who hears of the run of this request, beside its user."""
        return ()

    def shown(self, run: Run) -> Mapping[str, Any]:
        """What the run's result shows, beside the usual."""
        return {}


def with_place(make: Callable[[], Place]) -> type[ReferenceAdapter]:
    """Each run, with its children, holds the place that is made for its factory, until
    its end is heard outside."""

    def engine() -> type[UserExecutionEngine]:
        place = make()

        class Emitter(EventEmitter):
            def _advance(self, event: Event) -> None:
                super()._advance(event)
                place.tell(self._context.request_id, event.payload)

            def _send(self, message: str) -> None:
                super()._send(message)
                for user_id in place.listeners(self._context.request_id):
                    if user_id != self._context.user_id:
                        self._sink.notify(user_id, message)

        class Engine(UserExecutionEngine):
            async def _execute(self, run: Run) -> AgentExecutionResult:
                if run.parent is not None:
                    return await super()._execute(run)
                async with place.hold(run):
                    result = await super()._execute(run)
                    result.metadata.update(place.shown(run))
                    await answered()
                return result

            def _create_agent(self, run: Run) -> Agent:
                if run.parent is None:
                    place.begin(run)
                return super()._create_agent(run)

            def _create_emitter(self, context: UserExecutionContext) -> EventEmitter:
                return Emitter(context, self._events)

        return Engine

    return with_fresh_engine(engine)
