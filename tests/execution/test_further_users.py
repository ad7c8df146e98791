"""Further users who do afterwards as a user did."""

from isolation_spec.execution.further_users import with_further_users
from isolation_spec.model.scenario import (
    Cancellation,
    CancelRun,
    Demotion,
    Read,
    Schedule,
    Think,
)
from tests.builders import ALICE, BOB, make_scenario, open_context, run_agent

SCENARIO = make_scenario(
    open_context(1, ALICE),
    open_context(2, BOB),
    run_agent(3, Think(prompt="p"), cancel=Cancellation(step=2)),
    CancelRun(id=4, user=ALICE, run=3),
    Read(id=5, user=ALICE, context="x", victim=BOB),
    schedule=Schedule(
        classes={"3/call": 1, "2/call": 2},
        demotions=(Demotion(chain="3/database", consumed=1, rank=0),),
    ),
)


def test_the_part_of_the_user_is_repeated() -> None:
    """Own operations come again with other ids; attacks and other users' do not."""
    twice = with_further_users(SCENARIO, ALICE, 2)

    added = twice.operations[len(SCENARIO.operations) :]
    first, second = len(SCENARIO.users), len(SCENARIO.users) + 1
    assert [(first, 7), (first, 9), (first, 10)] == [(o.user, o.id) for o in added[:3]]
    assert [(second, 13), (second, 15), (second, 16)] == [
        (o.user, o.id) for o in added[3:]
    ]
    assert [9, 15] == [one.run for one in added if isinstance(one, CancelRun)]
    assert Cancellation(step=2) == added[1].cancel


def test_the_choices_are_keyed_to_the_repetition() -> None:
    """A choice on a chain of the user holds on the newcomer's, who begin afterwards."""
    once = with_further_users(SCENARIO, ALICE, 1).schedule

    assert {
        **SCENARIO.schedule.classes,
        "9/call": 1,
        **{f"{number}/start": 3 for number in (7, 9, 10)},
    } == once.classes
    assert ["3/database", "9/database"] == [one.chain for one in once.demotions]


def test_the_scenario_stays_well_formed() -> None:
    """Labels, ids and targets are those of no other user."""
    assert [] == list(with_further_users(SCENARIO, ALICE, 4).problems())


def test_nothing_is_added_for_no_further_user() -> None:
    """The scenario itself comes back."""
    assert SCENARIO == with_further_users(SCENARIO, ALICE, 0)
