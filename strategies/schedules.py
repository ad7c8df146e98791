"""Scheduling choices that Hypothesis draws: classes, cancellations, search parameters.

The first schedule of a workload is drawn by Hypothesis, with priority classes as
arguments of the rules. The further ones come from a drawn seed, keyed by chain: one
workload is worth more interleavings than it costs to generate.
"""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from isolation_spec.model.scenario import Cancellation, ChainKind, Scenario
from isolation_spec.world.schedulers.base import Scheduler

__all__ = [
    "CHAINS",
    "CLASSES",
    "ScheduledRun",
    "SearchParameters",
    "cancellations",
    "classes",
    "searches",
]

CHAINS = (ChainKind.START, ChainKind.DATABASE, ChainKind.CALL, ChainKind.TO_CLIENT)
"""The kinds of chains whose class is drawn with an operation."""
CLASSES = 8
"""Priority classes of chains, 0 for the default. With 8 classes SPCT found planted
races in as many runs as PCT with a priority for each chain, and it shrinks."""
_HORIZON = 150
"""The last change point that is drawn: runs on real libraries had 71 to 160 choices. In
further runs points lie among the choices of the first."""
_LAST_STEP = 20
"""The last step of a drawn cancellation. Not measured: further runs cancel at steps
that the first run showed."""


def classes() -> st.SearchStrategy[tuple[int, ...]]:
    """The class of each of `CHAINS`, for one operation; half of the time all zero.

    Zeros keep a schedule near plain asyncio order. The share was not measured.
    """
    drawn = st.tuples(*(st.integers(0, CLASSES - 1) for _ in CHAINS))
    return st.just((0,) * len(CHAINS)) | drawn


def cancellations() -> st.SearchStrategy[Cancellation | None]:
    """A cancellation of an operation's own task, or, four times of five, None.

    Most operations must reach their end, or no claim can be judged. The share was not
    measured; further runs draw cancellations of their own.
    """
    drawn = st.builds(
        Cancellation, step=st.integers(1, _LAST_STEP), after_step=st.booleans()
    )
    return st.integers(0, 4).flatmap(lambda n: drawn if n == 4 else st.none())


class SearchParameters(NamedTuple):
    """Drawn once for a scenario: absolute change points, the form of turns, a seed."""

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
        # As bytes: of 1,000 integers below 2**32, 79 repeated an earlier one, as
        # Hypothesis prefers small numbers. Of as many bytes, no one did.
        seed=st.binary(min_size=4, max_size=4).map(int.from_bytes),
    )


class ScheduledRun(NamedTuple):
    """A scenario and the scheduler for one run of it.

    Attributes:
        count_steps: whether the run records the steps and waits of each operation.
    """

    scenario: Scenario
    scheduler: Scheduler
    count_steps: bool = False
