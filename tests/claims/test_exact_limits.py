"""Exact limits: each clause violated alone, and the nearest history that is not."""

import pytest

from isolation_spec.claims.exact_limits import EXACT_LIMITS as CLAIM
from isolation_spec.model.history.entries import Entry
from isolation_spec.model.scenario import (
    CleanupEngine,
    CleanupUser,
    OpenContext,
    Operation,
    RunAgent,
    Shutdown,
)
from tests.claims.histories import (
    ALICE,
    BOB,
    NOT_REACHED,
    Judged,
    ended,
    holds,
    judged,
    phase,
    scenario,
    started,
    stepped,
    violated,
)

LIMITS = {"contexts_per_user": 2, "runs_per_context": 2}


def opens(*users: int) -> tuple[OpenContext, ...]:
    return tuple(
        OpenContext(id=number, user=user, context=f"x{number}", thread="t")
        for number, user in enumerate(users, 1)
    )


def done(operation: Operation, outcome: str = "returned") -> tuple[Entry, ...]:
    user = operation.user
    return started(operation.id, user), ended(operation.id, user, outcome)


def asked(*found: tuple[Operation, str], limits: dict[str, int] = LIMITS) -> Judged:
    """These operations, one after the other, ended so."""
    entries = [entry for one in found for entry in done(*one)]
    world = scenario(*(operation for operation, _ in found))
    return judged(CLAIM, *entries, phase("cleanup"), scenario=world, limits=limits)


FIRST, SECOND, THIRD = opens(ALICE, ALICE, ALICE)
FREED = CleanupEngine(id=9, user=ALICE, context="x1")


# Contexts


def test_one_more_than_the_limit_violates() -> None:
    """A third context while two are held is one violation."""
    found = asked((FIRST, "returned"), (SECOND, "returned"), (THIRD, "returned"))

    assert violated("exceeded-contexts") == found


def test_a_refusal_at_the_limit_does_not() -> None:
    """A third context that is refused holds: the limit, and the refusal."""
    found = asked((FIRST, "returned"), (SECOND, "returned"), (THIRD, "refused"))

    assert holds(2) == found


@pytest.mark.parametrize("freed", [FREED, CleanupUser(id=9, user=ALICE)])
def test_a_place_that_was_freed_may_be_taken(freed: Operation) -> None:
    """After a cleanup there is room for another context."""
    found = asked(
        (FIRST, "returned"),
        (SECOND, "returned"),
        (freed, "returned"),
        (THIRD, "returned"),
    )

    assert holds(1) == found


@pytest.mark.parametrize("freed", [FREED, CleanupUser(id=9, user=ALICE)])
def test_a_refusal_after_a_cleanup_violates(freed: Operation) -> None:
    """A refusal below the limit is one violation."""
    found = asked(
        (FIRST, "returned"),
        (SECOND, "returned"),
        (freed, "returned"),
        (THIRD, "refused"),
    )

    assert violated("refused-early", evidence=1) == found


@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
def test_a_refusal_after_a_cleanup_that_may_have_failed_does_not(outcome: str) -> None:
    """A cleanup that did not succeed need not have freed anything."""
    found = asked(
        (FIRST, "returned"),
        (SECOND, "returned"),
        (FREED, outcome),
        (THIRD, "refused"),
    )

    assert () == found.clauses


@pytest.mark.parametrize("outcome", ["refused", "failed", "unavailable"])
def test_what_was_never_held_takes_no_place(outcome: str) -> None:
    """A context that was not opened leaves room for another."""
    found = asked((FIRST, outcome), (SECOND, "returned"), (THIRD, "refused"))

    assert "refused-early" in found.clauses


def test_after_a_shutdown_everybody_may_be_refused() -> None:
    """An engine that is shut down refuses, however little is held."""
    found = asked(
        (FIRST, "returned"),
        (SECOND, "returned"),
        (Shutdown(id=9), "returned"),
        (THIRD, "refused"),
    )

    assert () == found.clauses


