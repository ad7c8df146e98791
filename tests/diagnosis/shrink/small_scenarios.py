"""Small scenarios to shrink, and their properties."""

from __future__ import annotations

from collections.abc import Callable

from isolation_spec.model.scenario import (
    OpenContext,
    Operation,
    RunAgent,
    Scenario,
    Schedule,
    Step,
    UserOperation,
)
from tests.builders import make_scenario, make_users

__all__ = [
    "Fails",
    "kinds",
    "opening",
    "running",
    "scripts",
    "several",
    "two",
    "users_of",
]

Fails = Callable[[Scenario], bool]


def several(
    *operations: Operation, users: int = 3, schedule: Schedule | None = None
) -> Scenario:
    """A scenario of the first `users` of alice, bob and carol, with plain names."""
    called = make_users("alice", "bob", "carol")[:users]
    return make_scenario(*operations, users=called, schedule=schedule)


def two(*operations: Operation, schedule: Schedule | None = None) -> Scenario:
    """A scenario of alice and bob, with plain names."""
    return several(*operations, users=2, schedule=schedule)


def opening(number: int, user: int) -> OpenContext:
    return OpenContext(id=number, user=user, context="x", thread="t")


def running(number: int, user: int, *script: Step) -> RunAgent:
    return RunAgent(id=number, user=user, context="x", script=script)


def users_of(scenario: Scenario) -> dict[int, int]:
    """Operation id -> user; without the operations of the world."""
    asked = (o for o in scenario.operations if isinstance(o, UserOperation))
    return {operation.id: operation.user for operation in asked}


def kinds(scenario: Scenario) -> list[str]:
    return [type(operation).__name__ for operation in scenario.operations]


def scripts(scenario: Scenario) -> list[list[str]]:
    """The kinds of the steps of each run."""
    return [
        [type(step).__name__ for step in operation.script]
        for operation in scenario.operations
        if isinstance(operation, RunAgent)
    ]
