"""Orders of pure chance, and that they replay."""

import random
from collections import Counter

import msgspec
import pytest

from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.execution.run import run
from isolation_spec.measurement.workloads import workload
from isolation_spec.model.scenario import Schedule
from isolation_spec.world.schedulers.base import Scheduler, Source
from isolation_spec.world.schedulers.random import RandomScheduler
from tests.world.schedulers.test_exhaustive import assert_replays, let_in


def test_each_chain_is_as_likely_as_another() -> None:
    """Of three chains each comes first in a third of all orders."""
    orders = (
        let_in(RandomScheduler(Schedule(), random.Random(seed)), (1, 1, 1))
        for seed in range(3000)
    )
    first = Counter(order[0] for order in orders)

    assert {"0", "1", "2"} == set(first)
    assert all(900 < count < 1100 for count in first.values())


@pytest.mark.parametrize("seed", range(40))
def test_demotions_are_recorded(seed: int) -> None:
    """The recorded demotions give the same order, and each has its place."""
    scheduler = RandomScheduler(Schedule(), random.Random(seed))
    order = let_in(scheduler, (4, 3, 2, 5))
    again = Scheduler(scheduler.executed_schedule())

    assert order == let_in(again, (4, 3, 2, 5))
    assert () == again.unused_choices()


@pytest.mark.parametrize("seed", range(9))
def test_it_replays_on_the_engine(seed: int) -> None:
    """A failure that chance finds can be saved like any other."""
    form = Schedule(burst=seed % 3, split=seed % 2 == 0)
    scenario = msgspec.structs.replace(workload(), schedule=form)
    scheduler = RandomScheduler(form, random.Random(seed))

    assert_replays(run(scenario, ReferenceAdapter, scheduler=scheduler))


def test_before_the_engine_is_started_nothing_is_chosen() -> None:
    """Plain order, which is not recorded."""
    scheduler = RandomScheduler(Schedule(), random.Random(0))
    order = []
    for chain in "abc":
        scheduler.post(Source(chain), chain, lambda: None)
    while (arrival := scheduler.take({})) is not None:
        order.append(arrival.chain)

    assert ["a", "b", "c"] == order
    assert Schedule() == scheduler.executed_schedule()
    assert 0 == scheduler.choices
