"""The part of a scenario for one user alone, and its comparability."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import (
    comparable,
    projection,
    run_alone,
    solo_runs,
)
from isolation_spec.model.history.entries import OperationEnded
from isolation_spec.model.history.states import Outcome
from isolation_spec.model.limits import Limit
from isolation_spec.model.scenario import (
    AdvanceTime,
    Cancellation,
    Read,
    Scenario,
    Schedule,
    Think,
)
from tests.builders import ALICE, BOB, make_scenario, open_context, run_agent

SCENARIO = make_scenario(
    open_context(1, ALICE),
    open_context(2, BOB),
    run_agent(3, Think(prompt="p"), user=ALICE),
    Read(id=4, user=BOB, context="x", victim=ALICE),
    AdvanceTime(id=5, seconds=1.0),
    schedule=Schedule(classes={"1/start": 2}, burst=1),
)


class _Shared(ReferenceAdapter):
    """Says that the contexts which a user may have are all that there are."""

    limits: ClassVar[Mapping[str, int | Limit]] = {"contexts_per_service": 2}


def numbers(scenario: Scenario) -> list[int]:
    return [operation.id for operation in scenario.operations]


def test_a_projection_keeps_the_user_and_the_world() -> None:
    """Operations of others and attacks on them are gone, and nothing is decided."""
    assert [1, 3, 5] == numbers(projection(SCENARIO, ALICE))
    assert [2, 5] == numbers(projection(SCENARIO, BOB))
    assert Schedule() == projection(SCENARIO, ALICE).schedule
    assert SCENARIO.users == projection(SCENARIO, ALICE).users


def test_a_long_wait_makes_a_run_incomparable() -> None:
    """Beyond ten virtual seconds a limit of the engine may end something."""
    short, long = (
        make_scenario(open_context(1), AdvanceTime(id=2, seconds=seconds))
        for seconds in (10.0, 10.5)
    )

    assert (ALICE,) == comparable(run(short, ReferenceAdapter))
    assert () == comparable(run(long, ReferenceAdapter))


def test_a_user_alone_sees_the_same_in_the_same_order() -> None:
    """A solo run of the reference engine keeps the order of the user's arrivals."""
    history = run(SCENARIO, ReferenceAdapter)

    alone = run_alone(history, ReferenceAdapter, ALICE)

    own = [chain for chain in history.order if chain[0] in "13"]
    assert own
    assert own == [chain for chain in alone.order if chain[0] in "13"]
    assert {None, 1, 3, 5} == {entry.operation for entry in alone.entries}


def test_one_solo_run_is_enough_where_nothing_differs() -> None:
    """Further schedules are run only while something is unlike all solo runs."""
    history = run(SCENARIO, ReferenceAdapter)

    solos = solo_runs(history, ReferenceAdapter, (ALICE, BOB))

    assert {ALICE: 1, BOB: 1} == {user: len(runs) for user, runs in solos.items()}


def test_a_user_who_is_cancelled_alone_is_not_compared() -> None:
    """A cancellation may come too late beside others, and in time alone."""
    scenario, cancelled = (
        make_scenario(
            open_context(1, ALICE),
            run_agent(3, Think(prompt="p"), user=ALICE, cancel=Cancellation(step=step)),
        )
        for step in (99, 1)
    )
    history = run(scenario, ReferenceAdapter)
    in_time = msgspec.structs.replace(history, scenario=cancelled)

    assert [ALICE] == list(solo_runs(history, ReferenceAdapter, (ALICE,)))
    assert [] == list(solo_runs(in_time, ReferenceAdapter, (ALICE,)))


def test_a_user_who_was_refused_for_want_of_room_is_not_compared() -> None:
    """Alone, a user has all the room that the users share."""
    scenario = make_scenario(*(open_context(n, ALICE, f"x{n}") for n in (1, 2, 3)))
    own, shared = run(scenario, ReferenceAdapter), run(scenario, _Shared)

    assert Outcome.REFUSED in {entry.outcome for entry in own.of(OperationEnded)}
    assert (ALICE,) == comparable(own)
    assert () == comparable(shared)
