"""The services that an engine offers to the agent that it runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from isolation_spec.contract.scripted_agent import ScriptedAgent

__all__ = ["Services", "ToolOutcome"]


class ToolOutcome(NamedTuple):
    """The engine's answer to a tool call."""

    success: bool
    result: Any
    error: str | None


class Services(Protocol):
    """The services of an engine for the agent that it runs, one method a kind of step.

    An adapter implements those of its capabilities by calling the engine, for the run
    in which the agent is.
    """

    def identity(self) -> str | None:
        """The user id for which the engine says the current code runs."""

    async def think(self, prompt: str) -> Any:
        """Prompts the model; returns its context and its answer."""

    async def call_tool(self, tool: str, argument: str) -> ToolOutcome:
        """Calls a tool of the toolbox through the engine."""

    async def write_state(self, key: str, value: str) -> None:
        """Stores a value in the state of the run."""

    async def read_state(self) -> Any:
        """Returns the whole state of the run."""

    async def remember(self, key: str, value: str) -> None:
        """Stores a durable value; returns once it is acknowledged."""

    async def recall(self, key: str) -> Any:
        """Returns a durable value, None for a missing one."""

    async def transact(
        self, items: Iterable[tuple[str, str]], error: Exception | None
    ) -> None:
        """Writes all items in one database session, then raises `error` in it, if
        any."""

    async def emit(self, payload: str) -> None:
        """Sends an event of the agent's own to its user."""

    async def spawn(self, agent: ScriptedAgent) -> Any:
        """Runs a child agent and returns its result."""

    async def sleep(self, seconds: float) -> None:
        """Waits."""
