"""Database sessions: each clause violated alone, and the nearest that is not."""

from typing import Any

import pytest

from isolation_spec.claims.database_sessions import DATABASE_SESSIONS as CLAIM
from isolation_spec.model.history.entries import Entry
from isolation_spec.model.scenario import (
    Erase,
    Remember,
    RunAgent,
    Spawn,
    Transact,
    Write,
    canary,
)
from tests.claims.histories import (
    ALICE,
    BOB,
    NOT_REACHED,
    Judged,
    ended,
    holds,
    judged,
    row,
    run_of,
    scenario,
    session,
    started,
    stepped,
    violated,
)


def whole(number: int, user: int) -> tuple[Entry, ...]:
    return tuple(
        session(number, move, user) for move in ("began", "used", "committed", "closed")
    )


# One owner


def test_a_session_of_two_users_violates() -> None:
    """Bob's use of alice's session is one violation."""
    alices = whole(1, ALICE)

    assert violated("two-owners") == judged(
        CLAIM, *alices[:2], session(1, "used", BOB), *alices[2:]
    )


def test_a_session_shared_again_and_again_is_one_violation() -> None:
    """However often bob uses alice's session, it is one violation."""
    alices = whole(1, ALICE)
    bobs = (session(1, "used", BOB),) * 3

    assert violated("two-owners") == judged(CLAIM, *alices[:2], *bobs, *alices[2:])


def test_two_sessions_side_by_side_do_not() -> None:
    """Sessions of two users that were open at once are two situations."""
    alices, bobs = whole(1, ALICE), whole(2, BOB)

    assert holds(2) == judged(CLAIM, alices[0], bobs[0], *alices[1:], *bobs[1:])


def test_a_use_by_nobody_does_not() -> None:
    """A session that the engine uses for no operation has no user."""
    alices, bobs = whole(1, ALICE), whole(2, BOB)

    assert holds(2) == judged(
        CLAIM, alices[0], bobs[0], session(1, "used", None), *alices[1:], *bobs[1:]
    )


# Closed


@pytest.mark.parametrize("move", ["began", "used", "committed", "rolled_back"])
def test_a_session_that_stays_open_violates(move: str) -> None:
    """A session that is never closed is one violation, however else it was used."""
    moves = [session(1, "began", ALICE)]
    if move != "began":
        moves.append(session(1, move, ALICE))

    assert violated("never-closed") == judged(CLAIM, *moves)


def test_a_closed_session_does_not() -> None:
    """A session that was closed without being used is nothing to blame."""
    assert NOT_REACHED == judged(
        CLAIM, session(1, "began", ALICE), session(1, "closed", ALICE)
    )


# Rolled back

FIRST, SECOND = canary("alice", 3, 1), canary("alice", 3, 2)
ITEMS = (("k", FIRST), ("k1", SECOND))
RAISED = "AgentFailure in a transaction"


def transacted(
    *rows: Entry,
    step: Any = None,
    seen: str = RAISED,
    outcome: str = "failed",
    path: tuple[int, ...] = (0,),
    script: tuple[Any, ...] = (),
    beside: tuple[Any, ...] = (),
) -> Judged:
    """Alice's run performs one transaction, which ended so; then rows are read."""
    step = step or Transact(items=ITEMS, fails=True)
    world = scenario(run_of(ALICE, *(script or (step,))), *beside)
    return judged(
        CLAIM,
        started(3, ALICE),
        stepped(3, ALICE, "transact", seen, outcome=outcome, path=path),
        ended(3, ALICE, "failed"),
        *rows,
        scenario=world,
    )


HALF = Transact(items=ITEMS)


@pytest.mark.parametrize("rows", [(FIRST,), (SECOND,), (FIRST, SECOND)])
def test_a_row_of_a_transaction_that_raised_violates(rows: tuple[str, ...]) -> None:
    """One row or all rows of a transaction that raised are one violation."""
    left = tuple(row(ALICE, value) for value in rows)

    assert violated("not-rolled-back") == transacted(*left)


