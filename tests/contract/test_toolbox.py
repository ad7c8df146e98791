"""The tools of a world: their users, answers and records."""

import asyncio
from typing import Any, cast

import pytest

from isolation_spec.contract.environment import Environment
from isolation_spec.contract.errors import AgentFailure
from isolation_spec.contract.toolbox import NOBODY, Toolbox
from isolation_spec.model.scenario import tools
from tests.builders import make_users


class Instant:
    """An outside that answers at once."""

    async def completion(self, asked: str = "") -> None:
        """Returns."""


class Run:
    """A toolbox for alice and bob, and the records of its tools."""

    def __init__(self) -> None:
        self.records: list[tuple[Any, ...]] = []
        self.toolbox = Toolbox(
            cast(Environment, Instant()),
            make_users("alice", "bob"),
            lambda *record: self.records.append(record),
        )

    def __call__(self, name: str, identity: str | None = "alice") -> str:
        return asyncio.run(self.toolbox.run(name, "a", lambda: identity))


def test_every_tool_of_a_script_is_registered_but_the_unknown_one() -> None:
    """Scripts call the registered tools, and one that no engine knows."""
    assert {"unknown"} == set(tools) - set(Toolbox.names)


@pytest.mark.parametrize(
    ("name", "identity", "answer"),
    [("echo", "alice", "a"), ("whoami", "bob", "bob"), ("whoami", None, NOBODY)],
)
def test_a_tool_answers(name: str, identity: str | None, answer: str) -> None:
    """A tool answers its argument; `whoami` answers its user."""
    assert answer == Run()(name, identity)


def test_a_failing_tool_raises_with_its_argument() -> None:
    """The failure carries the argument, so that a leaked error is recognised."""
    with pytest.raises(AgentFailure, match="tool failed on a"):
        Run()("failing")


@pytest.mark.parametrize(
    ("name", "moments"),
    [("echo", ["began", "ended"]), ("slow", ["began", "went on", "ended"])],
)
def test_a_tool_records_for_whom_it_works(name: str, moments: list[str]) -> None:
    """The identity is recorded at each moment between two answers from outside."""
    run = Run()

    run(name)

    assert [(name, "a", "alice", moment) for moment in moments] == run.records


def test_the_personal_tool_depends_on_the_user() -> None:
    """Of two users one may call it; an unknown identity may call nothing."""
    permits = Run().toolbox.permits

    assert [True, False] == [permits(user, "personal") for user in ("alice", "bob")]
    assert permits("bob", "echo")
    assert not permits("mallory", "echo")
