"""Noninterference: a user's observations are compared with those of solo runs."""

from typing import Any

import pytest

from isolation_spec.claims import ReasonKind, judge
from isolation_spec.claims.facts import Cause, DiffersFromAlone, Observation, Shown
from isolation_spec.claims.noninterference import MOST_OUTCOMES, unlike
from isolation_spec.claims.noninterference import NONINTERFERENCE as CLAIM
from isolation_spec.contract.capabilities import Capability
from isolation_spec.model.event_names import EventNames
from isolation_spec.model.history.entries import Entry
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import AdvanceTime, Connect, Operation, Read
from tests.claims.histories import (
    ALICE,
    ALICES,
    BOB,
    NOT_REACHED,
    Judged,
    closed,
    ended,
    event,
    gauge,
    history,
    holds,
    row,
    scenario,
    started,
    stepped,
    tool,
    violated,
)

BOB_IS_THERE = (started(4, BOB), ended(4, BOB))


def compared(
    joint: tuple[Entry, ...], *alone: tuple[Entry, ...], **options: Any
) -> Judged:
    """Alice's view of a run with bob, after he began, beside her runs alone."""
    solos = {ALICE: tuple(history(*entries, **options) for entries in alone)}
    (found,) = judge(
        history(*BOB_IS_THERE, *joint, **options),
        frozenset(Capability),
        (CLAIM,),
        solos=solos,
    )
    if found.reason is not None:
        assert ReasonKind.CHECK_CRASHED is not found.reason.kind, found.reason
    clauses = tuple(violation.clause for violation in found.violations)
    return Judged(found.verdict, found.evidence, clauses)


def answered(value: str = "v", **fields: Any) -> tuple[Entry, ...]:
    return started(3, ALICE), ended(3, ALICE, value=value, **fields)


SEEN = {
    "an answer": (answered("1"), answered("2")),
    "an outcome": (answered(), (started(3, ALICE), ended(3, ALICE, "failed"))),
    "an error": (answered(error="one"), answered(error="two")),
    "a step": ((stepped(3, ALICE, seen="1"),), (stepped(3, ALICE, seen="2"),)),
    "a step that is missing": ((), (stepped(3, ALICE, seen="2"),)),
    "a step too many": ((stepped(3, ALICE, seen="1"),), ()),
    "where a tool ran": (
        (tool(3, ALICE, ALICES, identity="a"),),
        (tool(3, ALICE, ALICES, identity="b"),),
    ),
    "an event": (
        (event(ALICE, payload="1"),),
        (event(ALICE, payload="2"),),
    ),
    "a refusal": ((closed(3, ALICE, code=1008),), (closed(3, ALICE),)),
    "a refusal with another code": (
        (closed(3, ALICE, code=1011),),
        (closed(3, ALICE, code=4001),),
    ),
    "gauge": ((gauge(ALICE, 1),), (gauge(ALICE, 2),)),
    "row": ((row(ALICE, "1"),), (row(ALICE, "2"),)),
}


@pytest.mark.parametrize(("joint", "alone"), SEEN.values(), ids=SEEN)
def test_what_differs_violates(
    joint: tuple[Entry, ...], alone: tuple[Entry, ...]
) -> None:
    """Any observation that differs from the solo run is one violation."""
    assert violated("differs") == compared(joint, alone)


@pytest.mark.parametrize(("joint", "alone"), SEEN.values(), ids=SEEN)
def test_what_is_alike_is_evidence(
    joint: tuple[Entry, ...], alone: tuple[Entry, ...]
) -> None:
    """The same observation in both is a situation, once somebody else was there."""
    seen = joint or alone

    found = compared(seen, seen)

    assert () == found.clauses
    assert found.evidence > 0


def test_what_came_before_anybody_else_is_no_evidence() -> None:
    """Until the others begin there is nothing that they could have changed."""
    (found,) = judge(
        history(*answered(), *BOB_IS_THERE),
        frozenset(Capability),
        (CLAIM,),
        solos={ALICE: (history(*answered()),)},
    )

    assert NOT_REACHED == Judged(found.verdict, found.evidence)


def test_some_order_alone_will_do() -> None:
    """An observation of any one solo run is a right one."""
    assert holds(1) == compared(answered("2"), answered("1"), answered("2"))
    assert violated("differs") == compared(answered("3"), answered("1"), answered("2"))


def test_what_depends_on_ones_own_timing_is_not_judged() -> None:
    """With more outcomes alone than a few, one that was not seen proves nothing."""
    alone = tuple(answered(str(n)) for n in range(MOST_OUTCOMES + 1))

    assert NOT_REACHED == compared(answered("x"), *alone)
    assert violated("differs") == compared(answered("x"), *alone[1:])


@pytest.mark.parametrize(
    ("joint", "alone"),
    [("took 0.25 s", "took 1.5 s"), ("token-0.3 of it", "token-0.1 of it")],
    ids=["a time", "an id of no operation"],
)
def test_times_and_ids_of_nobody_may_differ(joint: str, alone: str) -> None:
    """A duration, or an id that was given to no operation, is not compared."""
    assert holds(1) == compared(answered(joint), answered(alone))


