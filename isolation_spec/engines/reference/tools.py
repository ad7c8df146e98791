"""Tools: the catalogue, the dispatcher of one context, and the results of calls."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .context import UserExecutionContext, current_context
from .errors import ClosedError, SerializationError, describe
from .events import EventEmitter, EventType
from .waiting import cancel_others

__all__ = [
    "RunTools",
    "Tool",
    "ToolCatalogue",
    "ToolDispatcher",
    "ToolExecutionResult",
    "ToolPermissions",
    "ToolStatistics",
]

ToolFunction = Callable[[UserExecutionContext, Mapping[str, Any]], Awaitable[Any]]
ToolPermissions = Callable[[UserExecutionContext, str], bool]


@dataclass(frozen=True, slots=True)
class Tool:
    """A named async function; `parameters` are its required arguments."""

    name: str
    function: ToolFunction
    parameters: frozenset[str] = frozenset()


class ToolCatalogue:
    """The available tools, by name."""

    def __init__(self, tools: tuple[Tool, ...] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            self.add(tool)

    def add(self, tool: Tool) -> None:
        """Add a tool; raises `ValueError` if its name is taken."""
        if tool.name in self._tools:
            message = f"tool {tool.name!r} is already there; give it another name"
            raise ValueError(message)
        self._tools[tool.name] = tool

    def get(self, name: str) -> Tool | None:
        """The tool of that name, or None."""
        return self._tools.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the order in which the tools were added."""
        return tuple(self._tools)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolExecutionResult:
    """The outcome of one call; `duration` is in seconds."""

    success: bool
    result: Any
    error: str | None
    tool_name: str
    user_id: str
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStatistics:
    """Counts of the calls of one tool, and their total duration in seconds."""

    calls: int = 0
    succeeded: int = 0
    failed: int = 0
    denied: int = 0
    cancelled: int = 0
    seconds: float = 0.0


