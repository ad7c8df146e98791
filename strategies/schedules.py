"""Scheduling choices: what a rule draws with its operation, and the search around it.

The first schedule of a workload is drawn by Hypothesis, priority classes as arguments
of the rules. The further ones come from a seed, keyed by chain, as one generated
workload is worth more interleavings than it costs to generate.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from hashlib import blake2s
from typing import NamedTuple

import msgspec
from hypothesis import strategies as st

from isolation_spec.model.scenario import Cancellation, ChainKind, Scenario, Schedule
from isolation_spec.strategies.cancellations import (
    FirstRunReport,
    with_cancellations,
    with_each_cancellation,
)
from isolation_spec.strategies.identifiers import identified
from isolation_spec.world.schedulers.base import Scheduler
from isolation_spec.world.schedulers.random import RandomScheduler

__all__ = [
    "ScheduledRun",
    "SearchParameters",
    "cancellations",
    "classes",
    "first_attempt",
    "further_attempts",
    "searches",
]

CHAINS = (ChainKind.START, ChainKind.DATABASE, ChainKind.CALL, ChainKind.TO_CLIENT)
"""The kinds of chains whose class is drawn with an operation."""
_CLASSES = 8
_HORIZON = 150
_UNIFORM, _FOUR_POINTS = 0.80, 0.85
"""Above the one and up to the other, chance decides; above that, four points."""


def classes() -> st.SearchStrategy[tuple[int, ...]]:
    """The class of each of `CHAINS`, for one operation; half of the time all zero."""
    drawn = st.tuples(*(st.integers(0, _CLASSES - 1) for _ in CHAINS))
    return st.just((0,) * len(CHAINS)) | drawn


def cancellations() -> st.SearchStrategy[Cancellation | None]:
    """A cancellation of an operation's own task, or, four times of five, none."""
    drawn = st.builds(Cancellation, step=st.integers(1, 20), after_step=st.booleans())
    return st.integers(0, 4).flatmap(lambda n: drawn if n == 4 else st.none())


class SearchParameters(NamedTuple):
    """What is drawn once for a scenario: absolute change points, turns and a seed."""

    change_points: tuple[int, ...]
    burst: int
    split: bool
    seed: int


def searches() -> st.SearchStrategy[SearchParameters]:
    """Two change points (0 is unused), the form of a turn, and a seed for the rest."""
    point = st.integers(0, _HORIZON)
    return st.builds(
        SearchParameters,
        change_points=st.tuples(point, point),
        burst=st.sampled_from((0, 0, 0, 1, 2)),
        split=st.booleans(),
        seed=st.integers(0, 2**32 - 1),
    )


class ScheduledRun(NamedTuple):
    """A scenario and the scheduler under which it is to be run once."""

    scenario: Scenario
    scheduler: Scheduler


def first_attempt(scenario: Scenario, search: SearchParameters) -> ScheduledRun:
    """The schedule that Hypothesis drew."""
    scenario = identified(scenario, random.Random(f"{search}"))
    return ScheduledRun(
        scenario, Scheduler(scenario.schedule, change_points=search.change_points)
    )


def further_attempts(
    scenario: Scenario,
    search: SearchParameters,
    count: int,
    *,
    choices: int,
    looked: FirstRunReport,
    followed: Schedule | None = None,
) -> Iterator[ScheduledRun]:
    """Yields so many seeded attempts around a scenario that has been run once.

    `choices`, what was `looked` at and the schedule that was `followed` are what that
    run had: change points lie among its choices, and cancellations at its steps and
    between them, so that neither is wasted on a place that never comes.
    """
    for index in range(count):
        chance = random.Random(f"{search}/{index}")
        named = identified(scenario, chance)
        strike = with_cancellations(named, chance, looked)
        if followed is not None and chance.random() < strike.again:
            again = msgspec.structs.replace(strike.scenario, schedule=followed)
            yield ScheduledRun(again, Scheduler(followed))
        else:
            calm = strike.scenario == named
            yield _seeded(strike.scenario, chance, max(choices, 1), calm=calm)


def random_attempts(
    scenario: Scenario, search: SearchParameters, count: int
) -> Iterator[ScheduledRun]:
    """Yields attempts in which each arrival is as likely as any other to be next.

    What a search without priorities would do; no part of a verification.
    """
    for index in range(count):
        chance = random.Random(f"{search}/random/{index}")
        named = identified(scenario, chance)
        plain = msgspec.structs.replace(named, schedule=Schedule())
        yield ScheduledRun(plain, RandomScheduler(plain.schedule, chance))


def fifo_attempt(scenario: Scenario, search: SearchParameters) -> ScheduledRun:
    """What plain asyncio does, and nobody is cancelled by the world."""
    scenario = identified(scenario, random.Random(f"{search}"))
    operations = tuple(
        msgspec.structs.replace(operation, cancel=None)
        if operation.cancel is not None
        else operation
        for operation in scenario.operations
    )
    plain = msgspec.structs.replace(
        scenario, operations=operations, schedule=Schedule()
    )
    return ScheduledRun(plain, Scheduler(plain.schedule))


def swept_attempts(
    scenario: Scenario, looked: FirstRunReport
) -> Iterator[ScheduledRun]:
    """Yields the workload in plain order, cancelled before and after every step."""
    plain = msgspec.structs.replace(scenario, schedule=Schedule())
    for cancelled in with_each_cancellation(plain, looked):
        yield ScheduledRun(cancelled, Scheduler(cancelled.schedule))


def _seeded(
    scenario: Scenario, chance: random.Random, choices: int, *, calm: bool
) -> ScheduledRun:
    """SPCT with two or four change points.

    One of five that are not calm, as something is cancelled, is in plain order, and one
    of twenty lets in any arrival.
    """
    kind = chance.random()
    if not calm and kind < 0.2:
        plain = msgspec.structs.replace(scenario, schedule=Schedule())
        return ScheduledRun(plain, Scheduler(plain.schedule))
    schedule = Schedule(
        burst=chance.choice((0, 0, 0, 1, 2)), split=chance.random() < 0.25
    )
    varied = msgspec.structs.replace(scenario, schedule=schedule)
    if _UNIFORM < kind <= _FOUR_POINTS:
        return ScheduledRun(varied, RandomScheduler(schedule, chance))
    points = [
        chance.randint(1, choices) for _ in range(4 if kind > _FOUR_POINTS else 2)
    ]
    salt, share = chance.getrandbits(32), chance.choice((0.25, 0.5, 1.0))

    def draw_class(chain: str) -> int:
        digest = blake2s(f"{salt}/{chain}".encode(), digest_size=4).digest()
        return digest[0] % _CLASSES if digest[1] / 256 < share else 0

    return ScheduledRun(
        varied, Scheduler(schedule, change_points=points, draw_class=draw_class)
    )
