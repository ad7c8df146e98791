"""The portfolio of schedules: deterministic, varied, and around one workload."""

import itertools
from collections.abc import Iterator

import msgspec
import pytest

from isolation_spec.model.history.activity import Handoff, InFlightInterval
from isolation_spec.model.scenario import (
    Cancellation,
    Chain,
    OpenContext,
    Operation,
    RunAgent,
    Scenario,
    Schedule,
)
from isolation_spec.strategies.cancellations import FirstRunReport
from isolation_spec.strategies.profiles import find_profile
from isolation_spec.strategies.schedules import (
    ScheduledRun,
)
from isolation_spec.strategies.seeded_schedules import first_run, seeded_runs
from isolation_spec.strategies.workloads import draw_workloads
from isolation_spec.world.schedulers.base import Source
from tests.strategies.drawn import Drawn, draw

COUNT = 15

PLACES = ("before its first step", "a:1", "a:2", "a:1", "a:1")


def portfolio(
    drawn: Drawn, count: int = COUNT, *, choices: int = 60
) -> list[ScheduledRun]:
    steps = {operation.id: PLACES for operation in drawn.scenario.operations}
    return list(
        seeded_runs(
            drawn.workload, drawn.search, count, FirstRunReport(steps, choices=choices)
        )
    )


def shape(scheduled: ScheduledRun) -> tuple[object, ...]:
    """Every decision of a run, shown by its order of the same arrivals."""
    scheduler = scheduled.scheduler
    scheduler.active = True
    chains = [f"{n}/{kind}" for n in range(1, 9) for kind in ("start", "call")]
    sources = [Source(chain) for chain in chains]
    order = []
    for _ in range(4):
        for source, chain in zip(sources, chains, strict=True):
            scheduler.post(source, chain, lambda: None)
        for _ in chains:
            arrival = scheduler.take({})
            assert arrival is not None
            order.append(arrival.chain)
    return scheduled.scenario.to_json(), tuple(order), scheduler.executed_schedule()


@pytest.mark.parametrize("index", range(0, 200, 20))
def test_a_portfolio_is_deterministic(index: int) -> None:
    """The same search gives the same runs, one for one."""
    one, other = (portfolio(draw()[index]) for _ in range(2))

    assert COUNT == len(one)
    assert list(map(shape, one)) == list(map(shape, other))


def test_a_longer_portfolio_begins_with_the_shorter() -> None:
    """A run depends on its own number, not on the number of runs."""
    drawn = draw()[3]

    short, long = portfolio(drawn, 4), portfolio(drawn, 9)

    assert list(map(shape, short)) == list(map(shape, long))[:4]


def test_another_seed_is_another_portfolio() -> None:
    """The seed of the search decides the further runs."""
    drawn = draw()[3]
    other = drawn._replace(search=drawn.search._replace(seed=drawn.search.seed + 1))

    assert list(map(shape, portfolio(drawn))) != list(map(shape, portfolio(other)))


def test_runs_differ_from_each_other() -> None:
    """A workload is worth many interleavings: nearly all runs order differently."""
    orders = {shape(scheduled)[1] for scheduled in portfolio(draw()[3], 30)}

    assert 20 < len(orders)


def pairs(one: Scenario, other: Scenario) -> Iterator[tuple[Operation, Operation]]:
    """The operations of both, on threads of the same name: each run has its own."""
    for old, new in zip(one.operations, other.operations, strict=True):
        if isinstance(new, OpenContext):
            assert isinstance(old, OpenContext)
            new = msgspec.structs.replace(new, thread=old.thread)
        yield old, new


def test_the_workload_stays_what_it_is() -> None:
    """A further run changes schedule and names, and adds at most two cancellations."""
    for drawn, scheduled in itertools.chain.from_iterable(
        ((drawn, scheduled) for scheduled in portfolio(drawn)) for drawn in draw()[:40]
    ):
        changed = [
            (a, b) for a, b in pairs(drawn.scenario, scheduled.scenario) if a != b
        ]
        labels = [user.label for user in drawn.scenario.users]

        assert labels == [user.label for user in scheduled.scenario.users]
        assert len(changed) <= 2
        for old, new in changed:
            assert old == msgspec.structs.replace(new, cancel=old.cancel)


