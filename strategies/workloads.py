"""Draws workloads, each as unlike the others as Hypothesis can make it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

import hypothesis.core
import hypothesis.stateful
from hypothesis.internal.cache import LRUCache
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from hypothesis.stateful import run_state_machine_as_test

from isolation_spec.model.scenario import Scenario
from isolation_spec.strategies.machine import IsolationMachine
from isolation_spec.strategies.profiles import Profile
from isolation_spec.strategies.schedules import SearchParameters

__all__ = ["Workload", "draw_workloads"]

_FRESH = 2
"""Examples of one search by Hypothesis: the smallest, which is always the same, and a
new one. In one longer search five variations follow each new example, and the first
tenth is small: of 300 examples 143 differed in their kinds of operations."""


class Workload(NamedTuple):
    """A scenario, its users called by their labels, and the search around it."""

    scenario: Scenario
    search: SearchParameters
    number: int = 0


def draw_workloads(
    profile: Profile, *, seed: int, examples: int, first: int = 0, stride: int = 1
) -> Iterator[Workload]:
    """Yields the workloads of a seed with the numbers `range(first, examples, stride)`.

    Seed and number alone decide a workload, in any process and order. Shares without a
    common number have no common workload, and any division into shares draws the same
    workloads. No engine runs while Hypothesis draws, so it can see no flakiness.
    """
    for number in range(first, examples, stride):
        # The last of so many, as the first is the smallest of all.
        every = profile.crowd_every
        crowded = bool(every) and number % every == every - 1
        drawn = _drawn(profile, f"{seed}/{number}", crowded)
        # The smallest one is the same in all, and belongs to a single number.
        for scenario, search in drawn[:1] if seed == number == 0 else drawn[1:]:
            yield Workload(scenario, search, number)


def _drawn(
    profile: Profile, seed: str, crowded: bool
) -> list[tuple[Scenario, SearchParameters]]:
    found: list[tuple[Scenario, SearchParameters]] = []

    def keep(scenario: Scenario, search: SearchParameters) -> None:
        found.append((scenario, search))

    def make() -> IsolationMachine:
        # No class of its own, as Hypothesis reads the source of each class anew.
        machine = IsolationMachine()
        machine.examine = keep
        machine.is_crowded = crowded
        return machine

    # Any callable will do, says Hypothesis, but its types ask for a class.
    factory: Any = make
    with (
        _no_local_constants(),
        _no_digests(),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        run_state_machine_as_test(
            hypothesis.seed(seed)(factory), settings=profile.settings(examples=_FRESH)
        )
    return found


@contextlib.contextmanager
def _no_local_constants() -> Iterator[None]:
    """Keeps literals of local modules out of the draws.

    Hypothesis draws one value of forty from the literals of all modules outside
    site-packages. The same seed would draw other workloads in an editable installation
    than from a wheel, and other ones once a user's module gains a literal.
    """
    # Drawable constants are cached without regard to the set they come from.
    with (
        _replaced(providers, "_get_local_constants", Constants),
        _replaced(providers, "CONSTANTS_CACHE", LRUCache(1024)),
    ):
        yield


@contextlib.contextmanager
def _no_digests() -> Iterator[None]:
    """Spares the digests of source code, by which a database would know the test.

    There is no database, and the digests take 40% of the time of a draw.
    """
    with (
        _replaced(hypothesis.core, "function_digest", _no_digest),
        _replaced(hypothesis.stateful, "function_digest", _no_digest),
    ):
        yield


def _no_digest(_: object) -> bytes:
    return b""


@contextlib.contextmanager
def _replaced(module: ModuleType, name: str, value: object) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)
