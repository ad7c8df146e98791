"""Scenarios as a search draws them, without an engine to run them against."""

import functools
from typing import NamedTuple

from isolation_spec.model.scenario import Scenario
from isolation_spec.strategies.profiles import find_profile
from isolation_spec.strategies.schedules import SearchParameters
from isolation_spec.strategies.seeded_schedules import first_run
from isolation_spec.strategies.workloads import draw_workloads


class Drawn(NamedTuple):
    """One example, and the search to be made around it.

    Attributes:
        workload: as drawn, users called by their labels.
        scenario: as it is run first.
    """

    workload: Scenario
    scenario: Scenario
    search: SearchParameters


@functools.cache
def draw(
    seed: int = 0, examples: int = 200, profile: str = "quick"
) -> tuple[Drawn, ...]:
    """The workloads of a search under that seed."""
    workloads = draw_workloads(find_profile(profile), seed=seed, examples=examples)
    return tuple(
        Drawn(one.scenario, first_run(one.scenario, one.search).scenario, one.search)
        for one in workloads
    )
