"""Set, await, use: what one call keeps in a common place is another's afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from isolation_spec.adapters.reference import ReferenceAdapter
from isolation_spec.engine import (
    Agent,
    ExecutionEngineFactory,
    Tool,
    UserExecutionContext,
    UserExecutionEngine,
)
from isolation_spec.engine.runs import Run
from isolation_spec.faults.fault import Fault

__all__ = ["FAULTS"]


class _ArgumentsAdapter(ReferenceAdapter):
    def _tool(self, name: str) -> Tool:
        tool = super()._tool(name)
        kept: dict[str, Any] = {}

        async def function(
            context: UserExecutionContext, arguments: Mapping[str, Any]
        ) -> Any:
            kept.update(arguments)
            await self.environment.completion()
            return await tool.function(context, kept)

        return dataclasses.replace(tool, function=function)


ARGUMENTS_ON_TOOL = Fault(
    id="arguments-on-tool",
    mechanism="overwriting",
    source="agno-agi/agno #3937: what belongs to one call is kept on the tool, which "
    "all users share, and read after an await",
    claims=frozenset({"context-ownership", "event-routing", "tool-isolation"}),
    adapter=_ArgumentsAdapter,
)


def _with_common_state() -> type[UserExecutionEngine]:
    """An engine class of its own for each factory, so that the state ends with it."""
    state: dict[str, Any] = {}

    class Engine(UserExecutionEngine):
        def _create_agent(self, run: Run) -> Agent:
            state.clear()
            run.state = state
            return super()._create_agent(run)

    return Engine


class _Factory(ExecutionEngineFactory):
    def __init__(self, **options: Any) -> None:
        options["engine_class"] = _with_common_state()
        super().__init__(**options)


class _StateAdapter(ReferenceAdapter):
    factory_class = _Factory


STATE_ON_AGENT = Fault(
    id="state-on-agent",
    mechanism="overwriting",
    source="agno-agi/agno #4663, streamlit #1106: the state of a run is kept where all "
    "runs have theirs, reset when one begins and read after awaits",
    claims=frozenset({"context-ownership"}),
    adapter=_StateAdapter,
)

FAULTS = (
    ARGUMENTS_ON_TOOL,
    STATE_ON_AGENT,
)
