"""Provenance: the birth of a value and each entry that shows it, or a resource."""

from typing import Any, NamedTuple

import pytest

from isolation_spec.claims import Violation
from isolation_spec.claims.facts import RecordedText
from isolation_spec.diagnosis.diagnosis import ProvenanceStep
from isolation_spec.diagnosis.provenance import trace_provenance
from isolation_spec.diagnosis.wording import phrase_provenance
from isolation_spec.model.history.entries import (
    AgentStepped,
    CancellationDelivered,
    EventReceived,
    ExceptionUnhandled,
    OperationEnded,
    OperationStarted,
    PhaseStarted,
    ResourceAlive,
    RowStored,
    SessionMoved,
    ToolRan,
)
from isolation_spec.model.scenario import (
    CancelRun,
    CleanupUser,
    Connect,
    Erase,
    OpenContext,
    Operation,
    ReadState,
    RunAgent,
    Spawn,
    User,
    Write,
    WriteState,
    canary,
)
from tests.builders import make_history, make_scenario

VALUE = canary("alice", 3, 1)
USERS = (User(label="alice", id="a"), User(label="bob", id="b"))
OPERATIONS: tuple[Operation, ...] = (
    Connect(id=1, user=0, connection="c1"),
    OpenContext(id=2, user=0, context="x2", thread="t"),
    RunAgent(
        id=3,
        user=0,
        context="x2",
        script=(ReadState(), Spawn(script=(WriteState(key="s", value=VALUE),))),
    ),
    RunAgent(id=4, user=1, context="x4", script=(ReadState(),)),
    Write(id=5, user=0, context="x2", key="k", value=canary("alice", 5, 1)),
    Erase(id=6, user=1, context="x4"),
    CleanupUser(id=7, user=0),
    CancelRun(id=8, user=1, run=4),
)
OWNERS: dict[int, int] = {op.id: op.user or 0 for op in OPERATIONS}


def at(entry: Any, operation: int | None = None, **fields: Any) -> Any:
    user = OWNERS[operation] if operation is not None else fields.pop("user", None)
    return entry(time=0.0, turn=0, operation=operation, user=user, **fields)


def step(operation: int, path: tuple[int, ...], name: str, text: str = "") -> Any:
    return at(AgentStepped, operation, path=path, step=name, seen=text, identity=None)


def begins(operation: int) -> Any:
    return at(OperationStarted, operation)


def ends(operation: int, outcome: str = "returned", **said: str) -> Any:
    return at(OperationEnded, operation, outcome=outcome, **said)


class Told(NamedTuple):
    """A step of provenance, and its text."""

    step: ProvenanceStep
    what: str


def hops(*entries: Any, claim: str = "teardown", however: str = "it was") -> Any:
    """The hops of a violation that shows in the last of these entries."""
    scenario = make_scenario(*OPERATIONS, users=USERS)
    history = make_history(*entries, scenario=scenario)
    violation = Violation(
        claim=claim,
        clause="c",
        fact=RecordedText(let=("a",), then="b", however=however),
        entry=len(entries) - 1,
        users=(0,),
    )
    steps = trace_provenance(history, violation)
    return tuple(Told(one, str(phrase_provenance(history, one))) for one in steps)


def places(found: tuple[Told, ...]) -> list[int]:
    return [one.step.entry for one in found]


def test_a_foreign_canary_is_followed_from_its_birth() -> None:
    """From the step before the one that writes it, to where another user saw it."""
    found = hops(
        begins(3),
        step(3, (), "begin"),
        step(3, (0,), "read_state"),
        begins(4),
        step(3, (1,), "begin"),
        at(ToolRan, 3, tool="echo", argument=VALUE, identity="a"),
        step(3, (1, 0), "write_state"),
        step(4, (), "begin"),
        step(4, (0,), "read_state", f"s {VALUE}"),
    )

    assert [(4, 0, 3), (5, 0, 3), (8, 1, 4)] == [
        (one.step.entry, one.step.user, one.step.operation) for one in found
    ]
    assert f"born here: its agent is about to write state s {VALUE}" == found[0].what
    assert f"read state gives s {VALUE}" == found[-1].what


