"""Adapters of the reference engine with one part replaced, for planted faults."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Protocol

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
from isolation_spec.engines.reference.sessions import T, Work

__all__ = [
    "AnnouncingEngine",
    "OverwritingEngine",
    "SharedClient",
    "SharedResource",
    "SharedToolClient",
    "call_external",
    "engine_of",
    "schedule_after_external_call",
    "with_engine",
    "with_factory",
    "with_fresh_engine",
    "with_fresh_sessions",
    "with_guarded_sessions",
    "with_manager",
    "with_memory",
    "with_sessions",
    "with_shared_resource",
]


def _external_work() -> None:
    """Stands for a call outside the process; only its completion matters."""


async def call_external() -> None:
    """Waits for a call outside the process.

    The executor gives the scheduler a chain of its own for the completion, so that a
    search can place it before or after the steps of other tasks.
    """
    await asyncio.get_running_loop().run_in_executor(None, _external_work)


def schedule_after_external_call(callback: Callable[[], object]) -> None:
    """Calls `callback` when a call outside the process completes, without waiting."""
    call = asyncio.get_running_loop().run_in_executor(None, _external_work)
    call.add_done_callback(lambda _: callback())


def engine_of(**parts: type) -> type[UserExecutionEngine]:
    """An engine class with these parts, as in `engine_of(memory_class=Memory)`."""
    return type("Engine", (UserExecutionEngine,), parts)


def with_engine(engine_class: type[UserExecutionEngine]) -> type[ReferenceAdapter]:
    """An adapter whose engines are of this class."""
    return type("Adapter", (ReferenceAdapter,), {"engine_class": engine_class})


def with_factory(
    factory_class: type[ExecutionEngineFactory],
) -> type[ReferenceAdapter]:
    """An adapter whose factory is of this class."""
    return type("Adapter", (ReferenceAdapter,), {"factory_class": factory_class})


def with_manager(manager_class: type[WebSocketManager]) -> type[ReferenceAdapter]:
    """An adapter whose WebSocket manager is of this class."""
    return type("Adapter", (ReferenceAdapter,), {"manager_class": manager_class})


def with_fresh_engine(
    make: Callable[[], type[UserExecutionEngine]],
) -> type[ReferenceAdapter]:
    """An adapter whose factory makes an engine class of its own.

    State that the class shares between engines ends with the factory, so that no run
    of the search affects the next one.
    """

    class Factory(ExecutionEngineFactory):
        def __init__(self, **options: Any) -> None:
            options["engine_class"] = make()
            super().__init__(**options)

    return with_factory(Factory)


def with_memory(make: Callable[[], type[UserMemory]]) -> type[ReferenceAdapter]:
    """An adapter whose factory makes a memory class of its own for its engines."""
    return with_fresh_engine(lambda: engine_of(memory_class=make()))


def with_sessions(
    sessions_class: type[DatabaseSessionManager],
) -> type[ReferenceAdapter]:
    """An adapter whose engines manage database sessions with this class."""
    return with_engine(engine_of(sessions_class=sessions_class))


def with_fresh_sessions(
    make: Callable[[], type[DatabaseSessionManager]],
) -> type[ReferenceAdapter]:
    """An adapter whose factory makes a session manager class for its engines."""
    return with_fresh_engine(lambda: engine_of(sessions_class=make()))


class Guard(Protocol):
    """Admits units of database work."""

    def hold(self, context: UserExecutionContext) -> AbstractAsyncContextManager[None]:
        """Admits one unit of this context for the length of a block."""


def with_guarded_sessions(make: Callable[[], Guard]) -> type[ReferenceAdapter]:
    """An adapter whose factory has one guard for the database work of all engines."""

    def make_sessions() -> type[DatabaseSessionManager]:
        guard = make()

        class Sessions(DatabaseSessionManager):
            async def run(self, work: Work[T]) -> T:
                async with guard.hold(self.user_context):
                    return await super().run(work)

        return Sessions

    return with_fresh_sessions(make_sessions)


class SharedToolClient(ReferenceAdapter):
    """The tool calls of all users go through one client, `call`."""

    async def call(self, request: Callable[[], Awaitable[Any]]) -> Any:
        """Makes the request and returns its answer."""
        return await request()

    def _tool(self, name: str) -> Tool:
        tool = super()._tool(name)

        async def function(
            context: UserExecutionContext, arguments: Mapping[str, Any]
        ) -> Any:
            return await self.call(lambda: tool.function(context, arguments))

        return dataclasses.replace(tool, function=function)


class SharedClient(SharedToolClient):
    """The model calls of all users go through the same client as their tool calls."""

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        model = super().answer
        answer: str = await self.call(lambda: model(context, messages))
        return answer


class OverwritingEngine(UserExecutionEngine):
    """Stores the outcome of a run over an outcome stored before."""

    async def _store_run(self, run: Run, outcome: RunOutcome, *, replace: bool) -> None:
        await super()._store_run(run, outcome, replace=True)


class AnnouncingEngine(UserExecutionEngine):
    """Announces each run but children outside, and does not wait for the reply."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._announcements: dict[asyncio.Task[None], None] = {}

    async def _execute(self, run: Run) -> AgentExecutionResult:
        if run.parent is None:
            task = asyncio.get_running_loop().create_task(self._announce(run))
            self._announcements[task] = None
            task.add_done_callback(self._announcements.pop)
        return await super()._execute(run)

    async def _announce(self, run: Run) -> None:
        await call_external()
        if not self.closed:
            await self._handle_reply(run)

    async def _handle_reply(self, run: Run) -> None:
        """Handles the reply to the announcement of a run."""


class SharedResource:
    """A resource that the engines of a factory share; each run holds it for a while."""

    def hold(self, run: Run) -> AbstractAsyncContextManager[None]:
        """Holds the resource from before the run's start until after its end."""
        return nullcontext()

    def begin(self, run: Run) -> None:
        """The run's agent is about to be made."""

    def record_event(self, request_id: str, payload: Mapping[str, Any]) -> None:
        """The run of this request, or one of its children, emits an event."""

    def extra_recipients(self, request_id: str) -> Iterable[str]:
        """The users that receive this run's events beside their owner."""
        return ()

    def extra_metadata(self, run: Run) -> Mapping[str, Any]:
        """Entries that the run's result has beside the usual ones."""
        return {}


def with_shared_resource(
    make: Callable[[], SharedResource],
) -> type[ReferenceAdapter]:
    """An adapter whose factory makes one resource for the runs of all its engines.

    A run and its children hold it until a call outside confirms the run's end.
    """

    def make_engine() -> type[UserExecutionEngine]:
        resource = make()

        class Emitter(EventEmitter):
            def _advance(self, event: Event) -> None:
                super()._advance(event)
                resource.record_event(self._context.request_id, event.payload)

            def _send(self, message: str) -> None:
                super()._send(message)
                for user_id in resource.extra_recipients(self._context.request_id):
                    if user_id != self._context.user_id:
                        self._sink.notify(user_id, message)

        class Engine(UserExecutionEngine):
            async def _execute(self, run: Run) -> AgentExecutionResult:
                if run.parent is not None:
                    return await super()._execute(run)
                async with resource.hold(run):
                    result = await super()._execute(run)
                    result.metadata.update(resource.extra_metadata(run))
                    await call_external()
                return result

            def _create_agent(self, run: Run) -> Agent:
                if run.parent is None:
                    resource.begin(run)
                return super()._create_agent(run)

            def _create_emitter(self, context: UserExecutionContext) -> EventEmitter:
                return Emitter(context, self._events)

        return Engine

    return with_fresh_engine(make_engine)
