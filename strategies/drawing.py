"""Draws so many workloads, each as unlike the others as Hypothesis can make it."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import hypothesis
from hypothesis.stateful import run_state_machine_as_test

from isolation_spec.scenario import Scenario
from strategies.machine import IsolationMachine
from strategies.profiles import Profile
from strategies.schedules import Search

__all__ = ["Workload", "draw_workloads"]

_FRESH = 2
"""Examples of one search by Hypothesis: the smallest, the same in all, and a new one.

In one longer search five variations follow each new example, and the first tenth is
small: of 300 examples 143 differed in their kinds of operations.
"""


class Workload(NamedTuple):
    """A scenario, its users called by their labels, and the search around it."""

    scenario: Scenario
    search: Search


def draw_workloads(profile: Profile, *, seed: int, examples: int) -> Iterator[Workload]:
    """Yields so many workloads of a profile, the smallest one first.

    The same seed draws the same ones, in the same order. Nothing is run while
    Hypothesis draws, so what an engine does cannot look flaky to it.
    """
    drawn = 0
    smallest: Workload | None = None
    for number in itertools.count():
        if drawn == examples:
            return
        for workload in _drawn(profile, f"{seed}/{number}"):
            if workload != smallest and drawn < examples:
                smallest = smallest or workload
                drawn += 1
                yield workload


def _drawn(profile: Profile, seed: str) -> list[Workload]:
    found: list[Workload] = []

    def keep(scenario: Scenario, search: Search) -> None:
        found.append(Workload(scenario, search))

    def make() -> IsolationMachine:
        # No class of its own, as Hypothesis reads the source of each class anew.
        machine = IsolationMachine()
        machine.examine = keep
        return machine

    # Any callable will do, says Hypothesis, but its types ask for a class.
    factory: Any = make
    with contextlib.redirect_stdout(io.StringIO()):
        run_state_machine_as_test(
            hypothesis.seed(seed)(factory), settings=profile.settings(examples=_FRESH)
        )
    return found
