"""Every run gets a new agent."""

from typing import Any

import pytest

from isolation_spec.engines.reference import (
    Agent,
    AgentRegistry,
    AgentRequest,
    UnknownAgentError,
)


def test_every_run_gets_its_own_agent() -> None:
    """The registry holds factories, never agents."""
    registry = AgentRegistry()
    registry.register("a", Agent)
    services: Any = object()
    one, two = registry.create("a", services), registry.create("a", services)
    assert one is not two
    assert one.services is services


def test_names() -> None:
    """A name is unique; an unknown name raises an error that lists the known ones."""
    registry = AgentRegistry()
    with pytest.raises(UnknownAgentError, match="none"):
        registry.require("a")
    registry.register("a", Agent)
    with pytest.raises(ValueError, match="'a'"):
        registry.register("a", Agent)
    with pytest.raises(UnknownAgentError, match="registered are: a"):
        registry.create("b", None)  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_an_agent_without_run_raises() -> None:
    """The base class has no `run` of its own and names the method to write."""
    with pytest.raises(NotImplementedError, match=r"Agent\.run"):
        await Agent(None).run(AgentRequest("u", "t"))  # type: ignore[arg-type]