def test_cancellations_aim_at_steps_that_there_are() -> None:
    """A further cancellation hits a step that the operation took before."""
    for drawn in draw()[:40]:
        counted = {drawn.scenario.operations[0].id: PLACES[:2]}
        for scheduled in seeded_runs(
            drawn.workload, drawn.search, COUNT, FirstRunReport(counted, choices=60)
        ):
            for old, new in pairs(drawn.scenario, scheduled.scenario):
                if old != new:
                    assert drawn.scenario.operations[0].id == new.id
                    assert new.cancel is not None
                    assert new.cancel.step in (1, 2)


def test_the_first_run_is_the_drawn_one() -> None:
    """Hypothesis's own draw is run first, unchanged."""
    for drawn in draw()[:40]:
        scheduled = first_run(drawn.workload, drawn.search)

        for old, new in pairs(drawn.workload, scheduled.scenario):
            assert old == new
        assert drawn.workload.schedule == scheduled.scheduler.schedule


def test_drawn_classes_hang_on_operations_that_there_are() -> None:
    """No choice of a drawn scenario concerns an operation that it has not."""
    for drawn in draw():
        ids = {operation.id for operation in drawn.scenario.operations}
        chains = drawn.scenario.schedule.classes

        assert {Chain.parse(chain).owner for chain in chains} <= ids


def test_plain_asyncio_order_occurs() -> None:
    """Some scenario is run in the order that plain asyncio would show."""
    assert any(Schedule() == drawn.scenario.schedule for drawn in draw())


@pytest.mark.slow
def test_some_workloads_are_a_crowd() -> None:
    """A long profile has scenarios of up to 16 users, each with work of their own."""
    profile = find_profile("deep")
    every = profile.crowd_every
    workloads = draw_workloads(
        profile, seed=0, examples=60 * every, first=every - 1, stride=every
    )
    users = [len(one.scenario.users) for one in workloads]

    # Two users, and so a crowd of twelve, are drawn once in 900 to 1,900 workloads
    # (rule_weights.USERS): a sample of 60 holds one by luck alone.
    assert set(users) <= set(range(12, 17))
    assert {13, 14, 15, 16} <= set(users)
    assert 6 == max(len(drawn.scenario.users) for drawn in draw())


@pytest.mark.slow
def test_drawing_is_deterministic() -> None:
    """The same seed draws the same scenarios and searches."""
    again = draw.__wrapped__(0, 50)

    assert draw.__wrapped__(0, 50) == again
    assert draw.__wrapped__(1, 50) != again


# Around a first run

FOLLOWED = Schedule(classes={"77/start": 3})


def around(
    drawn: Drawn, first: FirstRunReport, *, followed: bool = True
) -> list[ScheduledRun]:
    schedule = FOLLOWED if followed else None
    return list(
        seeded_runs(
            drawn.workload,
            drawn.search,
            400,
            first._replace(choices=60, schedule=schedule),
        )
    )


def follows(scheduled: ScheduledRun) -> bool:
    return scheduled.scenario.schedule == scheduled.scheduler.schedule == FOLLOWED


def cancels(scheduled: ScheduledRun) -> dict[int, Cancellation]:
    """Operation id -> where it is cancelled."""
    found = {o.id: o.cancel for o in scheduled.scenario.operations}
    return {number: cancel for number, cancel in found.items() if cancel is not None}


def test_who_waited_may_be_cancelled_in_the_very_same_run() -> None:
    """Some runs follow the schedule of the first run, and cancel there; without a
    schedule to follow, no run does."""
    drawn = draw()[5]
    runs = [o.id for o in drawn.scenario.operations if isinstance(o, RunAgent)]
    first = FirstRunReport(
        {operation.id: PLACES for operation in drawn.scenario.operations},
        handed={runs[0]: (Handoff(3, runs[1]),)},
    )

    again = [one for one in around(drawn, first) if follows(one)]

    assert 0.1 < len(again) / 400 < 0.2
    assert all(map(cancels, again))
    assert not any(map(follows, around(drawn, first, followed=False)))


def test_turns_are_counted_in_the_very_same_run() -> None:
    """Most runs that count turns follow the schedule in which they were counted."""
    drawn = draw()[5]
    numbers = [o.id for o in drawn.scenario.operations if isinstance(o, RunAgent)]
    first = FirstRunReport(
        {operation.id: PLACES[:3] for operation in drawn.scenario.operations},
        waited={numbers[0]: (InFlightInterval(2, 7, 20, "call"),)},
    )

    runs = around(drawn, first)
    counted = [a for a in runs if any(c.turns for c in cancels(a).values())]

    assert 100 < len(counted)
    assert 0.7 < sum(map(follows, counted)) / len(counted) < 0.9
