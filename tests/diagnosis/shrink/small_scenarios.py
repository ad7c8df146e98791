"""Small scenarios to be shrunk, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable

from isolation_spec.model.scenario import (
    OpenContext,
    Operation,
    RunAgent,
    Scenario,
    Schedule,
    Step,
    User,
    UserOperation,
)

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
    """So many of alice, bob and carol do this, under plain names."""
    labels = ("alice", "bob", "carol")[:users]
    called = tuple(User(label=label, id=label) for label in labels)
    chosen = Schedule() if schedule is None else schedule
    return Scenario(users=called, operations=operations, schedule=chosen)


def two(*operations: Operation, schedule: Schedule | None = None) -> Scenario:
    """Alice and bob do this, under plain names."""
    return several(*operations, users=2, schedule=schedule)


def opening(number: int, user: int) -> OpenContext:
    return OpenContext(id=number, user=user, context="x", thread="t")


def running(number: int, user: int, *script: Step) -> RunAgent:
    return RunAgent(id=number, user=user, context="x", script=script)


def users_of(scenario: Scenario) -> dict[int, int]:
    """Operation id -> whose it is; those of the world are nobody's."""
    asked = (o for o in scenario.operations if isinstance(o, UserOperation))
    return {operation.id: operation.user for operation in asked}


def kinds(scenario: Scenario) -> list[str]:
    return [type(operation).__name__ for operation in scenario.operations]


def scripts(scenario: Scenario) -> list[list[str]]:
    """What each run does."""
    return [
        [type(step).__name__ for step in operation.script]
        for operation in scenario.operations
        if isinstance(operation, RunAgent)
    ]
