"""Stored writes: each clause violated alone, and the nearest history that is not."""

from typing import Any

import msgspec
import pytest

from isolation_spec.claims.stored_writes import STORED_WRITES as CLAIM
from isolation_spec.model.history.entries import Entry
from isolation_spec.model.scenario import (
    Erase,
    Mutate,
    OpenContext,
    Operation,
    Read,
    Recall,
    Remember,
    RunAgent,
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
    scenario,
    started,
    stepped,
    violated,
)

VALUE, LATER, BOBS = canary("alice", 3, 1), canary("alice", 5, 1), canary("bob", 9, 1)

OPENS = (
    OpenContext(id=1, user=ALICE, context="x0", thread="t"),
    OpenContext(id=2, user=BOB, context="x1", thread="t"),
)
WRITE = Write(id=3, user=ALICE, context="x0", key="k", value=VALUE)
REMEMBER = RunAgent(
    id=3, user=ALICE, context="x0", script=(Remember(key="k", value=VALUE),)
)
REWRITE = Write(id=5, user=ALICE, context="x0", key="k", value=LATER)
ERASE = Erase(id=6, user=ALICE, context="x0")
BOBS_WRITE = Write(id=9, user=BOB, context="x1", key="k", value=BOBS)


def done(operation: Operation, outcome: str = "returned", **more: Any) -> list[Entry]:
    user = operation.user
    return [
        started(operation.id, user),
        *more.get("within", ()),
        ended(operation.id, user, outcome, value=more.get("value", "")),
    ]


def asked(*lists: list[Entry], rows: tuple[Entry, ...] = (), more: Any = ()) -> Judged:
    """These operations happened, and these rows were there in the end."""
    known = (WRITE, REWRITE, ERASE, BOBS_WRITE)
    started_ids = {entry.operation for entries in lists for entry in entries}
    replaced = {operation.id for operation in more}
    world = scenario(
        *OPENS,
        *more,
        *(o for o in known if o.id in started_ids and o.id not in replaced),
    )
    entries = [entry for one in lists for entry in one]
    return judged(CLAIM, *entries, *rows, scenario=world)


STORED = row(ALICE, VALUE)
BOBS_STORED = row(BOB, BOBS)


# Lost


def test_an_acknowledged_write_that_is_stored_holds() -> None:
    """Two users' writes that were acknowledged and stored are two situations."""
    found = asked(done(WRITE), done(BOBS_WRITE), rows=(STORED, BOBS_STORED))

    assert holds(2) == found


def test_an_acknowledged_write_that_is_gone_violates() -> None:
    """A row that is missing is exactly one violation; the other user's held."""
    found = asked(done(WRITE), done(BOBS_WRITE), rows=(BOBS_STORED,))

    assert violated("lost", evidence=1) == found


@pytest.mark.parametrize("outcome", ["failed", "cancelled", "refused", "unavailable"])
def test_a_write_that_was_not_acknowledged_may_be_gone(outcome: str) -> None:
    """A write without an acknowledgement need not be stored."""
    found = asked(done(WRITE, outcome), done(BOBS_WRITE), rows=(BOBS_STORED,))

    assert holds(1) == found


def test_what_was_overwritten_may_be_gone() -> None:
    """Of two writes one after the other the later one is stored."""
    assert NOT_REACHED == asked(done(WRITE), done(REWRITE), rows=(row(ALICE, LATER),))


def test_what_was_overwritten_must_be_gone() -> None:
    """An older value in the place of a later, acknowledged one is one violation."""
    assert violated("lost") == asked(done(WRITE), done(REWRITE), rows=(STORED,))


def test_writes_side_by_side_may_win_either_way() -> None:
    """Of two writes at once either may be stored."""
    both = [
        started(3, ALICE),
        started(5, ALICE),
        ended(5, ALICE),
        ended(3, ALICE),
    ]

    assert NOT_REACHED == asked(both, rows=(STORED,))
    assert NOT_REACHED == asked(both, rows=(row(ALICE, LATER),))


