"""All runs of one workload, each with its schedule, in the order of the search."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Scenario
from isolation_spec.search.plan import Control
from isolation_spec.strategies.cancellations import FirstRunReport
from isolation_spec.strategies.extra_schedules import exhaustive_runs, pct_runs
from isolation_spec.strategies.profiles import Profile
from isolation_spec.strategies.schedules import ScheduledRun
from isolation_spec.strategies.seeded_schedules import (
    fifo_run,
    first_run,
    random_runs,
    seeded_runs,
    swept_runs,
)
from isolation_spec.strategies.workloads import Workload

__all__ = ["scheduled_runs"]


def scheduled_runs(
    workload: Workload, profile: Profile, *, control: Control, is_live: bool
) -> Generator[ScheduledRun, History | None, None]:
    """Yields the runs of a workload; the caller sends the history of each.

    The first history decides the other runs. A control needs no history.
    """
    scenario, search, number = workload
    if control == "fifo":
        yield fifo_run(scenario, search)
    elif control == "random":
        yield from random_runs(scenario, search, profile.schedules)
    else:
        history = yield first_run(scenario, search)
        assert history is not None
        first, named = FirstRunReport.of(history), history.scenario
        yield from seeded_runs(scenario, search, profile.schedules - 1, first)
        if profile.sweep_every and number % profile.sweep_every == 0:
            yield from swept_runs(named, first)
        if not is_live:
            yield from _extra_runs(workload, named, first, profile)


def _extra_runs(
    workload: Workload, scenario: Scenario, first: FirstRunReport, profile: Profile
) -> Iterator[ScheduledRun]:
    """Pure PCT, and every order of a small scope, where the profile has them."""
    _, search, number = workload
    if profile.pct:
        count = max(1, profile.schedules // 4)
        yield from pct_runs(scenario, search, count, first, depth=profile.pct)
    every = profile.exhaust_every
    # Half an interval away from the sweeps, both of which are long.
    if every and number % every == every // 2:
        yield from exhaustive_runs(scenario, search)
