"""Set, await, use: what one call keeps in a common place is another's afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import with_memory
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    Agent,
    AgentRegistry,
    AgentServices,
    ExecutionEngineFactory,
    Message,
    Tool,
    UserExecutionContext,
    UserExecutionEngine,
    UserMemory,
)
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.reference.runs import Run

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
    mechanism="shared_mutable_state",
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
    mechanism="shared_mutable_state",
    source="agno-agi/agno #4663, streamlit #1106: the state of a run is kept where all "
    "runs have theirs, reset when one begins and read after awaits",
    claims=frozenset({"context-ownership"}),
    adapter=_StateAdapter,
)


class _OneAgent(AgentRegistry):
    """Makes an agent once; each run gives it what it works with. Children are new."""

    def __init__(self) -> None:
        super().__init__()
        self._agents: dict[str, Agent] = {}

    def create(self, name: str, services: AgentServices) -> Agent:
        if services.context.depth:
            return super().create(name, services)
        if name not in self._agents:
            self._agents[name] = super().create(name, services)
        agent = self._agents[name]
        agent.services = services
        return agent


class _OneAgentAdapter(ReferenceAdapter):
    registry_class = _OneAgent


ONE_AGENT = Fault(
    id="one-agent",
    mechanism="shared_mutable_state",
    source="strands-agents/harness-sdk #1176, smolagents #703: one agent serves all "
    "callers, and a run that begins changes for whom the others work",
    claims=frozenset({"context-ownership", "stored-writes"}),
    adapter=_OneAgentAdapter,
)


def _with_current_owner() -> type[UserMemory]:
    """For whom a memory works is set where all memories look, once it was called."""
    current: list[tuple[str, str]] = []

    class Memory(UserMemory):
        async def remember(self, key: str, value: str) -> None:
            current[:] = [super()._owner()]
            await super().remember(key, value)

        async def recall(self, key: str) -> str | None:
            current[:] = [super()._owner()]
            return await super().recall(key)

        async def entries(self) -> dict[str, str]:
            current[:] = [super()._owner()]
            return await super().entries()

        async def erase(self) -> None:
            current[:] = [super()._owner()]
            await super().erase()

        def _owner(self) -> tuple[str, str]:
            return current[-1]

    return Memory


OWNER_ON_STORE = Fault(
    id="owner-on-store",
    mechanism="shared_mutable_state",
    source="mem0ai/mem0 #4359, rocq-mcp #21: the store has a current session, which is "
    "set by each call and read when the call comes to its work",
    claims=frozenset({"context-ownership", "stored-writes"}),
    adapter=with_memory(_with_current_owner),
)


class _AuthAdapter(ReferenceAdapter):
    """Fills one header object with each call's user; the call is sent after that."""

    async def start(self, environment: Environment) -> None:
        self._headers = {"X-User": ""}
        await super().start(environment)

    def _tool(self, name: str) -> Tool:
        async def function(
            context: UserExecutionContext, arguments: Mapping[str, Any]
        ) -> Any:
            self._headers["X-User"] = context.user_id
            return await self.environment.toolbox.run(
                name, arguments["argument"], lambda: self._headers["X-User"]
            )

        return dataclasses.replace(super()._tool(name), function=function)


AUTH_IN_PLACE = Fault(
    id="auth-in-place",
    mechanism="shared_mutable_state",
    source="BerriAI/litellm #26857: the object that says on whose behalf a call is "
    "made is changed in place by each call",
    claims=frozenset({"tool-isolation"}),
    adapter=_AuthAdapter,
)


class _BufferAdapter(ReferenceAdapter):
    """Keeps on itself what the model is to be asked, until the line is free."""

    async def start(self, environment: Environment) -> None:
        self._messages: tuple[Message, ...] = ()
        await super().start(environment)

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        self._messages = messages
        await self.environment.completion()
        return await super().answer(context, self._messages)


PROMPT_ON_CLIENT = Fault(
    id="prompt-on-client",
    mechanism="shared_mutable_state",
    source="strands-agents/harness-sdk #2628: calls side by side put their messages "
    "into one place, and each sends what stands there",
    claims=frozenset({"context-ownership"}),
    adapter=_BufferAdapter,
)

FAULTS = (
    ARGUMENTS_ON_TOOL,
    AUTH_IN_PLACE,
    ONE_AGENT,
    OWNER_ON_STORE,
    PROMPT_ON_CLIENT,
    STATE_ON_AGENT,
)
