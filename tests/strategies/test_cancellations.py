"""Cancellations hit the waits of the first run more often than chance would."""

import random

from isolation_spec.model.history.activity import Handoff, InFlightInterval
from isolation_spec.model.scenario import (
    Cancellation,
    Connect,
    OpenContext,
    RunAgent,
    Scenario,
    Think,
    User,
)
from isolation_spec.strategies.cancellations import (
    CancelledScenario,
    FirstRunReport,
    with_cancellations,
    with_each_cancellation,
)

COUNT = 600
ALICE, BOB = 0, 1
SCENARIO = Scenario(
    users=(User(label="alice", id="a"), User(label="bob", id="b")),
    operations=(
        OpenContext(id=1, user=ALICE, context="x", thread="t"),
        OpenContext(id=2, user=BOB, context="x", thread="t"),
        *(
            RunAgent(
                id=3 + 2 * number + user,
                user=user,
                context="x",
                script=(Think(prompt=""), Think(prompt="")),
            )
            for number in range(2)
            for user in (ALICE, BOB)
        ),
        *(Connect(id=7 + n, user=ALICE, connection=f"c{n}") for n in range(4)),
    ),
)
"""Two contexts, alice's runs 3 and 5, bob's runs 4 and 6, and four connections."""

PLACES = ("before its first step", "a:1", "a:2", "b:1", "a:1", "a:1", "a:1")
EVERYWHERE = {operation.id: PLACES for operation in SCENARIO.operations}


def cancelled_scenarios(first: FirstRunReport) -> list[CancelledScenario]:
    return [with_cancellations(SCENARIO, random.Random(n), first) for n in range(COUNT)]


def cancels(scenario: Scenario) -> dict[int, Cancellation]:
    """Operation id -> where it is cancelled."""
    found = {o.id: o.cancel for o in scenario.operations}
    return {number: cancel for number, cancel in found.items() if cancel is not None}


def share(first: FirstRunReport, *sites: tuple[int, int]) -> float:
    """How often somebody is cancelled at one of these (operation, step), before it or
    after the one before."""
    found = 0
    for one in cancelled_scenarios(first):
        at = {(n, c.step + c.after_step) for n, c in cancels(one.scenario).items()}
        found += not at.isdisjoint(sites)
    return found / COUNT


def test_without_a_first_run_no_operation_is_cancelled() -> None:
    """A step that no run showed may never come."""
    assert all(
        SCENARIO == one.scenario for one in cancelled_scenarios(FirstRunReport({}))
    )


def test_most_scenarios_have_up_to_two_cancellations_anywhere() -> None:
    """Mostly none, one or two are cancelled, each operation, before and after a
    step."""
    found = [
        cancels(one.scenario) for one in cancelled_scenarios(FirstRunReport(EVERYWHERE))
    ]
    counts = [sum(len(one) == n for one in found) / COUNT for n in range(3)]

    assert 0.94 < sum(counts) < 1
    assert all(0.15 < count for count in counts)
    assert set(EVERYWHERE) == {number for one in found for number in one}
    assert {True, False} == {c.after_step for one in found for c in one.values()}
    assert all(1 <= c.step <= len(PLACES) for one in found for c in one.values())


def test_a_waiting_operation_is_cancelled_before_and_after_the_handoff() -> None:
    """One alone or two at once, before and after."""
    line = {5: (Handoff(3, 4),), 6: (Handoff(3, 4), Handoff(6, 3))}
    waiting = (5, 3), (6, 3), (6, 6)
    first = FirstRunReport(EVERYWHERE, handed=line)

    assert 2 * share(FirstRunReport(EVERYWHERE), *waiting) < share(first, *waiting)
    found = [cancels(one.scenario) for one in cancelled_scenarios(first)]
    assert 0.03 < sum({5, 6} <= set(one) for one in found) / COUNT < 0.2
    of_five = [one.get(5) for one in found]
    assert Cancellation(step=3, after_step=False) in of_five
    assert Cancellation(step=2, after_step=True) in of_five


def test_an_operation_that_others_wait_for_is_cancelled_too() -> None:
    """At any step; a wait for the world has no operation to cancel."""
    steps = [(4, step) for step in range(2, 8)]
    first = FirstRunReport(EVERYWHERE, handed={5: (Handoff(3, 4),)})
    of_the_world = FirstRunReport(EVERYWHERE, handed={5: (Handoff(3, None),)})

    assert share(of_the_world, *steps) + 0.04 < share(first, *steps)


