"""Agents: ordinary classes; each run makes a new one, bound to its context."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .context import UserExecutionContext
from .errors import UnknownAgentError
from .events import EventEmitter, EventType
from .memory import UserMemory
from .sessions import DatabaseSessionManager
from .tools import RunTools

__all__ = [
    "Agent",
    "AgentExecutionResult",
    "AgentRegistry",
    "AgentRequest",
    "AgentServices",
    "Message",
    "Model",
    "RunRecord",
]


@dataclass(frozen=True, slots=True)
class AgentRequest:
    """A user's request to an agent; without a run id the engine generates one."""

    user_id: str
    thread_id: str
    run_id: str | None = None
    input: Any = None


@dataclass(frozen=True, slots=True)
class AgentExecutionResult:
    """The outcome of a run; `duration` is in seconds.

    `state` and `metadata` are deep copies. `metadata` holds `run_id`, `agent`,
    `result` (the agent's return value), `events` and `undelivered` (counts).
    """

    success: bool
    error: str | None
    duration: float
    state: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One line of an engine's run history; `duration` is in seconds."""

    run_id: str
    request_id: str
    agent: str
    success: bool
    error: str | None
    duration: float


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; `role` is "user" or "model"."""

    role: str
    content: str


Model = Callable[[UserExecutionContext, tuple[Message, ...]], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentServices:
    """The services that an agent may use; bound to one run and closed after it.

    `state` is new for each run, and its copy is the result's state.
    """

    context: UserExecutionContext
    tools: RunTools
    memory: UserMemory
    sessions: DatabaseSessionManager
    state: dict[str, Any]
    emitter: EventEmitter
    model_caller: Callable[[str], Awaitable[str]]
    spawner: Callable[[str, Any], Awaitable[AgentExecutionResult]]

    def emit(self, payload: Mapping[str, Any]) -> None:
        """Report progress to the user as `agent_thinking`.

        Raises `SerializationError`, after which the run cannot succeed.
        """
        self.emitter.emit(EventType.AGENT_THINKING, payload)

    async def think(self, prompt: str) -> str:
        """Prompt the model within the engine's conversation and return its answer."""
        self.emitter.emit(EventType.AGENT_THINKING, {"prompt": prompt})
        return await self.model_caller(prompt)

    async def spawn(self, agent_name: str, request: Any = None) -> AgentExecutionResult:
        """Run another agent as a child, within this run's slot and time.

        The child's run id is this run's with a number appended. Raises `LimitError`
        when the nesting is too deep.
        """
        return await self.spawner(agent_name, request)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Agent:
    """The base of agents; one instance serves one run."""

    def __init__(self, services: AgentServices) -> None:
        self.services = services

    async def run(self, request: AgentRequest) -> Any:
        """Do the work; the return value must be expressible as JSON."""
        message = f"{type(self).__name__}.run is missing; write `async def run`"
        raise NotImplementedError(message)


AgentFactory = Callable[[AgentServices], Agent]


class AgentRegistry:
    """Agent factories by name; every run gets an agent of its own."""

    def __init__(self) -> None:
        self._factories: dict[str, AgentFactory] = {}

    def register(self, name: str, factory: AgentFactory) -> None:
        """Add a factory (a class will do); raises `ValueError` if the name is taken."""
        if name in self._factories:
            message = f"agent {name!r} is already registered; use another name"
            raise ValueError(message)
        self._factories[name] = factory

    def require(self, name: str) -> None:
        """Raise `UnknownAgentError` unless the name is registered."""
        if name not in self._factories:
            known = ", ".join(self._factories) or "none"
            message = f"no agent is registered as {name!r}; registered are: {known}"
            raise UnknownAgentError(message)

    def create(self, name: str, services: AgentServices) -> Agent:
        """A fresh agent for one run; raises `UnknownAgentError`."""
        self.require(name)
        return self._factories[name](services)
