"""The plan of one search: built once, and handed unchanged to every worker."""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from isolation_spec.engines.registry import Engine
from isolation_spec.execution.isolation.time_limit import RUN_TIMEOUT
from isolation_spec.search.result import WorldKind
from isolation_spec.world.live.world import Live

if TYPE_CHECKING:
    from isolation_spec.strategies.profiles import Profile

__all__ = ["SEARCH_SHARE", "Control", "SearchPlan", "make_plan"]

Control: TypeAlias = Literal["none", "random", "fifo"]
"""A weaker search that shows the worth of the real one: random schedules, or one run
of each workload in plain asyncio order, without cancellations."""


SEARCH_SHARE = 0.9
"""The share of `max_time` in which runs of the search begin; the rest is for the
confirmation of a finding. Shrinking has half of the time that is left then."""


class SearchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """An engine, the work to spend on it, and the limits of that work.

    Attributes:
        profile: the number of workloads, schedules, sweeps and the depth of pure PCT.
        seed: decides every workload and schedule.
        processes: the number of workers; 0 for this process alone.
        live: the live worlds of all runs, None for simulated ones.
        control: "none" for the real search.
        started: monotonic time at which the search began.
        max_time: seconds in which everything is done, 0 for no limit.
        fuzz: the folder that keeps scenarios under way and the corpus.
        workload: a file with the only workload of the search.
        failures: the folder that takes violations before they are confirmed.
        run_timeout: CPU seconds after which a run counts as hung.
    """

    engine: Engine
    profile: Profile
    seed: int = 0
    processes: int = 0
    live: Live | None = None
    control: Control = "none"
    started: float = msgspec.field(default_factory=time.monotonic)
    max_time: float = 0
    fuzz: Path | None = None
    workload: Path | None = None
    failures: Path | None = None
    run_timeout: float = RUN_TIMEOUT

    @property
    def world(self) -> WorldKind:
        """The kind of world in which scenarios run."""
        return "simulated" if self.live is None else "live"

    def is_time_up(self, share: float = 1.0) -> bool:
        """Whether no further run may begin in this share of the time."""
        passed = time.monotonic() - self.started
        return bool(self.max_time) and passed >= self.max_time * share

    def seconds_left(self) -> float:
        """The seconds in which runs may still begin; infinite without a limit."""
        if not self.max_time:
            return math.inf
        return max(0.0, self.started + self.max_time - time.monotonic())


def make_plan(
    engine: Engine,
    profile: str = "quick",
    *,
    examples: int | None = None,
    pct: int | None = None,
    max_time: float | None = None,
    **fields: Any,
) -> SearchPlan:
    """The plan of a profile, some of whose numbers are replaced.

    Raises:
        KeyError: there is no such profile.
    """
    from isolation_spec.strategies.profiles import find_profile

    numbers: dict[str, Any] = {"examples": examples, "pct": pct, "seconds": max_time}
    given = {name: number for name, number in numbers.items() if number is not None}
    spent = dataclasses.replace(find_profile(profile), **given)
    return SearchPlan(engine=engine, profile=spent, max_time=spent.seconds, **fields)