class ToolDispatcher:
    """Runs tools for one context: permission, `tool_executing`, run, `tool_completed`.

    A denied tool is not run and gives one `tool_denied`. An unknown tool, bad
    arguments or a raising tool give a failed result, and the dispatcher goes on.
    """

    def __init__(
        self,
        context: UserExecutionContext,
        catalogue: ToolCatalogue,
        permissions: ToolPermissions,
        emitter: EventEmitter,
        clock: Callable[[], float],
    ) -> None:
        self.user_context = context
        self._catalogue = catalogue
        self._permissions = permissions
        self._emitter = emitter
        self._clock = clock
        self._statistics: dict[str, ToolStatistics] = {}
        self._direct = RunTools(self, context, emitter)
        self._closed = False

    async def execute_tool(
        self, name: str, arguments: Mapping[str, Any] | None = None
    ) -> ToolExecutionResult:
        """Run a tool outside a run, in the dispatcher's own context.

        Raises `ClosedError` after cleanup and `SerializationError` if arguments or
        result are not JSON.
        """
        return await self._direct.execute_tool(name, arguments)

    def for_run(
        self, context: UserExecutionContext, emitter: EventEmitter
    ) -> "RunTools":
        """The same tools, with the context and the events of one run."""
        return RunTools(self, context, emitter)

    def statistics(self) -> dict[str, ToolStatistics]:
        """Counts and durations by tool name, of this dispatcher alone."""
        return dict(self._statistics)

    async def close(self) -> None:
        """Refuse new calls and stop those outside a run; idempotent."""
        self._closed = True
        await self._direct.stop()
        self._emitter.close()

    async def execute(
        self,
        context: UserExecutionContext,
        emitter: EventEmitter,
        name: str,
        arguments: Mapping[str, Any] | None,
    ) -> ToolExecutionResult:
        """Run a tool for one run; `RunTools` calls this."""
        if self._closed or emitter.ended:
            message = (
                f"tools of run {context.run_id!r} are closed, tool {name!r} was not "
                "run; call it while the run is in flight"
            )
            raise ClosedError(message)
        # Set here as well as around runs: a call may come from a task started
        # elsewhere.
        token = current_context.set(context)
        try:
            refusal = self._refusal(context, name)
            if refusal is None:
                return await self._call(context, emitter, name, arguments)
            emitter.emit(
                EventType.TOOL_DENIED, {"tool_name": str(name), "error": refusal}
            )
            return self._count(context, name, 0.0, error=refusal, kind="denied")
        finally:
            current_context.reset(token)

    def _refusal(self, context: UserExecutionContext, name: str) -> str | None:
        try:
            allowed = self._permissions(context, name)
        except Exception as error:
            return f"permission for tool {name!r} is unknown: {describe(error)}"
        return None if allowed else f"tool {name!r} is not permitted"

    async def _call(
        self,
        context: UserExecutionContext,
        emitter: EventEmitter,
        name: str,
        arguments: Mapping[str, Any] | None,
    ) -> ToolExecutionResult:
        given = {} if arguments is None else arguments
        call = {"call": emitter.next_call(), "tool_name": str(name)}
        emitter.emit(EventType.TOOL_EXECUTING, {**call, "arguments": given})
        started = self._clock()
        value, error, kind = None, None, "succeeded"
        task = asyncio.current_task()
        before = 0 if task is None else task.cancelling()
        try:
            value = await self._run_tool(context, name, given)
        except asyncio.CancelledError as cancellation:
            if task is not None and task.cancelling() > before:
                self._count(
                    context,
                    name,
                    self._clock() - started,
                    error="cancelled",
                    kind="cancelled",
                )
                self._complete(emitter, call, None, "cancelled")
                raise
            # Not a cancellation of this call: the tool awaited a cancelled task.
            error, kind = self._contain(cancellation), "failed"
        except Exception as failure:
            error, kind = self._contain(failure), "failed"
        duration = self._clock() - started
        try:
            self._complete(emitter, call, value, error)
        except SerializationError as failure:
            self._count(context, name, duration, error=str(failure), kind="failed")
            self._complete(emitter, call, None, str(failure))
            raise
        return self._count(context, name, duration, value=value, error=error, kind=kind)

    async def _run_tool(
        self, context: UserExecutionContext, name: str, arguments: Mapping[str, Any]
    ) -> Any:
        tool = self._catalogue.get(name)
        if tool is None:
            known = ", ".join(self._catalogue.names)
            message = f"there is no tool {name!r}; the tools are: {known}"
            raise LookupError(message)
        if not isinstance(arguments, Mapping):
            message = f"arguments of {name!r} must be a mapping, got {arguments!r}"
            raise TypeError(message)
        missing = sorted(tool.parameters - arguments.keys())
        if missing:
            message = f"tool {name!r} lacks the arguments {', '.join(missing)}"
            raise TypeError(message)
        # Copied both ways: neither side may change an object of the other.
        return copy.deepcopy(
            await tool.function(context, copy.deepcopy(dict(arguments)))
        )

    def _contain(self, failure: BaseException) -> str:
        """The error text of a call whose tool raised; the failure ends here."""
        return describe(failure)

    def _complete(
        self,
        emitter: EventEmitter,
        call: Mapping[str, Any],
        value: object,
        error: str | None,
    ) -> None:
        if emitter.ended:
            # The run was ended from outside, and its end completed this call.
            return
        emitter.emit(
            EventType.TOOL_COMPLETED,
            {**call, "success": error is None, "result": value, "error": error},
        )

    def _count(
        self,
        context: UserExecutionContext,
        name: str,
        duration: float,
        *,
        kind: str,
        value: object = None,
        error: str | None = None,
    ) -> ToolExecutionResult:
        old = self._statistics.get(name, ToolStatistics())
        counted: dict[str, Any] = {kind: getattr(old, kind) + 1}
        self._statistics[name] = replace(
            old, calls=old.calls + 1, seconds=old.seconds + duration, **counted
        )
        return ToolExecutionResult(
            success=kind == "succeeded",
            result=value,
            error=error,
            tool_name=name,
            user_id=context.user_id,
            duration=duration,
        )


class RunTools:
    """The tools of one run; its calls end with the run."""

    def __init__(
        self,
        dispatcher: ToolDispatcher,
        context: UserExecutionContext,
        emitter: EventEmitter,
    ) -> None:
        self.user_context = context
        self._dispatcher = dispatcher
        self._emitter = emitter
        self._callers: list[asyncio.Task[Any]] = []
        self._call_ended = asyncio.Event()
        self._stopped = False

    async def execute_tool(
        self, name: str, arguments: Mapping[str, Any] | None = None
    ) -> ToolExecutionResult:
        """Run a tool in this run; see `ToolDispatcher`."""
        task = asyncio.current_task()
        assert task is not None
        if self._stopped:
            message = (
                f"run {self.user_context.run_id!r} has ended; {name!r} was not run"
            )
            raise ClosedError(message)
        self._callers.append(task)
        try:
            return await self._dispatcher.execute(
                self.user_context, self._emitter, name, arguments
            )
        finally:
            self._callers.remove(task)
            self._call_ended.set()

    async def stop(self, *, keep: asyncio.Task[Any] | None = None) -> None:
        """Refuse new calls; cancel and await calls in flight in tasks but `keep`."""
        self._stopped = True
        current = asyncio.current_task()
        cancel_others([task for task in self._callers if task is not keep])
        while any(task not in (current, keep) for task in self._callers):
            self._call_ended.clear()
            await self._call_ended.wait()