@pytest.mark.parametrize(
    ("joint", "alone"),
    [("7 of 9", "8 of 9"), ("token-3.2", "token-3.1"), (ALICES, f"{ALICES[:-1]}x")],
    ids=["a count", "an id of an operation", "a canary"],
)
def test_counts_ids_and_values_may_not(joint: str, alone: str) -> None:
    """Text without a time is compared to the letter."""
    assert violated("differs") == compared(answered(joint), answered(alone))


def test_what_the_adapter_declares_may_differ() -> None:
    """A pattern that the engine's adapter names is not compared."""
    joint, alone = answered("waiting: 3"), answered("waiting: 1")

    def varying(*entries: Entry) -> History:
        made = history(*entries)
        return History(
            **{n: getattr(made, n) for n in made.__struct_fields__ if n != "varying"},
            varying=(r"waiting: \d+",),
        )

    (found,) = judge(
        varying(*BOB_IS_THERE, *joint),
        frozenset(Capability),
        (CLAIM,),
        solos={ALICE: (varying(*alone),)},
    )

    assert holds(1) == Judged(found.verdict, found.evidence)
    assert violated("differs") == compared(joint, alone)


def test_an_event_is_compared_where_its_number_is_its_own() -> None:
    """A number that goes through all runs depends on how these interleave."""
    same = event(ALICE, sequence=1, run="run-3.0")
    next_one = event(ALICE, sequence=2, run="run-3.0")

    def found(child: Entry, names: EventNames | None) -> tuple[str, ...]:
        joint, alone = ((child, event(ALICE, payload=text)) for text in "12")
        return compared(joint, alone, names=names).clauses

    assert ("differs",) == found(same, None) == found(next_one, EventNames())
    assert () == found(next_one, None) == found(same, EventNames(number=""))


def test_an_event_that_did_not_come_is_for_routing_to_judge() -> None:
    """Whether an event comes depends on when a connection is known."""
    assert NOT_REACHED == compared((), (event(ALICE, payload="1"),))
    assert NOT_REACHED == compared((event(ALICE, payload="1"),), ())


@pytest.mark.parametrize("code", [None, 1000, 1001, 1006])
def test_who_ended_a_connection_in_peace_may_differ(code: int | None) -> None:
    """Client, server and network may each be the first, also beside other users."""
    found = compared((closed(3, ALICE, code=code),), (closed(3, ALICE),))

    assert () == found.clauses


def test_a_connection_that_was_not_there_alone_is_for_routing_to_judge() -> None:
    """Whether a cancelled connection came up depends on when it was cancelled."""
    assert NOT_REACHED == compared((closed(3, ALICE, code=1008),), ())
    assert NOT_REACHED == compared((), (closed(3, ALICE, code=1008),))


@pytest.mark.parametrize(
    "more",
    [
        Connect(id=3, user=ALICE, connection="c3", unread=True),
        AdvanceTime(id=3, seconds=1.0, stalled=True),
    ],
)
def test_who_does_not_read_may_be_cut_off_at_any_time(more: Operation) -> None:
    """During a stall, ends of connections are not compared with the solo run."""
    found = compared(
        (closed(3, ALICE, code=1011),),
        (closed(3, ALICE),),
        scenario=scenario(more),
    )

    assert () == found.clauses


def test_what_an_attack_answered_is_not_compared() -> None:
    """Alone there is no user to attack."""
    attack = Read(id=3, user=ALICE, context="x1", victim=BOB)
    options = {"scenario": scenario(attack)}

    assert NOT_REACHED == compared(answered("1"), answered("2"), **options)


def test_what_others_see_is_not_ones_own() -> None:
    """Of bob's answers nothing is compared with alice's runs alone."""
    joint = (*answered(), started(4, BOB), ended(4, BOB, value="his"))

    assert holds(1) == compared(joint, answered())


def test_the_other_users_operation_behind_it_is_named() -> None:
    """The fact names the first difference, both sides, and the operation before it."""
    solos = {ALICE: (history(*answered("1")),)}
    (found,) = judge(
        history(*BOB_IS_THERE, *answered("2")),
        frozenset(Capability),
        (CLAIM,),
        solos=solos,
    )
    (violation,) = found.violations

    assert (ALICE,) == violation.users
    assert violation.fact == DiffersFromAlone(
        together=Shown("returned 2"),
        alone=Shown("returned 1"),
        user=ALICE,
        observation=Observation.ANSWER,
        operation=3,
        cause=Cause(user=BOB, operation=4),
    )


def test_unlike_counts_the_outcomes_alone() -> None:
    """0 where the runs alone show it, too; else how many things they show instead."""
    alone = (history(*answered("1")), history(*answered("2")))

    assert 0 == unlike(history(*answered("2")), alone, ALICE)
    assert 2 == unlike(history(*answered("3")), alone, ALICE)
