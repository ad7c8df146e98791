"""The order and the bounds of a tool call: permission first, failure inside."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    EventEmitter,
    EventType,
    ToolDispatcher,
    ToolExecutionResult,
    UserExecutionContext,
    UserExecutionEngine,
)
from isolation_spec.engines.reference.adapter import ReferenceAdapter

__all__ = ["FAULTS", "with_dispatcher"]


def with_dispatcher(kind: type[ToolDispatcher]) -> type[UserExecutionEngine]:
    """An engine class whose dispatchers are of this kind."""

    class Engine(UserExecutionEngine):
        def _create_dispatcher(self) -> ToolDispatcher:
            context = self.user_context.for_run(f"{self.user_context.run_id}/tools")
            return kind(
                context,
                self._catalogue,
                self._permissions,
                EventEmitter(context, self._events, started=True),
                self._clock,
            )

    return Engine


class _CheckedAfterwards(ToolDispatcher):
    def _refusal(self, context: UserExecutionContext, name: str) -> str | None:
        return None

    async def _call(
        self,
        context: UserExecutionContext,
        emitter: EventEmitter,
        name: str,
        arguments: Mapping[str, Any] | None,
    ) -> ToolExecutionResult:
        done = await super()._call(context, emitter, name, arguments)
        refusal = super()._refusal(context, name)
        if refusal is None:
            return done
        emitter.emit(EventType.TOOL_DENIED, {"tool_name": name, "error": refusal})
        return dataclasses.replace(done, success=False, result=None, error=refusal)


class _CheckedAfterwardsAdapter(ReferenceAdapter):
    engine_class = with_dispatcher(_CheckedAfterwards)


CHECKED_AFTERWARDS = Fault(
    id="checked-afterwards",
    mechanism="tool_call_order",
    source="openMF/mcp-mifosx #416: a call has had effects when it is asked whether it "
    "may",
    claims=frozenset({"tool-isolation"}),
    adapter=_CheckedAfterwardsAdapter,
)


class _Escaping(ToolDispatcher):
    async def _call(
        self,
        context: UserExecutionContext,
        emitter: EventEmitter,
        name: str,
        arguments: Mapping[str, Any] | None,
    ) -> ToolExecutionResult:
        given = {} if arguments is None else arguments
        call = {"call": emitter.next_call(), "tool_name": name}
        emitter.emit(EventType.TOOL_EXECUTING, {**call, "arguments": given})
        started = self._clock()
        value = await self._run_tool(context, name, given)
        self._complete(emitter, call, value, None)
        took = self._clock() - started
        return self._count(context, name, took, value=value, kind="succeeded")


class _EscapingAdapter(ReferenceAdapter):
    engine_class = with_dispatcher(_Escaping)


FAILURE_ESCAPES = Fault(
    id="failure-escapes",
    mechanism="tool_call_order",
    source="langchain-ai/langgraph #6449, deepagents #5356: what a tool raises is not "
    "a result but the end of the run",
    claims=frozenset({"error-containment", "tool-isolation"}),
    adapter=_EscapingAdapter,
)

FAULTS = (
    CHECKED_AFTERWARDS,
    FAILURE_ESCAPES,
)
