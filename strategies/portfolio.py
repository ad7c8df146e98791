"""Shares of a search beside the seeded one: pure PCT, and small scopes exhausted.

Neither draws anything with Hypothesis: both work on a workload that was drawn.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec

from isolation_spec.history import History
from isolation_spec.scenario import (
    Connect,
    OpenContext,
    Reconnect,
    RunAgent,
    Scenario,
    Schedule,
    UserOperation,
    Write,
)
from isolation_spec.world.exhaustive import Exhaustive
from isolation_spec.world.pct import PCT
from strategies.schedules import Attempt, Search

__all__ = ["pct_attempts", "small_scopes"]

_USERS = 2
_OPERATIONS = 2
_SPARE = 1.25
"""k over the arrivals of the first run: other orders have somewhat more."""


def pct_attempts(
    first: History, search: Search, count: int, *, depth: int
) -> Iterator[tuple[Scenario, PCT]]:
    """Yields so many runs of pure PCT of a workload that has been run once.

    The workload is the same in all of them, its identities and disruptions included, as
    the bound speaks of one program.
    """
    steps = max(1, round(len(first.order) * _SPARE))
    for index in range(count):
        chance = random.Random(f"{search}/pct/{index}")
        yield first.scenario, PCT(
            first.scenario.schedule, chance, depth=depth, steps=steps
        )