def test_what_came_after_the_violation_is_no_hop() -> None:
    """The last hop is where the violation shows."""
    found = hops(
        begins(3), step(3, (), "begin"), step(4, (0,), "read_state", f"s {VALUE}")
    )

    assert 2 == found[-1].step.entry


def test_a_stored_row_is_seen_by_its_owner() -> None:
    """A row of bob's that holds alice's value is a hop of bob's."""
    row = at(RowStored, owner="b", thread="t", key="k", value=VALUE)

    assert 1 == hops(begins(3), step(3, (), "begin"), row)[-1].step.user


def test_a_value_that_was_lost_is_followed_too() -> None:
    """A user's own value: its write, its acknowledgement, and perhaps its erasure."""
    value = canary("alice", 5, 1)
    found = hops(
        begins(5),
        ends(5),
        begins(6),
        ends(6),
        at(PhaseStarted, phase="observed"),
        claim="stored-writes",
        however=f"no row holds {value}",
    )

    assert [0, 1, 2, 4] == places(found)
    assert found[0].what.startswith("born here: begins to write k=")


def test_what_outlived_its_user_is_followed() -> None:
    """Of a live resource: the operation that made it, and the cleanups after it."""
    found = hops(
        begins(1),
        ends(1),
        begins(2),
        ends(2),
        begins(7),
        ends(7),
        at(PhaseStarted, phase="cleanup"),
        at(ResourceAlive, 2, kind="task", what="beat"),
    )

    assert [2, 3, 4, 5, 6, 7] == places(found)
    assert "still alive: task (beat)" == found[-1].what


@pytest.mark.parametrize("closed", [False, True])
def test_a_session_is_followed(closed: bool) -> None:
    """Its moves up to the violation; of one that was never closed, to the end."""

    def moved(operation: int, move: str, session: int = 1) -> Any:
        return at(SessionMoved, operation, session=session, move=move)

    found = hops(
        moved(3, "began"),
        moved(4, "began", 2),
        at(PhaseStarted, phase="teardown"),
        moved(3, "closed") if closed else moved(3, "used"),
    )

    assert ([0, 3] if closed else [0, 2, 3]) == places(found)


def test_a_run_is_followed_through_its_events() -> None:
    """Of an event: its run, and all that was received of it before."""

    def received(text: str) -> Any:
        return at(EventReceived, 1, connection="c1", text=text)

    found = hops(
        begins(1),
        begins(3),
        received('{"run_id": "run-3"}'),
        received('{"run_id": "run-4"}'),
        received('{"run_id": "run-33"}'),
        ends(3),
        received('{"run_id": "run-3"}'),
    )

    assert [1, 2, 5, 6] == places(found)


def test_whoever_failed_sees_what_others_did() -> None:
    """Of a failed operation: the trouble of other users meanwhile, not its own."""
    found = hops(
        begins(3),
        begins(8),
        ends(8),
        begins(4),
        at(CancellationDelivered, 4, step=1, after_step=False, place="engine:1"),
        ends(4, "cancelled"),
        ends(3, "failed", error="No"),
        claim="error-containment",
    )

    assert [0, 1, 4, 5, 6] == places(found)
    assert "failed: No" == found[-1].what


def test_who_differs_from_alone_sees_who_was_last() -> None:
    """Of a difference to the solo run: the operation, and another user's last entry."""
    found = hops(
        begins(4),
        begins(3),
        step(4, (), "begin"),
        step(3, (), "begin"),
        step(3, (0,), "read_state", "x"),
        claim="noninterference",
    )

    assert [0, 1, 2, 4] == places(found)


def test_runs_at_work_together_are_named() -> None:
    """Of a run too many: when those in the same context began and ended."""
    found = hops(
        step(3, (), "begin"), step(4, (), "begin"), ends(4), step(3, (), "begin")
    )

    assert [0, 3] == places(found)


def test_what_stands_alone_has_no_hops() -> None:
    """One entry is no provenance."""
    assert () == hops(at(ExceptionUnhandled, message="Oh"))
