"""Tool calls that run before the permission check, or whose failure ends the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from isolation_spec.engines.faults.builders import engine_of, with_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    EventEmitter,
    EventType,
    ToolDispatcher,
    ToolExecutionResult,
    UserExecutionContext,
)

__all__ = ["FAULTS"]


class _LateCheckDispatcher(ToolDispatcher):
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


CHECKED_AFTERWARDS = Fault(
    id="checked-afterwards",
    source="openMF/mcp-mifosx #416: the permission of a call is checked after the call "
    "has had its effect",
    claims=frozenset({"tool-isolation"}),
    adapter=with_engine(engine_of(dispatcher_class=_LateCheckDispatcher)),
)


class _EscapingDispatcher(ToolDispatcher):
    def _contain(self, failure: BaseException) -> str:
        raise failure


FAILURE_ESCAPES = Fault(
    id="failure-escapes",
    source="langchain-ai/langgraph #6449, deepagents #5356: a tool's exception ends "
    "the run instead of becoming a result",
    claims=frozenset({"error-containment", "tool-isolation"}),
    adapter=with_engine(engine_of(dispatcher_class=_EscapingDispatcher)),
)

FAULTS = (
    CHECKED_AFTERWARDS,
    FAILURE_ESCAPES,
)
