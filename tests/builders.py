"""Users, operations, scenarios and histories that the tests of several rooms build."""

from __future__ import annotations

from typing import Any

from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.history.entries import Entry
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    OpenContext,
    Operation,
    RunAgent,
    Scenario,
    Schedule,
    Step,
    User,
)

__all__ = [
    "ALICE",
    "BOB",
    "USERS",
    "make_entry",
    "make_history",
    "make_scenario",
    "make_users",
    "open_context",
    "run_agent",
]

ALICE, BOB = 0, 1


def make_users(*labels: str) -> tuple[User, ...]:
    """Users who are known to the engine by their labels."""
    return tuple(User(label=label, id=label) for label in labels)


USERS = make_users("alice", "bob")


def make_scenario(
    *operations: Operation,
    users: tuple[User, ...] = USERS,
    schedule: Schedule | None = None,
) -> Scenario:
    return Scenario(users=users, operations=operations, schedule=schedule or Schedule())


def open_context(
    number: int, user: int = ALICE, context: str = "x", **fields: Any
) -> OpenContext:
    return OpenContext(id=number, user=user, context=context, thread="t", **fields)


def run_agent(
    number: int, *steps: Step, user: int = ALICE, context: str = "x", **fields: Any
) -> RunAgent:
    return RunAgent(id=number, user=user, context=context, script=steps, **fields)


def make_entry(
    kind: type[Any], operation: int | None, user: int | None = ALICE, **fields: Any
) -> Any:
    """An entry of that type; of time and turn only their order matters."""
    moment = {"time": 0.0, "turn": 0}
    return kind(**{**moment, "operation": operation, "user": user, **fields})


def make_history(
    *entries: Entry, scenario: Scenario | None = None, **fields: Any
) -> History:
    """The history of a run that came to its end and followed its own schedule."""
    scenario = make_scenario() if scenario is None else scenario
    usual: dict[str, Any] = {
        "reached": ActivityCounters(),
        "schedule": scenario.schedule,
        "unused": (),
        "arrivals": "",
        "settled": True,
        "choices": 0,
        "overlapped": False,
    }
    return History(scenario=scenario, entries=entries, **{**usual, **fields})
