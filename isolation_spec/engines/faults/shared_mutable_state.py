"""Shared mutable state: one call sets a shared attribute, awaits, and then reads the
value of another call."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import with_fresh_engine, with_memory
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    Agent,
    AgentRegistry,
    AgentServices,
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
        stored: dict[str, Any] = {}

        async def function(
            context: UserExecutionContext, arguments: Mapping[str, Any]
        ) -> Any:
            stored.update(arguments)
            await self.environment.completion()
            return await tool.function(context, stored)

        return dataclasses.replace(tool, function=function)


ARGUMENTS_ON_TOOL = Fault(
    id="arguments-on-tool",
    source="agno-agi/agno #3937: the arguments of one call are stored on the tool, "
    "which all users share, and read after an await",
    claims=frozenset({"context-ownership", "event-routing", "tool-isolation"}),
    adapter=_ArgumentsAdapter,
)


def _with_common_state() -> type[UserExecutionEngine]:
    """All runs share one state, which each run clears when it begins."""
    state: dict[str, Any] = {}

    class Engine(UserExecutionEngine):
        def _create_agent(self, run: Run) -> Agent:
            state.clear()
            run.state = state
            return super()._create_agent(run)

    return Engine


STATE_ON_AGENT = Fault(
    id="state-on-agent",
    source="agno-agi/agno #4663, streamlit #1106: all runs keep their state in one "
    "object, which is reset when a run begins and read after awaits",
    claims=frozenset({"context-ownership"}),
    adapter=with_fresh_engine(_with_common_state),
)


class _OneAgentRegistry(AgentRegistry):
    """Makes one agent for all runs but children; each run hands it its services."""

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
    registry_class = _OneAgentRegistry


ONE_AGENT = Fault(
    id="one-agent",
    source="strands-agents/harness-sdk #1176, smolagents #703: one agent serves all "
    "callers, and a run that begins replaces the services of the others",
    claims=frozenset({"context-ownership", "stored-writes"}),
    adapter=_OneAgentAdapter,
)


def _with_current_owner() -> type[UserMemory]:
    """All memories share one current owner, which each call sets."""
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
    source="mem0ai/mem0 #4359, rocq-mcp #21: the store has one current session, which "
    "each call sets and reads later",
    claims=frozenset({"context-ownership", "stored-writes"}),
    adapter=with_memory(_with_current_owner),
)


class _AuthAdapter(ReferenceAdapter):
    """Writes each call's user into one header object, which is read when the call is
    sent."""

    async def start(self, environment: Environment) -> None:
        self._headers = {"X-User": ""}
        await super().start(environment)

    def _tool(self, name: str) -> Tool:
        tool = super()._tool(name)

        async def function(
            context: UserExecutionContext, arguments: Mapping[str, Any]
        ) -> Any:
            self._headers["X-User"] = context.user_id
            return await tool.function(context, arguments)

        return dataclasses.replace(tool, function=function)

    def _tool_identity(self, context: UserExecutionContext) -> str:
        return self._headers["X-User"]


AUTH_IN_PLACE = Fault(
    id="auth-in-place",
    source="BerriAI/litellm #26857: each call changes the object that holds the "
    "caller's credentials in place",
    claims=frozenset({"tool-isolation"}),
    adapter=_AuthAdapter,
)


class _BufferAdapter(ReferenceAdapter):
    """Stores the messages for the model on the adapter until the request is sent."""

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
    source="strands-agents/harness-sdk #2628: concurrent calls store their messages "
    "in one attribute, and each sends its current content",
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