def test_what_was_erased_may_be_gone() -> None:
    """Its owner's erasure explains a missing row."""
    assert NOT_REACHED == asked(done(WRITE), done(ERASE))


def test_what_was_written_after_an_erasure_must_be_there() -> None:
    """An erasure that was over before explains neither a missing row nor a read that
    does not show it."""
    read = Read(id=7, user=ALICE, context="x0")
    lost = asked(done(ERASE), done(WRITE))
    unseen = asked(done(ERASE), done(WRITE), done(read), rows=(STORED,), more=(read,))

    assert violated("lost") == lost
    assert violated("unseen") == unseen


@pytest.mark.parametrize("outcome", ["cancelled", "failed"])
def test_what_was_written_after_a_broken_erasure_may_be_gone(outcome: str) -> None:
    """An erasure that was broken off may still be at work."""
    assert NOT_REACHED == asked(done(ERASE, outcome), done(WRITE))


def test_what_was_written_during_an_erasure_may_be_gone() -> None:
    """Neither was first."""
    both = [started(6, ALICE), *done(WRITE), ended(6, ALICE)]

    assert NOT_REACHED == asked(both)


@pytest.mark.parametrize(("outcome", "clauses"), [("ok", ("lost",)), ("failed", ())])
def test_an_agents_write_counts_when_its_step_succeeded(
    outcome: str, clauses: tuple[str, ...]
) -> None:
    """The end of its step acknowledges a value that an agent remembers."""
    step = stepped(3, ALICE, "remember", outcome=outcome)

    found = asked(done(REMEMBER, within=(step,)), more=(REMEMBER,))

    assert clauses == found.clauses


def test_an_agents_transaction_counts_row_by_row() -> None:
    """Each row of a transaction that was committed is acknowledged."""
    items = (("k", VALUE), ("k1", canary("alice", 3, 2)))
    run = RunAgent(id=3, user=ALICE, context="x0", script=(Transact(items=items),))
    step = stepped(3, ALICE, "transact")

    found = asked(done(run, within=(step,)), rows=(STORED,), more=(run,))

    assert violated("lost") == found


# Came back


def test_what_comes_back_after_its_erasure_violates() -> None:
    """A row that was erased after its write had ended is one violation."""
    assert violated("came-back") == asked(done(WRITE), done(ERASE), rows=(STORED,))


@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
def test_an_erasure_that_was_not_acknowledged_may_leave_rows(outcome: str) -> None:
    """A write without an acknowledgement need not be erased."""
    assert NOT_REACHED == asked(done(WRITE), done(ERASE, outcome), rows=(STORED,))


def test_what_was_written_again_is_not_back() -> None:
    """A write after the erasure is stored."""
    found = asked(done(WRITE), done(ERASE), done(REWRITE), rows=(row(ALICE, LATER),))

    assert NOT_REACHED == found


def test_a_write_during_the_erasure_may_stay() -> None:
    """A write that had not ended when the erasure began may come after it."""
    both = [started(3, ALICE), *done(ERASE), ended(3, ALICE)]

    assert NOT_REACHED == asked(both, rows=(STORED,))


def test_the_erasure_of_another_user_explains_nothing() -> None:
    """Bob's erasure of a thread of the same name leaves alice's rows alone."""
    bobs = Erase(id=6, user=BOB, context="x1")

    assert violated("lost") == asked(done(WRITE), done(bobs), more=(bobs,))


# Somebody else's hand


def test_a_foreign_value_in_a_row_violates() -> None:
    """Alice's value in bob's row is one violation."""
    found = asked(done(WRITE), done(BOBS_WRITE), rows=(STORED, row(BOB, VALUE, "k2")))

    assert "foreign-row" in found.clauses


def test_a_row_of_nobody_with_a_value_violates() -> None:
    """Alice's value under an identity that no user has is one violation."""
    nobodys = msgspec.structs.replace(STORED, owner="nobody")

    found = asked(done(WRITE), rows=(STORED, nobodys))

    assert violated("foreign-row") == found


