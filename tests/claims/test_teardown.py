"""Teardown: each clause violated alone, and the nearest history that is not."""

from typing import Any

import pytest

from isolation_spec.claims import judge
from isolation_spec.claims.facts import ResourceLeftAlive
from isolation_spec.claims.teardown import TEARDOWN as CLAIM
from isolation_spec.model.history.entries import Entry
from isolation_spec.model.scenario import (
    AdvanceTime,
    Cancellation,
    CancelRun,
    CleanupEngine,
    CleanupUser,
    OpenContext,
    Operation,
    RunAgent,
    Shutdown,
    Write,
)
from tests.claims.histories import (
    ALICE,
    BOB,
    NOT_REACHED,
    TWO,
    Judged,
    alive,
    ended,
    gauge,
    history,
    holds,
    judged,
    phase,
    scenario,
    started,
    stepped,
    unhandled,
    violated,
)

WORKED = (started(3, ALICE), ended(3, ALICE))
CLEANED = (phase("cleanup"),)
DOWN = (phase("cleanup"), phase("teardown"))


@pytest.mark.parametrize("phases", [CLEANED, DOWN], ids=["cleanup", "teardown"])
@pytest.mark.parametrize("kind", ["task", "timer", "driver connection"])
def test_what_is_still_alive_violates(phases: tuple[Entry, ...], kind: str) -> None:
    """Each thing that outlived its user or the engine is one violation."""
    clause = f"alive-{kind.replace(' ', '-')}"

    assert violated(clause) == judged(CLAIM, *WORKED, *phases, alive(ALICE, kind))


def test_what_nobody_owns_violates_after_shutdown() -> None:
    """After shutdown nothing at all is alive, of any user."""
    assert violated("alive-task", evidence=1) == judged(
        CLAIM, *WORKED, *DOWN, alive(None)
    )


@pytest.mark.parametrize("value", [1, 0.5, -1])
def test_a_gauge_that_is_not_zero_violates(value: float) -> None:
    """A gauge above zero is one violation."""
    entry = gauge(ALICE, value, "queued")

    assert violated("gauge-queued") == judged(CLAIM, *WORKED, *CLEANED, entry)


def test_a_gauge_of_zero_does_not() -> None:
    """An engine that says it holds nothing is one situation."""
    assert holds(1) == judged(CLAIM, *WORKED, *CLEANED, gauge(ALICE, 0))


def test_an_exception_that_nobody_handled_violates() -> None:
    """An exception in the loop's handler is one violation, of no user in particular."""
    assert violated("unhandled", evidence=1) == judged(CLAIM, *WORKED, unhandled())


def test_an_operation_that_never_ends_violates() -> None:
    """An operation of a user that the time of the run did not suffice for is one."""
    assert violated("unfinished") == judged(
        CLAIM, started(3, ALICE), ended(3, ALICE, "unfinished"), settled=False
    )


def test_time_that_did_not_suffice_is_not_the_engines_fault() -> None:
    """An operation that only lets time pass ends when the scenario says so."""
    world = scenario(*TWO.operations, AdvanceTime(id=9, seconds=601.0))

    assert NOT_REACHED == judged(
        CLAIM,
        started(9, None),
        ended(9, None, "unfinished"),
        scenario=world,
        settled=False,
    )


@pytest.mark.parametrize("outcome", ["returned", "failed", "cancelled"])
def test_a_user_for_whom_something_was_done_is_a_situation(outcome: str) -> None:
    """An operation leaves something to clean up, with any outcome."""
    assert holds(1) == judged(CLAIM, started(3, ALICE), ended(3, ALICE, outcome), *DOWN)


@pytest.mark.parametrize("outcome", ["refused", "unavailable"])
def test_a_user_for_whom_nothing_was_done_is_none(outcome: str) -> None:
    """A refusal leaves nothing to clean up."""
    assert NOT_REACHED == judged(
        CLAIM, started(3, ALICE), ended(3, ALICE, outcome), *DOWN
    )


def test_a_user_counts_once() -> None:
    """Two users of many operations are two situations."""
    assert holds(2) == judged(
        CLAIM, *WORKED, *WORKED, started(4, BOB), ended(4, BOB), *DOWN
    )


def test_one_users_leak_leaves_the_others_evidence() -> None:
    """Bob's cleanup held while alice's did not."""
    assert violated("alive-task", evidence=1) == judged(
        CLAIM, *WORKED, started(4, BOB), ended(4, BOB), *CLEANED, alive(ALICE)
    )


def test_the_fact_says_what_was_cleaned_up() -> None:
    """Before the teardown it is the user's cleanup that failed, then the shutdown."""
    (judgement,) = judge(
        history(
            *WORKED, phase("cleanup"), alive(ALICE), phase("teardown"), alive(ALICE)
        ),
        frozenset(),
        (CLAIM,),
    )

    assert [
        (ResourceLeftAlive(user=0, shut_down=False, kind="task", name="it"), 3),
        (ResourceLeftAlive(user=0, shut_down=True, kind="task", name="it"), 5),
    ] == [(v.fact, v.entry) for v in judgement.violations]


# Cleanups