def test_no_row_of_a_transaction_that_raised_does_not() -> None:
    """A transaction that raised and left nothing is one situation, even alone."""
    assert holds(1) == transacted()


def test_a_row_of_something_else_does_not() -> None:
    """Another value under the same key is no rolled-back row."""
    assert holds(1) == transacted(row(ALICE, canary("alice", 9, 1)))


def test_a_transaction_that_did_not_raise_may_leave_rows() -> None:
    """The rows of a committed transaction are stored."""
    rows = (row(ALICE, FIRST), row(ALICE, SECOND, "k1"))

    assert NOT_REACHED == transacted(*rows, step=HALF, seen="", outcome="ok")


@pytest.mark.parametrize("value", [FIRST, SECOND])
def test_half_of_a_cancelled_transaction_violates(value: str) -> None:
    """A transaction that was cut short leaves all or nothing."""
    left = row(ALICE, value)

    assert violated("not-rolled-back") == transacted(
        left, step=HALF, outcome="cancelled"
    )


@pytest.mark.parametrize("rows", [(), (FIRST, SECOND)])
def test_all_or_nothing_of_a_cancelled_transaction_does_not(
    rows: tuple[str, ...],
) -> None:
    """A cancellation may come before or after the commit."""
    left = tuple(row(ALICE, value) for value in rows)

    assert NOT_REACHED == transacted(*left, step=HALF, outcome="cancelled")


@pytest.mark.parametrize(
    "beside",
    [
        Write(id=5, user=ALICE, context="x0", key="k", value=canary("alice", 5, 1)),
        Erase(id=5, user=ALICE, context="x0"),
        RunAgent(
            id=5,
            user=ALICE,
            context="x0",
            script=(Remember(key="k", value=canary("alice", 5, 1)),),
        ),
        RunAgent(
            id=5,
            user=ALICE,
            context="x0",
            script=(Spawn(script=(Transact(items=(("k", "v"),)),)),),
        ),
    ],
    ids=["write", "erase", "remember", "transact"],
)
def test_half_may_have_been_overwritten_since(beside: Any) -> None:
    """Where another operation may have replaced one row, half proves nothing."""
    left = row(ALICE, SECOND, "k1")

    assert NOT_REACHED == transacted(
        left, step=HALF, outcome="cancelled", beside=(beside,)
    )


def test_one_key_written_twice_leaves_one_row() -> None:
    """A transaction that overwrites its own row leaves one row when it is whole."""
    step = Transact(items=(("k", FIRST), ("k", SECOND)))

    assert NOT_REACHED == transacted(row(ALICE, SECOND), step=step, outcome="cancelled")


def test_a_transaction_of_a_child_is_judged() -> None:
    """A spawned agent's transaction is found by its path."""
    step = Transact(items=ITEMS, fails=True)
    script = (Spawn(script=(step,)),)

    assert violated("not-rolled-back") == transacted(
        row(ALICE, FIRST), script=script, path=(0, 0)
    )


def test_a_transaction_that_was_never_begun_is_no_evidence() -> None:
    """Without the step in the history, there was nothing to roll back."""
    world = scenario(run_of(ALICE, Transact(items=ITEMS, fails=True)))

    assert NOT_REACHED == judged(
        CLAIM, started(3, ALICE), ended(3, ALICE), scenario=world
    )


# Evidence


def test_an_empty_history_is_no_evidence() -> None:
    """Where no session was used, nothing was put to the test."""
    assert NOT_REACHED == judged(CLAIM)


def test_one_user_alone_is_no_evidence() -> None:
    """Two sessions of one user could not be confused with another user's."""
    one, two = whole(1, ALICE), whole(2, ALICE)

    assert NOT_REACHED == judged(CLAIM, one[0], two[0], *one[1:], *two[1:])


def test_one_after_the_other_is_no_evidence() -> None:
    """Sessions of two users that never were open at once are no situation."""
    assert NOT_REACHED == judged(CLAIM, *whole(1, ALICE), *whole(2, BOB))
