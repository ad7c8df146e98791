"""Scenarios as a search draws them, without an engine to run them against."""

import functools
from typing import Any, NamedTuple

import hypothesis
from hypothesis.stateful import run_state_machine_as_test

from isolation_spec.scenario import Scenario
from strategies.machine import IsolationMachine
from strategies.profiles import find_profile
from strategies.schedules import Search, first_attempt


class Drawn(NamedTuple):
    """One example: a scenario, and the search to be made around it."""

    scenario: Scenario
    search: Search


@functools.cache
def draw(
    seed: int = 0, examples: int = 200, profile: str = "quick"
) -> tuple[Drawn, ...]:
    """What a search of that seed draws."""
    found: list[Drawn] = []

    def examine(scenario: Scenario, search: Search) -> None:
        found.append(Drawn(first_attempt(scenario, search).scenario, search))

    options: dict[str, Any] = {"examine": staticmethod(examine)}
    machine = type("Drawing", (IsolationMachine,), options)
    run_state_machine_as_test(
        hypothesis.seed(seed)(machine),
        settings=find_profile(profile).settings(examples=examples),
    )
    return tuple(found)
