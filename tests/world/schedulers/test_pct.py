"""Probabilistic concurrency testing finds bugs as often as its bound says."""

import random
from collections import Counter

import msgspec
import pytest

from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.execution.run import run
from isolation_spec.measurement.workloads import workload
from isolation_spec.model.scenario import Schedule
from isolation_spec.world.schedulers.pct import Bound, PCTScheduler
from tests.world.schedulers.test_exhaustive import assert_replays, let_in

pytestmark = pytest.mark.slow

RUNS = 4000


def pct(seed: int, *, depth: int, steps: int) -> PCTScheduler:
    return PCTScheduler(Schedule(), random.Random(seed), depth=depth, steps=steps)


def test_of_depth_one_chains_run_one_after_the_other() -> None:
    """Without a change point the first in rank is never interrupted, and each order of
    the chains is as likely as the others."""
    orders = Counter(
        let_in(pct(seed, depth=1, steps=6), (2, 2, 2)) for seed in range(RUNS)
    )

    assert 6 == len(orders)
    assert all(order[::2] == order[1::2] for order in orders)
    assert all(RUNS / 6 * 0.8 < count < RUNS / 6 * 1.2 for count in orders.values())


@pytest.mark.parametrize(
    ("depth", "wanted"),
    [
        (1, ("1", "1", "1", "0", "0", "0")),
        (2, ("0", "1", "1", "1", "0", "0")),
        (3, ("0", "1", "0", "0", "1", "1")),
    ],
)
def test_an_order_of_its_depth_is_found_as_often_as_the_bound_says(
    depth: int, wanted: tuple[str, ...]
) -> None:
    """One that needs so many ordering constraints is seen at least that often."""
    runs = [pct(seed, depth=depth, steps=6) for seed in range(RUNS)]
    seen = sum(let_in(one, (3, 3)) == wanted for one in runs)
    bound = runs[0].bound()

    assert (2, 6) == (bound.chains, bound.arrivals)
    assert 1 / (2 * 6 ** (depth - 1)) == pytest.approx(bound.probability)
    assert bound.probability * RUNS * 0.8 <= seen


def test_a_chain_falls_behind_after_the_arrival_of_its_point() -> None:
    """The change point counts arrivals, and demotes the chain that has just had one."""
    for seed in range(50):
        scheduler = pct(seed, depth=2, steps=4)
        (point,) = scheduler._points
        order = let_in(scheduler, (4, 4))
        changes = [i for i in range(1, 8) if order[i] != order[i - 1]]

        assert point == changes[0]


@pytest.mark.parametrize("seed", range(6))
def test_it_replays_on_the_engine(seed: int) -> None:
    """Its choices are recorded by chain and give the same history again."""
    form = Schedule(burst=seed % 3)
    scenario = msgspec.structs.replace(workload(), schedule=form)
    scheduler = PCTScheduler(form, random.Random(seed), depth=3, steps=150)
    history = run(scenario, ReferenceAdapter, scheduler=scheduler)

    assert_replays(history)
    assert 1 == scheduler.bound().runs
    assert len(set(history.order)) == scheduler.bound().chains


def test_priorities_differ() -> None:
    """No two chains have the same, so that age never decides between them."""
    scheduler = pct(0, depth=1, steps=900)
    let_in(scheduler, (1,) * 900)

    assert 900 == len(set(scheduler._ranks.values()))


def test_a_run_beyond_its_steps_has_no_bound() -> None:
    """More arrivals than k, and the proof says nothing: it is counted apart."""
    scheduler = pct(0, depth=2, steps=3)
    let_in(scheduler, (2, 2))

    assert (0, 1) == (scheduler.bound().runs, scheduler.bound().beyond)


def test_bounds_add_up_to_the_weaker() -> None:
    """Of two workloads the larger n and k, which hold for both, and all runs."""
    one = Bound(depth=3, runs=4, chains=10, arrivals=50, beyond=0)
    other = Bound(depth=3, runs=2, chains=7, arrivals=80, beyond=1)
    both = one.plus(other)

    assert Bound(depth=3, runs=6, chains=10, arrivals=80, beyond=1) == both
    assert both == other.plus(one)
    assert one == one.plus(None)
    assert 1 / (10 * 80**2) == pytest.approx(both.probability)
    assert "1/(n k^2) = 1.6e-05" in str(both)
    assert "6 runs of depth 3, n = 10 chains, k = 80 arrivals" in str(both)
    assert "1 more runs went beyond k" in str(both)
