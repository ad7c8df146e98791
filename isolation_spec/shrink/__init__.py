"""Makes a failing scenario smaller until nothing more can go.

Users, operations, scripts, names, scheduling choices and cancellations are one value
here and shrink together. Every candidate is run; it replaces the scenario if it is
smaller and fails the same way. Removing an operation removes its choices, as these hang
on it. What is cheap comes first; where it finds nothing more, an operation is given for
another decision, and two decisions for one; in the end all is said plainly.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from isolation_spec.scenario import RunAgent, Scenario, Spawn, Step
from isolation_spec.shrink.plain import (
    plainness,
    with_another_operation,
    with_plain_names,
    with_simpler_operations,
)
from isolation_spec.shrink.probe import Probe
from isolation_spec.shrink.removals import (
    with_fewer_choices,
    with_fewer_contexts,
    with_joined_runs,
    with_shorter_scripts,
    without_delays,
    without_operations,
    without_pairs,
    without_users,
)
from isolation_spec.shrink.timings import (
    Places,
    decided_otherwise,
    met,
    reordered,
    retimed,
    slowed,
)

__all__ = ["Places", "Probe", "Shrinker", "size"]

Fails = Callable[[Scenario], bool]
Look = Callable[[Scenario], Places]
Pass = Callable[[Scenario], Iterator[Scenario]]


def size(scenario: Scenario) -> tuple[int, int, int]:
    """(operations, decisions, script steps); decisions are choices that are not
    zero."""
    schedule = scenario.schedule
    decisions = (
        len(schedule.classes)
        + len(schedule.demotions)
        + bool(schedule.burst)
        + schedule.split
        + sum(getattr(o, "cancel", None) is not None for o in scenario.operations)
    )
    scripts = [o.script for o in scenario.operations if isinstance(o, RunAgent)]
    return len(scenario.operations), decisions, sum(map(_steps, scripts))


def _steps(script: tuple[Step, ...]) -> int:
    return sum(
        1 + (_steps(step.script) if isinstance(step, Spawn) else 0) for step in script
    )


def _order(scenario: Scenario) -> tuple[float, ...]:
    """What a smaller scenario has less of, the first of these that differs: operations
    and decisions together, operations, steps, and what makes it hard to read."""
    operations, decisions, steps = size(scenario)
    return (operations + decisions, operations, steps, *plainness(scenario))


_TELL_EVERY = 25
"""Runs after which is told that the shrinker is still at work."""


class Shrinker:
    """Greedy, in passes from coarse to fine, until a whole round changes nothing.

    Arguments:
        fails: runs a scenario and says whether it still fails the same way.
        look: runs a scenario and says what it has places for; without it no decision
            is tried that was not there.
        most: the most scenarios that it may run.
        seconds: after so many on the `clock` it returns the smallest so far.
        progressed: told after each step how many scenarios were run and which is the
            smallest so far.
    """

    def __init__(
        self,
        fails: Fails,
        *,
        look: Look | None = None,
        most: int = 4000,
        seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        progressed: Callable[[int, Scenario], None] = lambda *_: None,
    ) -> None:
        self._fails = fails
        self._looked = look
        self._most = most
        self._clock = clock
        self._end = clock() + seconds
        self._progressed = progressed
        self._tried: set[bytes] = set()
        self.runs = 0

    def shrink(self, scenario: Scenario) -> Scenario:
        """The smallest scenario found that still fails."""
        dear = tuple(map(self._looking, _DEAR))
        while True:
            scenario = self._settled(scenario, _CHEAP)
            found = (self._first(scenario, one) for one in dear)
            smaller = next((one for one in found if one is not None), None)
            if smaller is None:
                smaller = self._settled(scenario, (*_CHEAP, *_PLAIN))
                # Plainer operations may do without what the others needed.
                if smaller == scenario:
                    return scenario
            scenario = smaller

    def _settled(self, scenario: Scenario, passes: tuple[Pass, ...]) -> Scenario:
        """Takes what these passes find, until none of them finds anything more."""
        before = None
        while scenario != before:
            before = scenario
            for one in passes:
                while (smaller := self._first(scenario, one)) is not None:
                    scenario = smaller
        return scenario

    def _first(self, scenario: Scenario, candidates: Pass) -> Scenario | None:
        order = _order(scenario)
        for candidate in candidates(scenario):
            if self._is_over():
                return None
            if _order(candidate) < order and self._try(candidate):
                self._progressed(self.runs, candidate)
                return candidate
            if self.runs % _TELL_EVERY == 0:
                self._progressed(self.runs, scenario)
        return None

    def _try(self, candidate: Scenario) -> bool:
        key = candidate.to_json()
        if key in self._tried:
            return False
        self._tried.add(key)
        self.runs += 1
        return self._fails(candidate)

    def _is_over(self) -> bool:
        return self.runs >= self._most or self._clock() > self._end

    def _looking(self, one: Callable[[Scenario, Look], Iterator[Scenario]]) -> Pass:
        return lambda scenario: one(scenario, self._look)

    def _look(self, scenario: Scenario) -> Places:
        if self._looked is None or self._is_over():
            return Places()
        self.runs += 1
        return self._looked(scenario)


_CHEAP: tuple[Pass, ...] = (
    without_users,
    without_operations,
    with_fewer_contexts,
    with_fewer_choices,
    with_shorter_scripts,
    without_delays,
    without_pairs,
    with_joined_runs,
)
# What is said more plainly gives less to hold on to for what is tried before.
_PLAIN: tuple[Pass, ...] = (with_simpler_operations, with_plain_names)
_DEAR: tuple[Callable[[Scenario, Look], Iterator[Scenario]], ...] = (
    met,
    reordered,
    slowed,
    lambda scenario, _: with_another_operation(scenario),
    decided_otherwise,
    retimed,
)