OPEN = OpenContext(id=1, user=ALICE, context="x0", thread="t")
CLEANUPS = (
    CleanupUser(id=2, user=ALICE),
    CleanupEngine(id=2, user=ALICE, context="x0"),
)
each_cleanup = pytest.mark.parametrize("cleanup", CLEANUPS, ids=["user", "engine"])


def cleaned(
    cleanup: Operation, outcome: str = "returned", *, seconds: float = 0.0, **more: Any
) -> Judged:
    """Alice opens a context, and it is cleaned up."""
    world = scenario(OPEN, cleanup, *more.get("operations", ()))
    return judged(
        CLAIM,
        started(1, ALICE),
        ended(1, ALICE),
        started(2, ALICE),
        ended(2, ALICE, outcome, error="KeyError x", at=seconds),
        *more.get("entries", ()),
        *DOWN,
        scenario=world,
    )


@each_cleanup
def test_a_cleanup_that_fails_violates(cleanup: Operation) -> None:
    """A cleanup that raises is one violation."""
    assert violated("cleanup-failed") == cleaned(cleanup, "failed")


@each_cleanup
def test_a_cleanup_that_takes_too_long_violates(cleanup: Operation) -> None:
    """A cleanup that takes more than a minute is one violation."""
    assert violated("cleanup-unbounded") == cleaned(cleanup, seconds=60.5)


@each_cleanup
@pytest.mark.parametrize(
    "canceller",
    [
        Shutdown(id=3),
        CancelRun(id=3, user=ALICE, run=1),
        Write(
            id=3,
            user=ALICE,
            context="a",
            key="k",
            value="v",
            cancel=Cancellation(step=1),
        ),
    ],
    ids=["shutdown", "cancel_run", "cancellation"],
)
def test_a_cancelled_cleanup_violates_unless_something_cancels(
    cleanup: Operation, canceller: Operation
) -> None:
    """A cleanup that ends as cancelled is one violation, if nothing in the scenario
    cancels."""
    assert violated("cleanup-failed") == cleaned(cleanup, "cancelled")
    assert holds(1) == cleaned(cleanup, "cancelled", operations=(canceller,))


@each_cleanup
@pytest.mark.parametrize("outcome", ["returned", "unavailable"])
def test_a_cleanup_that_ends_in_time_does_not(cleanup: Operation, outcome: str) -> None:
    """A cleanup that succeeds or had nothing to do holds."""
    assert holds(1) == cleaned(cleanup, outcome, seconds=59.5)


@each_cleanup
@pytest.mark.parametrize(("outcome", "seconds"), [("failed", 0.0), ("returned", 301.0)])
def test_a_cleanup_in_a_stall_is_not_blamed(
    cleanup: Operation, outcome: str, seconds: float
) -> None:
    """While the outside stands still, a cleanup may fail or take as long as it does."""
    stall = AdvanceTime(id=9, seconds=301.0, stalled=True)

    assert holds(1) == cleaned(cleanup, outcome, seconds=seconds, operations=(stall,))


WORKS = (
    RunAgent(id=3, user=ALICE, context="x0", script=()),
    Write(id=3, user=ALICE, context="x0", key="k", value="v"),
)


@pytest.mark.parametrize("work", WORKS, ids=["run", "write"])
def test_work_after_the_cleanup_violates(work: Operation) -> None:
    """A context that works after its user's cleanup is one violation."""
    found = cleaned(
        CLEANUPS[0],
        operations=(work,),
        entries=(started(3, ALICE), ended(3, ALICE)),
    )

    assert violated("served-after-cleanup") == found


@pytest.mark.parametrize("work", WORKS, ids=["run", "write"])
@pytest.mark.parametrize("outcome", ["refused", "failed", "cancelled"])
def test_work_that_is_refused_after_the_cleanup_does_not(
    work: Operation, outcome: str
) -> None:
    """A context that refuses to work is cleaned up indeed."""
    found = cleaned(
        CLEANUPS[0],
        operations=(work,),
        entries=(started(3, ALICE), ended(3, ALICE, outcome)),
    )

    assert holds(1) == found


def test_work_in_a_new_context_does_not() -> None:
    """A user may come again after a cleanup."""
    again = OpenContext(id=5, user=ALICE, context="x5", thread="t")
    work = RunAgent(id=3, user=ALICE, context="x5", script=())
    found = cleaned(
        CLEANUPS[0],
        operations=(again, work),
        entries=(
            started(5, ALICE),
            ended(5, ALICE),
            started(3, ALICE),
            ended(3, ALICE),
        ),
    )

    assert holds(1) == found


# Evidence


def test_an_empty_history_is_no_evidence() -> None:
    """Where nothing was done, nothing was put to the test."""
    assert NOT_REACHED == judged(CLAIM)


def test_a_run_that_did_not_settle_is_no_evidence() -> None:
    """A run that was given up shows no opportunity."""
    assert NOT_REACHED == judged(CLAIM, *WORKED, settled=False)


def test_the_world_leaves_nothing_to_clean_up() -> None:
    """Operations of the world are no user's."""
    assert NOT_REACHED == judged(CLAIM, started(9, None), ended(9, None), *DOWN)


def test_other_entries_are_not_this_claims() -> None:
    """The results of an agent's steps say nothing about live resources."""
    assert NOT_REACHED == judged(CLAIM, started(3, ALICE), stepped(3, ALICE))