def test_another_users_contexts_take_no_place() -> None:
    """The limit is each user's own."""
    world = opens(ALICE, ALICE, BOB, BOB)

    assert NOT_REACHED == asked(*((operation, "returned") for operation in world))


def test_an_opening_under_way_may_take_the_place() -> None:
    """A refusal beside two openings that may have been first is no wrong."""
    entries = (
        *(started(o.id, ALICE) for o in (FIRST, SECOND, THIRD)),
        ended(3, ALICE, "refused"),
        ended(1, ALICE),
        ended(2, ALICE),
        phase("cleanup"),
    )

    found = judged(
        CLAIM, *entries, scenario=scenario(FIRST, SECOND, THIRD), limits=LIMITS
    )

    assert holds(2) == found


# Runs


def runs(*contexts: str) -> tuple[RunAgent, ...]:
    return tuple(
        RunAgent(id=number, user=ALICE, context=context, script=())
        for number, context in enumerate(contexts, 1)
    )


def begin(number: int) -> Entry:
    return stepped(number, ALICE, "begin", path=())


def at_work(world: tuple[RunAgent, ...], *entries: Entry) -> Judged:
    first = (started(run.id, ALICE) for run in world)
    return judged(CLAIM, *first, *entries, scenario=scenario(*world), limits=LIMITS)


def test_one_more_run_than_the_limit_violates() -> None:
    """A third run at work in one context is one violation."""
    found = at_work(runs("x", "x", "x"), begin(1), begin(2), begin(3))

    assert violated("exceeded-runs") == found


def test_as_many_runs_as_the_limit_hold() -> None:
    """Two runs at work at once are one situation."""
    assert holds(1) == at_work(runs("x", "x", "x"), begin(1), begin(2))


def test_an_agent_that_has_done_its_work_makes_room() -> None:
    """A third one may begin before the first one's user has the answer."""
    last, over = stepped(1, ALICE), ended(1, ALICE)

    assert holds(1) == at_work(runs(*"xxx"), begin(1), begin(2), last, begin(3), over)
    assert holds(1) == at_work(runs(*"xxx"), begin(1), begin(2), last, over, begin(3))


def test_an_agent_that_goes_on_takes_its_place() -> None:
    """An agent with further steps is at work, until its run has ended."""
    last, over = stepped(1, ALICE), ended(1, ALICE)

    found = [
        at_work(runs(*"xxx"), begin(1), begin(2), begin(3), last, over),
        at_work(runs(*"xxx"), begin(1), begin(2), over, begin(3), last),
    ]

    assert [violated("exceeded-runs"), holds(1)] == found


def test_runs_of_another_context_take_no_place() -> None:
    """The limit is each context's own."""
    found = at_work(runs("x", "x", "y"), begin(1), begin(2), begin(3))

    assert holds(1) == found


def test_a_childs_work_is_its_parents() -> None:
    """A spawned agent at work is no run of its own."""
    child = stepped(1, ALICE, "begin", path=(0,))

    assert holds(1) == at_work(runs("x", "x"), begin(1), child, begin(2))


# Evidence


def test_an_empty_history_is_no_evidence() -> None:
    """Without an operation there is no opportunity."""
    assert NOT_REACHED == judged(CLAIM, limits=LIMITS)


def test_less_than_the_limit_is_no_evidence() -> None:
    """A user below a limit is no opportunity."""
    assert NOT_REACHED == asked((FIRST, "returned"), (SECOND, "returned"))
    assert NOT_REACHED == at_work(runs("x", "x"), begin(1))


def test_an_engine_without_limits_is_not_judged() -> None:
    """Without a declared limit nothing can be exceeded."""
    found = asked(
        (FIRST, "returned"), (SECOND, "returned"), (THIRD, "refused"), limits={}
    )

    assert NOT_REACHED == found