def test_two_users_are_cancelled_at_one_place() -> None:
    """A run of each, at steps that wait at the same place in the engine; sometimes all
    runs that come there."""
    there = {3: PLACES, 4: PLACES, 5: PLACES[:1], 6: PLACES[:1]}
    found = [
        cancels(one.scenario) for one in cancelled_scenarios(FirstRunReport(there))
    ]
    at = [
        {n: PLACES[c.step + c.after_step - 1] for n, c in one.items()} for one in found
    ]
    one_place = [set(one) for one in at if len(one) > 1 and len({*one.values()}) == 1]

    both = sum({3, 4} == one for one in one_place)
    assert 0.08 < both / COUNT < 0.3
    assert {3, 4, 5, 6} in one_place


# In flight


def in_flight(first: FirstRunReport) -> list[Cancellation]:
    """Those that come some turns after a step."""
    found = (
        c for s in cancelled_scenarios(first) for c in cancels(s.scenario).values()
    )
    return [cancel for cancel in found if cancel.turns]


def test_a_wait_for_work_in_other_tasks_is_cancelled_in_flight() -> None:
    """While it is under way, and while its answer is handed on; where an agent works
    in the task of its operation, rarely."""
    waited = {3: (InFlightInterval(2, 7, 20, "call"),)}
    few = dict.fromkeys(EVERYWHERE, PLACES[:3])
    elsewhere = in_flight(FirstRunReport(few, waited=waited))
    here = in_flight(FirstRunReport(EVERYWHERE, waited=waited))

    assert {2} == {cancel.step for cancel in elsewhere}
    assert set(range(8, 24)) == {cancel.turns for cancel in elsewhere}
    under_way = sum(cancel.turns <= 20 for cancel in elsewhere)
    assert 0.5 < under_way / len(elsewhere) < 0.9
    assert 0.4 < len(elsewhere) / COUNT < 1.0
    assert 0.0 < len(here) / COUNT < 0.05


def test_rare_kinds_of_intervals_are_as_likely() -> None:
    """Half of the cancellations in flight hit one call among twenty answers of the
    database."""
    waits = (
        *[InFlightInterval(2, 7, 20, "database")] * 20,
        InFlightInterval(2, 47, 60, "call"),
    )
    few = dict.fromkeys(EVERYWHERE, PLACES[:3])

    turns = [c.turns for c in in_flight(FirstRunReport(few, waited={3: waits}))]

    assert 0.4 < sum(47 < turn for turn in turns) / len(turns) < 0.6


def test_all_runs_are_cancelled_in_flight() -> None:
    """Now and then every run, where agents work in tasks of their own."""
    few = dict.fromkeys(EVERYWHERE, PLACES[:3])
    first = FirstRunReport(
        few, waited={n: (InFlightInterval(2, 7, 20, "call"),) for n in (3, 4, 5, 6)}
    )

    every = [
        one
        for one in cancelled_scenarios(first)
        if [3, 4, 5, 6] == [n for n, c in cancels(one.scenario).items() if c.turns]
    ]

    assert 0.08 < len(every) / COUNT < 0.25


def test_cancellations_that_count_turns_replay_the_schedule() -> None:
    """Turns depend on the schedule, and waits mostly; steps are the same in any."""
    waited = FirstRunReport(
        {3: PLACES[:3]}, waited={3: (InFlightInterval(2, 7, 20, "call"),)}
    )

    for one in cancelled_scenarios(waited):
        counted = any(c.turns for c in cancels(one.scenario).values())
        assert counted == (one.replays == 0.8)
    assert {0.0, 0.5} == {
        one.replays for one in cancelled_scenarios(FirstRunReport(EVERYWHERE))
    }


# All of them


def test_a_sweep_cancels_before_and_after_every_step() -> None:
    """One at a time, and each of them once."""
    there = {3: PLACES[:2], 4: PLACES[:1]}
    found = [
        cancels(scenario)
        for scenario in with_each_cancellation(SCENARIO, FirstRunReport(there))
    ]

    assert [
        {number: Cancellation(step=step, after_step=after_step)}
        for number, step in ((3, 1), (3, 2), (4, 1))
        for after_step in (False, True)
    ] == found
