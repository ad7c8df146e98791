"""Records the steps of operations' tasks: their await sites, and the waits between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import pairwise, starmap
from typing import Any

from isolation_spec.execution.await_probe import BEFORE_FIRST_STEP
from isolation_spec.model.history.activity import Await, Handoff, InFlightInterval
from isolation_spec.model.scenario import Operation
from isolation_spec.world.interface import WorldInterface
from isolation_spec.world.tasks import StepTracker

__all__ = ["StepRecorder"]


class StepRecorder:
    """Tracks the tasks that are cancelled, and records the steps of all if they count.

    Tracking a task costs time at each of its steps, so a search counts the steps in the
    first run of each workload only.

    Arguments:
        counts: whether the steps of all tasks are recorded.

    Attributes:
        steps: operation -> the await site before each step of its task.
        handoffs: operation -> the steps before which it waited for another operation.
        in_flight: operation -> the external work under way between its steps.
        awaits: each await of a task of an operation, in order.
    """

    def __init__(self, world: WorldInterface, *, counts: bool) -> None:
        self.steps: dict[int, tuple[str, ...]] = {}
        self.handoffs: dict[int, tuple[Handoff, ...]] = {}
        self.in_flight: dict[int, tuple[InFlightInterval, ...]] = {}
        self.awaits: list[Await] = []
        self.counts = counts
        self._world = world
        self._trackers: dict[int, StepTracker] = {}
        self._sites: dict[int, list[str]] = {}

    def tracker(
        self, operation: Operation, delivered: Callable[[asyncio.Task[Any]], None]
    ) -> StepTracker | None:
        """The tracker of the operation's task, None where its steps do not count."""
        if operation.cancel is None and not self.counts:
            return None
        tracker = StepTracker(operation.cancel, delivered)
        self._trackers[operation.id] = tracker
        return tracker

    def await_at(self, number: int, site: str, entries: int) -> None:
        """The operation's task waits at the site, after so many entries of the run."""
        self._sites.setdefault(number, [BEFORE_FIRST_STEP]).append(site)
        self.awaits.append(Await(number, site, entries))

    def end(self, number: int, task: asyncio.Task[Any]) -> None:
        """The operation's task has ended."""
        if not self._world.stop_tracking(task) or not self.counts:
            return
        tracker = self._trackers[number]
        self.steps[number] = tuple(self._sites.get(number, (BEFORE_FIRST_STEP,)))
        if tracker.handoffs:
            self.handoffs[number] = tuple(starmap(Handoff, tracker.handoffs))
        self.in_flight[number] = tuple(self._intervals(number, tracker.turns))

    def _intervals(self, number: int, turns: list[int]) -> Iterator[InFlightInterval]:
        """Yields the external work under way while a task waited that stepped in these
        turns."""
        flights = dict.fromkeys(self._world.in_flight_intervals(number))
        for step, (before, after) in enumerate(pairwise(turns), start=1):
            for kind, asked, came in flights:
                if before < came and asked < after:
                    first = max(asked - before, 0)
                    yield InFlightInterval(step, first, min(came, after) - before, kind)
