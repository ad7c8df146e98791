"""The scripted agent: one step after the other, and a record of each."""

import asyncio
from typing import Any

import pytest

from isolation_spec.contract.errors import AdapterError, AgentFailure
from isolation_spec.contract.scripted_agent import ScriptedAgent
from isolation_spec.model.scenario import Fail, Recall, Return, Spawn, Step, Think


class Desk:
    """Services of an engine that thinks and spawns."""

    def identity(self) -> str | None:
        return "alice"

    async def think(self, prompt: str) -> str:
        return prompt.upper()

    async def spawn(self, agent: ScriptedAgent) -> Any:
        return await agent.perform(self)  # type: ignore[arg-type]


class Performed:
    """A script that was performed: its agent, its records and its result."""

    def __init__(self, *script: Step) -> None:
        self.records: list[tuple[Any, ...]] = []
        self.agent = ScriptedAgent(3, script, lambda *step: self.records.append(step))

    def run(self) -> Any:
        return asyncio.run(self.agent.perform(Desk()))  # type: ignore[arg-type]


def test_steps_are_taken_in_order_until_it_returns() -> None:
    """Each step is recorded with its path; nothing happens after a return."""
    done = Performed(Think(prompt="a"), Return(value="r"), Think(prompt="b"))

    assert "r" == done.run()
    assert done.agent.finished
    assert [
        ((), "begin", "", "alice"),
        ((0,), "think", "A", "alice"),
        ((1,), "return", None, "alice"),
    ] == done.records


def test_a_child_is_recorded_under_its_parent() -> None:
    """The path of a child's step begins with the path of the step that spawned it."""
    done = Performed(Spawn(script=(Think(prompt="a"),)))

    done.run()

    assert [(), (0,), (0, 0), (0,)] == [path for path, *_ in done.records]
    assert "run-3" == done.agent.name


def test_a_failing_step_raises_and_is_recorded() -> None:
    """The agent raises the error of its script, and has not finished."""
    done = Performed(Fail(message="no"))

    with pytest.raises(AgentFailure, match="no"):
        done.run()

    assert not done.agent.finished
    assert (0,) == done.records[-1][0]


def test_a_missing_service_breaks_the_contract() -> None:
    """The error names the service, and stays known if the engine swallows it."""
    done = Performed(Recall(key="k"))

    with pytest.raises(AdapterError, match=r"Desk\.recall is missing") as caught:
        done.run()

    assert [caught.value] == done.agent.broken
