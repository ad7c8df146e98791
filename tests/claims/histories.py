"""Tiny histories by hand: operations of alice and bob, and their observations.

Each helper makes one entry; `history` puts them into the scenario TWO unless another
one is given. Users are 0 (alice) and 1 (bob); their identities are not their labels.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from isolation_spec.claims import Claim, ReasonKind, Verdict, judge
from isolation_spec.contract.capabilities import Capability
from isolation_spec.contract.limits import limits_of
from isolation_spec.model.event_names import EventNames
from isolation_spec.model.history.entries import (
    AgentStepped,
    ConnectionClosed,
    ConnectionOpened,
    Entry,
    EventReceived,
    ExceptionUnhandled,
    GaugeRead,
    OperationEnded,
    OperationStarted,
    PhaseStarted,
    ResourceAlive,
    RowStored,
    SessionMoved,
    ToolRan,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.limits import Limit
from isolation_spec.model.scenario import (
    Connect,
    Emit,
    Operation,
    RunAgent,
    Scenario,
    Schedule,
    Step,
    User,
    canary,
)
from tests.builders import make_history

ALICE, BOB = 0, 1
LABELS = ("alice", "bob")
IDS = ("id-of-alice", "id-of-bob")
USERS = tuple(User(label=label, id=id) for label, id in zip(LABELS, IDS, strict=True))

ALICES = canary("alice", 3, 1)
BOBS = canary("bob", 4, 1)

CONNECT_ALICE = Connect(id=1, user=ALICE, connection="c1")
CONNECT_BOB = Connect(id=2, user=BOB, connection="c2")


def run_of(user: int, *script: Step) -> RunAgent:
    """Operation 3 is alice's run, operation 4 bob's."""
    return RunAgent(id=3 + user, user=user, context=f"x{user}", script=script)


def scenario(*operations: Operation) -> Scenario:
    return Scenario(users=USERS, operations=operations)


TWO = scenario(
    CONNECT_ALICE,
    CONNECT_BOB,
    run_of(ALICE, Emit(payload=ALICES)),
    run_of(BOB, Emit(payload=BOBS)),
)
"""Both connect (1, 2), and both run an agent that emits their canary (3, 4)."""


PROMISED = EventNames()


def history(
    *entries: Entry,
    scenario: Scenario = TWO,
    settled: bool = True,
    limits: Mapping[str, int | Limit] | None = None,
    names: EventNames | None = PROMISED,
) -> History:
    """Of an engine that says how its events name things, unless `names` is None."""
    return make_history(
        *entries,
        scenario=scenario,
        schedule=Schedule(),
        settled=settled,
        overlapped=True,
        limits=limits_of(limits or {}),
        event_names=names,
    )


class Judged(NamedTuple):
    """The judgement of a history; clauses in the order in which they failed."""

    verdict: Verdict
    evidence: int
    clauses: tuple[str, ...] = ()


def judged(claim: Claim, *entries: Entry, **options: Any) -> Judged:
    (found,) = judge(history(*entries, **options), frozenset(Capability), (claim,))
    if found.reason is not None:
        assert ReasonKind.CHECK_CRASHED is not found.reason.kind, found.reason
    clauses = tuple(violation.clause for violation in found.violations)
    return Judged(found.verdict, found.evidence, clauses)


def holds(evidence: int) -> Judged:
    return Judged(Verdict.HOLDS, evidence)


NOT_REACHED = Judged(Verdict.INCONCLUSIVE, 0)


def violated(*clauses: str, evidence: int = 0) -> Judged:
    return Judged(Verdict.VIOLATED, evidence, clauses)


# Entries. `at` is the virtual time.


def started(operation: int, user: int | None, *, at: float = 0.0) -> Entry:
    return OperationStarted(time=at, turn=0, operation=operation, user=user)


def ended(
    operation: int,
    user: int | None,
    outcome: Any = "returned",
    *,
    value: str = "",
    error: str = "",
    at: float = 0.0,
) -> Entry:
    return OperationEnded(
        time=at,
        turn=0,
        operation=operation,
        user=user,
        outcome=outcome,
        value=value,
        error=error,
    )


def stepped(
    operation: int,
    user: int,
    step: str = "think",
    seen: str = "",
    *,
    identity: str | None = None,
    outcome: Any = "ok",
    path: tuple[int, ...] = (0,),
) -> Entry:
    return AgentStepped(
        time=0.0,
        turn=0,
        operation=operation,
        user=user,
        path=path,
        step=step,
        seen=seen,
        identity=identity,
        outcome=outcome,
    )


def tool(
    operation: int,
    user: int,
    argument: str = "",
    *,
    identity: str | None = None,
    name: str = "echo",
    moment: Any = "began",
) -> Entry:
    return ToolRan(
        time=0.0,
        turn=0,
        operation=operation,
        user=user,
        tool=name,
        argument=argument,
        identity=identity,
        moment=moment,
    )


def opened(operation: int, user: int, name: str = "", *, at: float = 0.0) -> Entry:
    return ConnectionOpened(
        time=at,
        turn=0,
        operation=operation,
        user=user,
        connection=name or f"c{operation}",
    )


def closed(
    operation: int,
    user: int,
    name: str = "",
    *,
    code: int | None = 1000,
    at: float = 0.0,
) -> Entry:
    return ConnectionClosed(
        time=at,
        turn=0,
        operation=operation,
        user=user,
        connection=name or f"c{operation}",
        code=code,
    )


def received(user: int, text: str, *, at: float = 0.0) -> Entry:
    """A message on the first connection of the user, word for word."""
    return EventReceived(
        time=at,
        turn=0,
        operation=1 + user,
        user=user,
        connection=f"c{1 + user}",
        text=text,
    )


def event(
    user: int,
    type: str = "agent_thinking",
    sequence: int | None = 1,
    *,
    run: str = "",
    owner: str = "",
    at: float = 0.0,
    **fields: Any,
) -> Entry:
    """An event on the user's first connection; by default of the user's own run."""
    named: dict[str, Any] = {
        "type": type,
        "user_id": owner or IDS[user],
        "run_id": run or f"run-{3 + user}",
        **fields,
    }
    if sequence is not None:
        named["sequence"] = sequence
    return received(user, json.dumps(named), at=at)


def story(user: int, *types: str, numbered: bool = True) -> tuple[Entry, ...]:
    """The events of the user's run, numbered from 1."""
    return tuple(
        event(user, type, number if numbered else None)
        for number, type in enumerate(types, 1)
    )


def session(number: int, move: Any, user: int | None) -> Entry:
    operation = None if user is None else 3 + user
    return SessionMoved(
        time=0.0, turn=0, operation=operation, user=user, session=number, move=move
    )


def phase(name: Any) -> Entry:
    return PhaseStarted(time=0.0, turn=0, phase=name)


def alive(user: int | None, kind: str = "task", what: str = "it") -> Entry:
    return ResourceAlive(time=0.0, turn=0, user=user, kind=kind, what=what)


def gauge(user: int | None, value: float, name: str = "connections") -> Entry:
    return GaugeRead(time=0.0, turn=0, user=user, gauge=name, value=value)


def unhandled(message: str = "boom") -> Entry:
    return ExceptionUnhandled(time=0.0, turn=0, message=message)


def row(user: int, value: str, key: str = "k") -> Entry:
    return RowStored(
        time=0.0, turn=0, owner=IDS[user], thread="t", key=key, value=value
    )
