"""Shares of pure PCT and of small scopes, and how different seeded schedules are."""

import math
from typing import Any

import msgspec
import pytest

from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import own_engine
from isolation_spec.execution.run import run
from isolation_spec.measurement.workloads import workload
from isolation_spec.model.scenario import Connect, OpenContext
from isolation_spec.search.plan import make_plan
from isolation_spec.search.statistics import SearchStatistics
from isolation_spec.search.worker import Share, search_share
from isolation_spec.strategies import extra_schedules, profiles
from isolation_spec.strategies.cancellations import FirstRunReport
from isolation_spec.strategies.extra_schedules import (
    SCOPE_ORDERS,
    exhaustive_runs,
    pct_runs,
    small_scope,
)
from isolation_spec.strategies.profiles import Profile
from isolation_spec.strategies.schedules import SearchParameters
from isolation_spec.strategies.seeded_schedules import seeded_runs
from isolation_spec.world.schedulers.pct import Bound, PCTScheduler
from isolation_spec.world.schedulers.random import RandomScheduler
from tests.strategies.drawn import draw

pytestmark = pytest.mark.slow

SEARCH = SearchParameters(change_points=(), burst=0, split=False, seed=0)


def test_nine_of_ten_schedules_are_distinct() -> None:
    """Of the first schedules of a fixed workload, by the order of arrivals alone.

    Each of its three users causes more than 12 arrivals one after the other, so that
    there are more than 10^5 orders.
    """
    first = run(workload(), ReferenceAdapter, count_steps=True)
    own = [sum(c.startswith(f"{n}/") for c in first.order) for n in (5, 7, 9)]
    runs = seeded_runs(
        workload(), SEARCH, 60, FirstRunReport(first.steps, choices=first.choices)
    )
    orders = {
        run(a.scenario, ReferenceAdapter, scheduler=a.scheduler).arrivals for a in runs
    }

    assert all(12 <= count for count in own)
    assert 10**5 < math.comb(24, 12)
    assert 54 <= len(orders)


def test_some_schedules_are_left_to_chance() -> None:
    """Beside two change points mostly, and four now and then."""
    steps = {5: ("a:1",) * 5}
    kinds = [
        "uniform"
        if isinstance(a.scheduler, RandomScheduler)
        else a.scheduler._change_points
        for a in seeded_runs(
            workload(), SEARCH, 600, FirstRunReport(steps, choices=10**6)
        )
    ]
    uniform = kinds.count("uniform")
    points = [len(kind) for kind in kinds if kind != "uniform"]

    assert 15 <= uniform <= 50
    assert 300 < points.count(2)
    assert 50 < points.count(4) < 150
    assert 30 < points.count(0) < 100


def test_pct_runs_one_program() -> None:
    """k is a little more than the first run had, and each run is another order."""
    first = run(workload(), ReferenceAdapter)
    report = FirstRunReport.of(first)
    runs = list(pct_runs(first.scenario, SEARCH, 8, report, depth=3))
    schedulers = [
        one.scheduler for one in runs if isinstance(one.scheduler, PCTScheduler)
    ]
    histories = [run(first.scenario, ReferenceAdapter, scheduler=s) for s in schedulers]

    assert 8 == len({history.arrivals for history in histories})
    assert {3} == {scheduler.depth for scheduler in schedulers}
    assert {round(len(first.order) * 1.25)} == {s.steps for s in schedulers}
    assert 8 == sum(scheduler.bound().runs for scheduler in schedulers)


def test_small_scopes_are_small() -> None:
    """Two users and three operations of the workload, the last of which goes on from
    what another opened; without any decision."""
    scopes = [small_scope(drawn.scenario, drawn.search) for drawn in draw()[:100]]
    found = [scope for scope in scopes if scope is not None]

    assert 80 < len(found)
    for scope in found:
        opened = [o for o in scope.operations if isinstance(o, OpenContext | Connect)]
        users = {operation.user for operation in scope.operations}

        assert 3 == len(scope.operations)
        assert 2 == len({operation.user for operation in opened}) == len(users)
        assert not scope.schedule.classes
        assert not scope.schedule.demotions


def test_most_small_scopes_are_exhausted() -> None:
    """Nearly all orders can be run: more than half of the scopes have few enough."""
    sample = draw()[20:200:12]
    statistics = SearchStatistics()
    for drawn in sample:
        runs = 0
        for scope, scheduler, _ in exhaustive_runs(drawn.scenario, drawn.search):
            run(scope, ReferenceAdapter, scheduler=scheduler)
            statistics.count_scheduler(scheduler)
            runs += 1
        assert 0 < runs <= SCOPE_ORDERS

    assert len(sample) / 2 < statistics.exhausted


def searched(monkeypatch: pytest.MonkeyPatch, **more: Any) -> SearchStatistics:
    profile = Profile("deep", examples=3, steps=6, schedules=4, **more)
    monkeypatch.setattr(profiles, "PROFILES", (profile,))
    return search_share(Share(make_plan(own_engine(ReferenceAdapter), "deep", seed=2)))


def test_a_search_counts_what_it_ran_as_pct(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter as many runs as other schedules, with the largest n and k."""
    plain, with_pct = searched(monkeypatch), searched(monkeypatch, pct=2)

    assert plain.pct is None
    assert with_pct.pct is not None
    assert 3 == with_pct.pct.runs + with_pct.pct.beyond
    assert 2 == with_pct.pct.depth
    assert plain.runs + 3 == with_pct.runs


def test_a_search_counts_what_it_exhausted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each order that was run is an interleaving like any other."""
    monkeypatch.setattr(extra_schedules, "SCOPE_ORDERS", 60)
    plain, more = searched(monkeypatch), searched(monkeypatch, exhaust_every=1)

    assert 0 == plain.exhausted < more.exhausted
    assert plain.interleavings < more.interleavings


def test_deep_has_both_shares() -> None:
    """And `quick` has no time for either."""
    deep, quick = profiles.find_profile("deep"), profiles.find_profile("quick")

    assert (3, True) == (deep.pct, deep.exhaust_every > 0)
    assert (0, 0) == (quick.pct, quick.exhaust_every)


def test_tallies_of_several_processes_add_up() -> None:
    """Repeated runs, exhausted scopes and the weaker bound."""
    bound = Bound(depth=2, runs=3, chains=4, arrivals=5, beyond=0)
    one = SearchStatistics(reruns=2, exhausted=1, pct=bound)
    one.add(SearchStatistics(reruns=3))
    one.add(SearchStatistics(exhausted=4, pct=msgspec.structs.replace(bound, chains=9)))

    assert (5, 5) == (one.reruns, one.exhausted)
    assert msgspec.structs.replace(bound, runs=6, chains=9) == one.pct
