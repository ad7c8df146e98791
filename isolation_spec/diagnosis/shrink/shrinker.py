"""Makes a failing scenario smaller until nothing more can go.

Users, operations, scripts, names, scheduling choices and cancellations are one value
and shrink together. The shrinker runs each candidate; a candidate replaces the scenario
if its sort key is smaller and it fails the same way. Choices are keyed by operations,
so a deleted operation takes its choices along.

Cheap passes run first, to a fixed point. Then expensive passes exchange one thing for
another: an operation for a decision, two decisions for one, two users for one, or the
whole scenario for a small synthesized one. Cosmetic passes come last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from isolation_spec.diagnosis.shrink.observation import Observe, RunObservation
from isolation_spec.diagnosis.shrink.passes.cancellation import (
    with_cancellations_elsewhere,
    with_cancellations_nearby,
)
from isolation_spec.diagnosis.shrink.passes.deletion import (
    with_fewer_choices,
    with_fewer_contexts,
    with_shorter_scripts,
    without_delays,
    without_operations,
    without_pairs,
    without_users,
)
from isolation_spec.diagnosis.shrink.passes.merging import with_merged_operations
from isolation_spec.diagnosis.shrink.passes.scheduling import (
    with_decision_for_kind,
    with_decision_for_operation,
    with_decision_for_two_decisions,
    with_decision_for_two_operations,
    with_preceding_runs,
    with_reordered_operations,
    with_sleeps,
    with_two_operations_only,
)
from isolation_spec.diagnosis.shrink.passes.simplification import (
    with_another_operation,
    with_labels_for_names,
    with_shorter_names,
    with_simpler_operations,
)
from isolation_spec.diagnosis.shrink.passes.synthesis import synthesize
from isolation_spec.diagnosis.shrink.passes.user_merging import (
    with_attackers,
    with_merged_users,
    with_transferred_operations,
)
from isolation_spec.diagnosis.shrink.sort_key import sort_key
from isolation_spec.model.scenario import Scenario, User

__all__ = ["SHRINK_SECONDS", "ShrinkPass", "Shrinker"]

Fails = Callable[[Scenario], bool]
ShrinkPass = Callable[[Scenario], Iterator[Scenario]]
"""Yields candidates; the shrinker skips those with a larger sort key."""
Keys = Callable[[Scenario], tuple[bytes, ...]]

replace = msgspec.structs.replace
SHRINK_SECONDS = 9.5
"""The time in which one failure is shrunk; a run in progress then ends first."""
_PROGRESS_EVERY = 25
"""Runs after which the shrinker reports progress although nothing got smaller."""
_RUNS_PER_TURN = 60
"""Runs of one expensive pass before the next one has its turn."""


class Shrinker:
    """Shrinks greedily, in passes from coarse to fine, until a round changes nothing.

    Arguments:
        fails: runs a scenario and returns whether it still fails the same way.
        observe: runs a scenario and returns its arrivals and steps; without it no
            decision is tried that the scenario does not have.
        most: how many scenarios may be run.
        seconds: after so many on the `clock` it returns the smallest so far.
        progressed: called with the number of runs and the smallest scenario so far.

    Attributes:
        runs: how many scenarios were run so far.
    """

    def __init__(
        self,
        fails: Fails,
        *,
        observe: Observe | None = None,
        most: int = 4000,
        seconds: float = SHRINK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        progressed: Callable[[int, Scenario], None] = lambda *_: None,
    ) -> None:
        self._fails = fails
        self._observe_run = observe
        self._most = most
        self._clock = clock
        self._end = clock() + seconds
        self._progressed = progressed
        self._tried: set[bytes] = set()
        self._observations: dict[bytes, RunObservation] = {}
        self.runs = 0

    def shrink(self, scenario: Scenario) -> Scenario:
        """The smallest scenario found that still fails."""
        expensive = _expensive_passes(self._observe)
        while True:
            scenario = self._fixate(scenario, _CHEAP_PASSES)
            smaller = self._try_in_turns(scenario, expensive)
            if smaller is None:
                # A simpler operation may no longer need another one, so the cheap
                # passes run again with the cosmetic ones.
                smaller = self._fixate(scenario, (*_CHEAP_PASSES, *_COSMETIC_PASSES))
                if smaller == scenario:
                    return scenario
            scenario = smaller

    def _fixate(self, scenario: Scenario, passes: tuple[ShrinkPass, ...]) -> Scenario:
        """Runs the passes until not one of them finds a smaller scenario."""
        before = None
        while scenario != before:
            before = scenario
            for shrink_pass in passes:
                while (
                    smaller := self._find_smaller(scenario, shrink_pass)
                ) is not None:
                    scenario = smaller
        return scenario

    def _try_in_turns(
        self, scenario: Scenario, passes: tuple[ShrinkPass, ...]
    ) -> Scenario | None:
        """The first success of these passes: first with few runs each, then with all.

        Without turns, one pass with thousands of candidates would take the whole time.
        """
        for most in (_RUNS_PER_TURN, self._most):
            for shrink_pass in passes:
                smaller = self._find_smaller(
                    scenario, shrink_pass, keys=_keys_under_any_names, most=most
                )
                if smaller is not None:
                    return smaller
        return None

    def _find_smaller(
        self,
        scenario: Scenario,
        shrink_pass: ShrinkPass,
        *,
        keys: Keys = lambda scenario: (scenario.to_json(),),
        most: int | None = None,
    ) -> Scenario | None:
        limit = sort_key(scenario)
        end = self._most if most is None else self.runs + most
        for candidate in shrink_pass(scenario):
            if self._is_over() or self.runs >= end:
                return None
            if sort_key(candidate) < limit and self._try(candidate, keys):
                self._progressed(self.runs, candidate)
                return candidate
            if self.runs % _PROGRESS_EVERY == 0:
                self._progressed(self.runs, scenario)
        return None

    def _try(self, candidate: Scenario, keys: Keys) -> bool:
        made = keys(candidate)
        if not self._tried.isdisjoint(made):
            return False
        self._tried.update(made)
        self.runs += 1
        return self._fails(candidate)

    def is_time_up(self) -> bool:
        """Whether no further scenario is run, as the seconds are over."""
        return self._clock() > self._end

    def _is_over(self) -> bool:
        return self.runs >= self._most or self.is_time_up()

    def _observe(self, scenario: Scenario) -> RunObservation:
        if self._observe_run is None or self._is_over():
            return RunObservation()
        key = _key_without_names(scenario)
        if key not in self._observations:
            self.runs += 1
            self._observations[key] = self._observe_run(scenario)
        return self._observations[key]


def _keys_under_any_names(scenario: Scenario) -> tuple[bytes, ...]:
    """Keys that skip a candidate already tried with other names of its users.

    An expensive candidate is not worth a second run for its names.
    """
    return scenario.to_json(), _key_without_names(scenario)


def _key_without_names(scenario: Scenario) -> bytes:
    """A key equal for scenarios that differ in the names of users alone.

    The prefix keeps it different from the JSON of every scenario: passes that change
    names alone must still try each of their candidates.
    """
    users = tuple(map(_name_after_label, scenario.users))
    return b"nameless " + replace(scenario, users=users).to_json()


def _name_after_label(user: User) -> User:
    return replace(user, id=user.label)


# Large deletions come first, since they make every later run shorter. On 33 planted
# faults these passes succeeded 469 times in 2,829 runs. A pass here has at most a few
# candidates for each operation, except `without_pairs` (2 successes in 415 runs).
_CHEAP_PASSES: tuple[ShrinkPass, ...] = (
    without_users,
    without_operations,
    with_fewer_contexts,
    with_fewer_choices,
    with_shorter_scripts,
    without_delays,
    without_pairs,
    with_merged_operations,
    with_labels_for_names,
)
# Last: a simpler operation gives the deletions before it less to remove.
_COSMETIC_PASSES: tuple[ShrinkPass, ...] = (with_simpler_operations, with_shorter_names)


def _expensive_passes(observe: Observe) -> tuple[ShrinkPass, ...]:
    """The passes with many candidates, of which few succeed.

    Those that end with very few operations come first. Those that observe each smaller
    scenario before they try its decisions come last, as they need the most runs.
    """
    # On the same 33 faults the first seven passes succeeded 9 times in 935 runs. Those
    # after them used 2,505 runs in vain: they are for failures that need two changes at
    # once, which is why they have their turn only where all others have failed.
    return (
        with_attackers,
        partial(with_cancellations_nearby, observe=observe),
        with_two_operations_only,
        with_merged_users,
        with_sleeps,
        with_preceding_runs,
        with_reordered_operations,
        partial(with_cancellations_elsewhere, observe=observe),
        with_transferred_operations,
        with_another_operation,
        synthesize,
        partial(with_decision_for_two_decisions, observe=observe),
        partial(with_decision_for_kind, observe=observe),
        partial(with_decision_for_operation, observe=observe),
        partial(with_decision_for_two_operations, observe=observe),
    )
