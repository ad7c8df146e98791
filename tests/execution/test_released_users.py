"""A user who has left is not cleaned up again, unless a request came too late."""

import pytest

from isolation_spec.execution.released_users import users_already_released
from isolation_spec.model.history.entries import CancellationDelivered, Entry
from isolation_spec.model.scenario import CleanupUser, OpenContext, RunAgent, Scenario
from tests.claims.histories import ALICE, BOB, ended, scenario, started, stepped

WORLD = scenario(
    OpenContext(id=1, user=ALICE, context="x", thread="t"),
    OpenContext(id=2, user=BOB, context="x", thread="t"),
    RunAgent(id=3, user=ALICE, context="x", script=(), background=True),
    RunAgent(id=4, user=ALICE, context="x", script=(), victim=BOB, background=True),
    CleanupUser(id=5, user=ALICE),
    CleanupUser(id=6, user=BOB),
    OpenContext(id=7, user=ALICE, context="y", thread="t"),
)
OPENED = (started(1, ALICE), ended(1, ALICE))
LEFT = (started(5, ALICE), ended(5, ALICE))


def left(*entries: Entry, world: Scenario = WORLD) -> frozenset[int]:
    return users_already_released(world, entries)


def test_a_user_whose_cleanup_returned_has_left() -> None:
    """Each user for themselves."""
    assert {ALICE} == left(*OPENED, *LEFT, started(2, BOB), ended(2, BOB))
    assert {ALICE, BOB} == left(*LEFT, started(6, BOB), ended(6, BOB))
    assert set() == left(*OPENED)


@pytest.mark.parametrize("outcome", ["failed", "refused", "cancelled", "unfinished"])
def test_a_cleanup_that_did_not_return_released_nobody(outcome: str) -> None:
    """The user is cleaned up again in the end."""
    assert set() == left(*OPENED, started(5, ALICE), ended(5, ALICE, outcome))
    assert set() == left(*OPENED, started(5, ALICE))


def test_who_comes_again_has_not_left() -> None:
    """A later request needs a cleanup of its own."""
    assert set() == left(*OPENED, *LEFT, started(7, ALICE))


def test_what_was_under_way_may_have_come_too_late() -> None:
    """A request that no agent had begun, or in another's context."""
    assert set() == left(started(1, ALICE), *LEFT)
    assert set() == left(*OPENED, started(3, ALICE), *LEFT, ended(3, ALICE))
    theirs = (started(4, ALICE), stepped(4, ALICE, "begin"))
    assert set() == left(*OPENED, *theirs, *LEFT)


def test_an_agent_at_work_is_no_excuse() -> None:
    """A run that had begun is ended by the cleanup."""
    run = (started(3, ALICE), stepped(3, ALICE, "begin"))

    assert {ALICE} == left(*OPENED, *run, *LEFT, ended(3, ALICE, "failed"))


@pytest.mark.parametrize("number", [1, 3, 5])
def test_what_the_world_cancelled_may_go_on_behind(number: int) -> None:
    """Nobody knows when that is over."""
    cancelled = CancellationDelivered(
        time=0.0,
        turn=1,
        operation=number,
        user=ALICE,
        step=1,
        after_step=False,
        place="a:1",
    )

    assert set() == left(*OPENED, cancelled, *LEFT)
    assert set() == left(*OPENED, *LEFT, cancelled)
