"""Entries name their user and time, and leave out rows from before the run."""

from collections.abc import Iterator
from typing import Any

import pytest

from isolation_spec.contract.adapter import Row
from isolation_spec.contract.checked_adapter import CheckedAdapter
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.execution.recorder import Recorder
from isolation_spec.model.history.entries import GaugeRead, OperationStarted, RowStored
from isolation_spec.model.scenario import (
    OpenContext,
    Scenario,
    Schedule,
    Shutdown,
    User,
)
from isolation_spec.world import World
from isolation_spec.world.schedulers.base import Scheduler

SCENARIO = Scenario(
    users=(User(label="alice", id="u1"), User(label="bob", id="u2")),
    operations=(
        OpenContext(id=4, user=1, context="x", thread="t"),
        Shutdown(id=5),
    ),
)


class Storing(ReferenceAdapter):
    """Its database holds two rows, its engine counts one thing of each user."""

    def observe(self) -> Any:
        return [Row(owner, "t", "k", "v") for owner in ("u1", "u2")]

    def gauges(self, user: str | None) -> dict[str, int]:
        return {"things": 2 if user is None else 1}


@pytest.fixture
def notes() -> Iterator[Recorder]:
    with World(Scheduler(Schedule())) as world:
        yield Recorder(SCENARIO, CheckedAdapter(Storing()), world)


def test_an_entry_is_of_the_user_of_its_operation(notes: Recorder) -> None:
    """An entry names the user of its operation; the world's operations have no user."""
    for operation in (4, 5, None):
        notes.record(OperationStarted, operation)

    assert [1, None, None] == [entry.user for entry in notes.entries]
    assert [4, 5, None] == [entry.operation for entry in notes.entries]


def test_a_gauge_is_of_the_user_who_was_cleaned_up(notes: Recorder) -> None:
    """A gauge is read of each user by index, and of all without one."""
    for user in ("u2", None):
        notes.gauges(user)
    read = [e for e in notes.entries if isinstance(e, GaugeRead)]

    assert [(1, 1), (None, 2)] == [(entry.user, entry.value) for entry in read]


def test_what_was_stored_before_is_left_out(notes: Recorder) -> None:
    """Of a database that is kept, only rows that this run added count."""
    notes.rows(frozenset({Row("u1", "t", "k", "v")}))
    rows = [e for e in notes.entries if isinstance(e, RowStored)]

    assert ["u2"] == [row.owner for row in rows]
