"""Agents are made afresh for each run."""

from typing import Any

import pytest

from isolation_spec.engines.reference import (
    Agent,
    AgentRegistry,
    AgentRequest,
    UnknownAgentError,
)


def test_every_run_gets_its_own_agent() -> None:
    """The registry keeps factories, never agents."""
    registry = AgentRegistry()
    registry.register("a", Agent)
    services: Any = object()
    one, two = registry.create("a", services), registry.create("a", services)
    assert one is not two
    assert one.services is services


def test_names() -> None:
    """A name is taken once; an unknown one is an error that lists the known."""
    registry = AgentRegistry()
    with pytest.raises(UnknownAgentError, match="none"):
        registry.require("a")
    registry.register("a", Agent)
    with pytest.raises(ValueError, match="'a'"):
        registry.register("a", Agent)
    with pytest.raises(UnknownAgentError, match="registered are: a"):
        registry.create("b", None)  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_an_agent_without_run_says_so() -> None:
    """The base class is no agent."""
    with pytest.raises(NotImplementedError, match=r"Agent\.run"):
        await Agent(None).run(AgentRequest("u", "t"))  # type: ignore[arg-type]