# Unseen


def reading(value: str, outcome: str = "returned", **more: Any) -> Judged:
    read = Read(id=7, user=ALICE, context="x0")
    return asked(
        done(WRITE),
        *more.get("before", ()),
        done(read, outcome, value=value),
        rows=(STORED,),
        more=(read, *more.get("more", ())),
    )


def test_a_read_that_shows_the_write_holds() -> None:
    """A read after the acknowledgement that shows the value is one situation."""
    assert holds(1) == reading(f"entries k {VALUE}")


def test_a_read_that_does_not_show_it_violates() -> None:
    """A read after the acknowledgement that does not show it is one violation."""
    assert violated("unseen") == reading("entries")


@pytest.mark.parametrize("outcome", ["failed", "cancelled", "refused", "unavailable"])
def test_a_read_that_did_not_succeed_shows_nothing(outcome: str) -> None:
    """Only a read that returned can be missing something."""
    assert NOT_REACHED == reading("", outcome)


def test_a_read_that_began_earlier_need_not_show_it() -> None:
    """A write during a read may be missing in it."""
    read = Read(id=7, user=ALICE, context="x0")
    entries = [started(7, ALICE), *done(WRITE), ended(7, ALICE)]

    assert NOT_REACHED == asked(entries, rows=(STORED,), more=(read,))


def test_a_read_of_another_thread_need_not_show_it() -> None:
    """A place is its user's, its thread's and its key's."""
    other = OpenContext(id=20, user=ALICE, context="x9", thread="t1")
    read = Read(id=7, user=ALICE, context="x9")
    entries = done(read)

    assert NOT_REACHED == asked(
        done(WRITE), entries, rows=(STORED,), more=(other, read)
    )


@pytest.mark.parametrize(
    ("key", "seen", "expected"),
    [
        ("k", VALUE, holds(1)),
        ("k", "", violated("unseen")),
        ("k1", "", NOT_REACHED),
    ],
    ids=["shown", "not-shown", "other-key"],
)
def test_what_an_agent_recalls_shows_the_write(
    key: str, seen: str, expected: Judged
) -> None:
    """A recall of that key after the acknowledgement is a read, too."""
    run = RunAgent(id=7, user=ALICE, context="x0", script=(Recall(key=key),))
    step = stepped(7, ALICE, "recall", seen)

    found = asked(done(WRITE), done(run, within=(step,)), rows=(STORED,), more=(run,))

    assert expected == found


# Aliased


@pytest.mark.parametrize(
    ("shown", "expected"),
    [("k other", holds(1)), (f"k {LATER}", violated("aliased"))],
    ids=["not-shown", "shown"],
)
def test_what_was_written_into_an_object_is_never_shown(
    shown: str, expected: Judged
) -> None:
    """A value written into an object of the engine, and read back, violates."""
    mutate = Mutate(id=5, user=ALICE, context="x0", value=LATER)

    assert expected == asked(done(mutate, value=shown), more=(mutate,))


def test_a_mutation_that_did_not_succeed_shows_nothing() -> None:
    """Only a further read shows a mutation."""
    mutate = Mutate(id=5, user=ALICE, context="x0", value=LATER)

    assert NOT_REACHED == asked(done(mutate, "failed"), more=(mutate,))


# Evidence


def test_an_empty_history_is_no_evidence() -> None:
    """Where nothing was written, nothing was put to the test."""
    assert NOT_REACHED == judged(CLAIM)


def test_another_users_erasure_is_evidence() -> None:
    """An erasure may interfere as well as a write."""
    bobs = Erase(id=6, user=BOB, context="x1")

    found = asked(done(WRITE), done(bobs), rows=(STORED,), more=(bobs,))

    assert holds(1) == found


def test_one_user_alone_is_no_evidence() -> None:
    """Where no other user writes, no other user can interfere."""
    assert NOT_REACHED == asked(done(WRITE), rows=(STORED,))
