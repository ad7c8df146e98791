"""One user's engine: it admits runs, executes them and cleans up after them."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

from sqlalchemy.ext.asyncio import AsyncEngine

from .agents import (
    Agent,
    AgentExecutionResult,
    AgentRegistry,
    AgentRequest,
    AgentServices,
    Message,
    Model,
)
from .context import UserExecutionContext, current_context
from .errors import (
    CleanupError,
    ClosedError,
    DuplicateRunError,
    OwnershipError,
    describe,
)
from .events import EventEmitter, EventSink
from .limits import Limits
from .memory import UserMemory, WriteLocks
from .pipeline import PipelineResult, PipelineStepConfig, execute_pipeline
from .run_execution import RunExecution
from .runs import Run
from .sessions import DatabaseSessionManager
from .tools import ToolCatalogue, ToolDispatcher, ToolPermissions
from .waiting import cancel_others, wait_until_done

__all__ = ["UserExecutionEngine"]

OnClosed = Callable[["UserExecutionEngine", tuple[str, ...]], None]


class UserExecutionEngine(RunExecution):
    """Executes the runs of one user; everything that users share is an argument.

    A run executes in its caller's own task. At most `limits.runs_per_engine` runs
    execute at once, each for at most `limits.run_seconds`; the others wait.

    Attributes:
        sessions_class, memory_class, dispatcher_class: the classes of the parts that
            each engine makes for itself; a subclass may name others.
    """

    sessions_class: ClassVar[type[DatabaseSessionManager]] = DatabaseSessionManager
    memory_class: ClassVar[type[UserMemory]] = UserMemory
    dispatcher_class: ClassVar[type[ToolDispatcher]] = ToolDispatcher

    def __init__(
        self,
        *,
        context: UserExecutionContext,
        database: AsyncEngine,
        events: EventSink,
        registry: AgentRegistry,
        catalogue: ToolCatalogue,
        permissions: ToolPermissions,
        model: Model,
        clock: Callable[[], float],
        ids: Callable[[str], str],
        limits: Limits | None = None,
        write_locks: WriteLocks | None = None,
        on_closed: OnClosed | None = None,
    ) -> None:
        super().__init__(clock=clock, limits=Limits() if limits is None else limits)
        self.user_context = context
        self._database = database
        self._events = events
        self._registry = registry
        self._catalogue = catalogue
        self._permissions = permissions
        self._model = model
        self._ids = ids
        self._write_locks = WriteLocks() if write_locks is None else write_locks
        self._on_closed = on_closed
        self._slots = asyncio.Semaphore(self._limits.runs_per_engine)
        self._conversation: list[Message] = []
        self._closed = False
        self._cleanup: asyncio.Task[tuple[str, ...]] | None = None
        self.database_session_manager = self._create_sessions()
        self.memory = self._create_memory()
        self.tool_dispatcher = self._create_dispatcher()

    @property
    def closed(self) -> bool:
        """Whether cleanup has begun; no run is admitted from then on."""
        return self._closed

    @property
    def conversation(self) -> tuple[Message, ...]:
        """The messages between this engine's agents and the model, in order."""
        return tuple(self._conversation)

    async def execute_agent(
        self, name: str, request: AgentRequest, *, run_id: str | None = None
    ) -> AgentExecutionResult:
        """Run an agent in the calling task and return its outcome.

        A failing agent, a run that takes too long and a run that cannot be stored give
        `success=False` and an error. Cancellation goes on after `agent_cancelled`.
        Raises `OwnershipError`, `UnknownAgentError`, `DuplicateRunError` and
        `ClosedError`; no run has taken place then.
        """
        run = self._admit(name, request, run_id)
        try:
            async with self._slots:
                return await self._execute(run)
        finally:
            self._forget_run(run)

    async def execute_agent_pipeline(
        self, steps: Sequence[PipelineStepConfig]
    ) -> PipelineResult:
        """Run agents in sequence, in parallel, or on a condition."""
        return await execute_pipeline(self, steps)

    def cancel(self, run_id: str) -> bool:
        """Cancel a run in flight; returns whether there was one.

        It cancels the task that called `execute_agent`, which raises `CancelledError`.
        """
        run = self._find_run(run_id)
        if run is None:
            return False
        self._cancel_run(run)
        return True

    def require_owner(self, user_id: str) -> None:
        """Check that this engine serves the user, before a request from outside.

        Raises `OwnershipError` for any other user.
        """
        if user_id != self.user_context.user_id:
            message = (
                f"{self._name()} was asked for by user {user_id!r}; ask the engine "
                "of that user"
            )
            raise OwnershipError(message)

    async def cleanup(self) -> None:
        """Stop the runs, close the sessions, forget the conversation; idempotent.

        Concurrent callers wait for the same cleanup. Each part takes at most
        `limits.cleanup_seconds`; `CleanupError` lists the parts that could not be
        released. A run that calls this is ended, but its agent is not cancelled.
        """
        task = self.begin_cleanup()
        if self._calling_run() is None:
            await wait_until_done(task)
        else:
            # The cleanup may be waiting for the run that waits here, so this wait must
            # be cancellable.
            await asyncio.wait((task,))
        if task.result():
            raise CleanupError(self._name(), task.result())

    def begin_cleanup(self) -> asyncio.Task[tuple[str, ...]]:
        """Start the cleanup unless it has begun; its task returns the failures."""
        if self._cleanup is None:
            self._closed = True
            caller = self._calling_run()
            # A fresh context: the cleanup outlives the request that began it.
            self._cleanup = asyncio.get_running_loop().create_task(
                self._clean(() if caller is None else caller.lineage),
                context=contextvars.Context(),
            )
        return self._cleanup

    # Seams: small methods that decide the ownership of each part. Subclasses may
    # override them; every planted fault of an engine does.

    def _find_run(self, run_id: str) -> Run | None:
        return self._runs.get(run_id)

    def _cancel_run(self, run: Run) -> None:
        run.task.cancel()

    def _create_sessions(self) -> DatabaseSessionManager:
        return self.sessions_class(self.user_context, self._database)

    def _create_memory(self) -> UserMemory:
        return self.memory_class(
            self.user_context, self.database_session_manager, locks=self._write_locks
        )

    def _create_dispatcher(self) -> ToolDispatcher:
        context = self.user_context.for_run(f"{self.user_context.run_id}/tools")
        return self.dispatcher_class(
            context,
            self._catalogue,
            self._permissions,
            EventEmitter(context, self._events, started=True),
            self._clock,
        )

    def _create_emitter(self, context: UserExecutionContext) -> EventEmitter:
        return EventEmitter(context, self._events)

    def _create_services(self, run: Run) -> AgentServices:
        async def call_model(prompt: str) -> str:
            return await self._call_model(run, prompt)

        async def spawn(name: str, request: Any) -> AgentExecutionResult:
            return await self._spawn(run, name, request)

        return AgentServices(
            context=run.context,
            tools=run.tools,
            memory=self.memory,
            sessions=self.database_session_manager,
            state=run.state,
            emitter=run.emitter,
            model_caller=call_model,
            spawner=spawn,
        )

    def _create_agent(self, run: Run) -> Agent:
        return self._registry.create(run.agent, self._create_services(run))

    # Admission.

    def _admit(self, name: str, request: AgentRequest, run_id: str | None) -> Run:
        self._check_request(request)
        if run_id is not None and request.run_id not in (None, run_id):
            message = (
                f"the request names run {request.run_id!r}, the call {run_id!r}; "
                "name it once"
            )
            raise ValueError(message)
        chosen = run_id or request.run_id or self._ids("run")
        context = self.user_context.for_run(chosen, request_id=self._ids("request"))
        return self._register(name, request, context, parent=None)

    def _check_request(self, request: AgentRequest) -> None:
        if not isinstance(request, AgentRequest):
            message = (
                f"{self._name()} got {type(request).__name__} as a request; write "
                "AgentRequest(user_id, thread_id, run_id, input)"
            )
            raise TypeError(message)
        if not self.user_context.owns(request.user_id, request.thread_id):
            message = (
                f"{self._name()} serves thread {self.user_context.thread_id!r}, the "
                f"request is of user {request.user_id!r}, thread "
                f"{request.thread_id!r}; ask the engine of that user and thread"
            )
            raise OwnershipError(message)

    def _register(
        self,
        name: str,
        request: AgentRequest,
        context: UserExecutionContext,
        *,
        parent: Run | None,
    ) -> Run:
        if self._closed:
            message = f"{self._name()} is closed; ask the factory for a new one"
            raise ClosedError(message)
        self._registry.require(name)
        if context.run_id in self._runs:
            message = f"run {context.run_id!r} is in flight; choose another run_id"
            raise DuplicateRunError(message)
        task = asyncio.current_task()
        assert task is not None
        emitter = self._create_emitter(context)
        run = Run(
            agent=name,
            request=AgentRequest(
                context.user_id, context.thread_id, context.run_id, request.input
            ),
            context=context,
            task=task,
            emitter=emitter,
            tools=self.tool_dispatcher.for_run(context, emitter),
            parent=parent,
        )
        self._runs[run.run_id] = run
        return run

    def _forget_run(self, run: Run) -> None:
        if self._runs.get(run.run_id) is run:
            del self._runs[run.run_id]
        self._run_ended.set()

    async def _call_model(self, run: Run, prompt: str) -> str:
        question = Message("user", prompt)
        answer = await self._model(run.context, (*self._conversation, question))
        if not run.emitter.ended:
            self._conversation += (question, Message("model", answer))
        return answer

    async def _spawn(
        self, parent: Run, name: str, request: Any
    ) -> AgentExecutionResult:
        if not isinstance(request, AgentRequest):
            request = AgentRequest(
                parent.context.user_id, parent.context.thread_id, None, request
            )
        self._check_request(request)
        if parent.ending:
            message = f"run {parent.run_id!r} has ended; {name!r} was not spawned"
            raise ClosedError(message)
        context = parent.context.child(
            name, ids=self._ids, max_depth=self._limits.child_depth
        )
        parent.children += 1
        context = context.for_run(f"{parent.run_id}/{parent.children}")
        run = self._register(name, request, context, parent=parent)
        try:
            # Within the parent's slot: a slot of its own would never be free while
            # parents that wait for their children hold all slots.
            return await self._execute(run)
        finally:
            self._forget_run(run)

    # Cleanup.

    def _calling_run(self) -> Run | None:
        context = current_context.get(None)
        return next(
            (run for run in self._runs.values() if run.context is context), None
        )

    async def _clean(self, callers: tuple[Run, ...]) -> tuple[str, ...]:
        current_context.set(self.user_context)
        failures: list[str] = []
        releases: tuple[Callable[[], Awaitable[list[str]]], ...] = (
            lambda: self._release_runs(callers),
            self._release_dispatcher,
            self._release_sessions,
        )
        for release in releases:
            try:
                failures += await release()
            except Exception as error:
                failures.append(describe(error))
        self._release_memory()
        if self._on_closed is not None:
            self._on_closed(self, tuple(failures))
        return tuple(failures)

    async def _release_runs(self, callers: tuple[Run, ...]) -> list[str]:
        others = [run for run in self._runs.values() if run not in callers]
        cancel_others([run.task for run in others])
        try:
            async with asyncio.timeout(self._limits.cleanup_seconds):
                await self._wait_for_runs(others)
                for run in callers:
                    await self._end(run, run.cancelled())
        except TimeoutError:
            pass
        for run in self._runs.values():
            self._report_end(run, run.cancelled())
            run.emitter.close()
        seconds = self._limits.cleanup_seconds
        return [
            f"run {run.run_id!r} did not stop within {seconds} s"
            for run in others
            if self._runs.get(run.run_id) is run
        ]

    async def _release_dispatcher(self) -> list[str]:
        try:
            async with asyncio.timeout(self._limits.cleanup_seconds):
                await self.tool_dispatcher.close()
        except TimeoutError:
            return ["a tool call outside a run did not stop"]
        return []

    async def _release_sessions(self) -> list[str]:
        sessions = self.database_session_manager
        for patience in (sessions.close, sessions.abort):
            try:
                async with asyncio.timeout(self._limits.cleanup_seconds):
                    await patience()
                    return []
            except TimeoutError:
                continue
        return [f"{sessions.active_units} units of database work did not stop"]

    def _release_memory(self) -> None:
        self._runs.clear()
        self._history.clear()
        self._conversation.clear()

    def _name(self) -> str:
        return f"engine of user {self.user_context.user_id!r}"
