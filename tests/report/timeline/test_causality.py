"""Causes and effects: runs cause events, and endings cause ends."""

from typing import Any

import pytest

from isolation_spec.model.history.entries import (
    AgentStepped,
    CancellationDelivered,
    ConnectionClosed,
    Entry,
    EventReceived,
    OperationEnded,
    OperationStarted,
    ToolRan,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    CancelRun,
    CleanupEngine,
    CleanupUser,
    Connect,
    Disconnect,
    Operation,
    Reconnect,
    RunAgent,
    Shutdown,
)
from isolation_spec.report.timeline.causality import causes
from tests.builders import make_entry, make_history, make_scenario

RUN = RunAgent(id=1, user=0, context="x", script=())
CONNECT = Connect(id=2, user=0, connection="c")


def history_of(operations: tuple[Operation, ...], *entries: Entry) -> History:
    return make_history(*entries, scenario=make_scenario(*operations), overlapped=True)


def started(number: int, user: int | None = 0) -> Any:
    return make_entry(OperationStarted, number, user)


def ended(number: int, outcome: str, user: int | None = 0) -> Any:
    return make_entry(OperationEnded, number, user, outcome=outcome)


@pytest.mark.parametrize(
    "text", ['{"run_id": "run-1"}', "of run-1", '{"run_id":"run-1"']
)
def test_a_run_brings_about_its_events(text: str) -> None:
    """An event that names a run follows from the latest that the run did."""
    event = make_entry(EventReceived, 2, connection="c", text=text)
    stepped = make_entry(AgentStepped, 1, path=(), step="begin", seen="", identity=None)

    found = causes(history_of((RUN, CONNECT), started(1), stepped, event))

    assert [(1, 2)] == list(found)


@pytest.mark.parametrize("text", ['{"run_id": "run-12"}', "of run-9", ""])
def test_an_event_of_no_run_has_no_cause(text: str) -> None:
    """A run that is not in the history, or another number, explains nothing."""
    event = make_entry(EventReceived, 2, connection="c", text=text)

    assert [] == list(causes(history_of((RUN, CONNECT), started(1), event)))


def test_a_run_brings_about_its_tools() -> None:
    """A tool that begins follows from its run."""
    tool = make_entry(ToolRan, 1, tool="echo", argument="a", identity=None)

    assert [(0, 1)] == list(causes(history_of((RUN,), started(1), tool)))


@pytest.mark.parametrize(
    "ender",
    [
        CancelRun(id=3, user=0, run=1),
        CancelRun(id=3, user=1, run=1, victim=0),
        CleanupEngine(id=3, user=0, context="x"),
        CleanupEngine(id=3, user=1, context="x", victim=0),
        CleanupUser(id=3, user=0),
        Shutdown(id=3),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_ends_a_run_brings_about_its_end(ender: Operation) -> None:
    """A run that is cancelled was ended by the latest operation that could."""
    history = history_of(
        (RUN, ender), started(1), started(3, None), ended(1, "cancelled")
    )

    assert [(1, 2)] == list(causes(history))


@pytest.mark.parametrize(
    "other",
    [
        CancelRun(id=3, user=0, run=7),
        CleanupEngine(id=3, user=0, context="y"),
        CleanupUser(id=3, user=1),
        Connect(id=3, user=0, connection="d"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_cannot_end_a_run_does_not(other: Operation) -> None:
    """An operation on another run, context or user did not end this one."""
    history = history_of((RUN, other), started(1), started(3), ended(1, "cancelled"))

    assert [] == list(causes(history))


def test_what_was_over_before_ended_nothing() -> None:
    """A cleanup before a run began is not the cause of its end."""
    cleanup = CleanupUser(id=3, user=0)
    history = history_of((RUN, cleanup), started(3), started(1), ended(1, "cancelled"))

    assert [] == list(causes(history))


def test_a_run_that_the_world_cancels_is_ended_by_the_world() -> None:
    """A cancellation is the world's, and the end needs no other cause."""
    cancelled = make_entry(
        CancellationDelivered, 1, step=1, after_step=False, place="somewhere"
    )
    cleanup = CleanupUser(id=3, user=0)
    history = history_of(
        (RUN, cleanup), started(1), started(3), cancelled, ended(1, "cancelled")
    )

    assert [(None, 2)] == list(causes(history))


@pytest.mark.parametrize(
    "ender",
    [
        Disconnect(id=3, user=0, connection="c"),
        Reconnect(id=3, user=0, connection="d", replaces="c"),
        CleanupUser(id=3, user=0),
        Shutdown(id=3),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_ends_a_connection_brings_about_its_end(ender: Operation) -> None:
    """An operation that may end a connection is the cause of its later end."""
    closed = make_entry(ConnectionClosed, 2, connection="c", code=1000)
    history = history_of((CONNECT, ender), started(2), started(3), closed)

    assert [(1, 2)] == list(causes(history))
