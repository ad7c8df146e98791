"""Makes a failing scenario smaller until nothing more can go.

Users, operations, scripts, names, scheduling choices and cancellations are one value
here and shrink together. Every candidate is run; it replaces the scenario if it is
smaller and fails the same way. Removing an operation removes its choices, as these hang
on it. What is cheap comes first. Where it finds nothing more, one thing is given for
another: an operation for a decision, two decisions for one, two users for one, a place
that a cancellation strikes for another, and all for something small that is made anew;
each in turn, so that none takes the time from the others. In the end all is said
plainly.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec

from isolation_spec.diagnosis.shrink.observation import Look, RunObservation
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
from isolation_spec.diagnosis.shrink.passes.merging import with_joined_runs
from isolation_spec.diagnosis.shrink.passes.scheduling import (
    decided_otherwise,
    delayed,
    met,
    reordered,
    retimed,
    retimed_twice,
    retimed_widely,
    slowed,
)
from isolation_spec.diagnosis.shrink.passes.simplification import (
    with_another_operation,
    with_labels_for_names,
    with_shorter_names,
    with_simpler_operations,
)
from isolation_spec.diagnosis.shrink.passes.synthesis import composed
from isolation_spec.diagnosis.shrink.passes.user_merging import (
    with_attackers,
    with_given_operations,
    with_united_users,
)
from isolation_spec.diagnosis.shrink.predicate import FailurePredicate
from isolation_spec.diagnosis.shrink.sort_key import order, size
from isolation_spec.model.scenario import Scenario, User

__all__ = [
    "SHRINK_SECONDS",
    "FailurePredicate",
    "RunObservation",
    "Shrinker",
    "size",
]

Fails = Callable[[Scenario], bool]
Pass = Callable[[Scenario], Iterator[Scenario]]
Keys = Callable[[Scenario], tuple[bytes, ...]]

replace = msgspec.structs.replace
SHRINK_SECONDS = 9.5
"""How long one failure is shrunk; the run under way then is waited for."""
_TELL_EVERY = 25
"""Runs after which is told that the shrinker is still at work."""
_SHARE = 60
"""Runs of one dear pass before the next one has its turn."""


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
        seconds: float = SHRINK_SECONDS,
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
        self._seen: dict[bytes, RunObservation] = {}
        self.runs = 0

    def shrink(self, scenario: Scenario) -> Scenario:
        """The smallest scenario found that still fails."""
        dear = tuple(map(self._looking, _DEAR))
        while True:
            scenario = self._settled(scenario, _CHEAP)
            smaller = self._dearly(scenario, dear)
            if smaller is None:
                smaller = self._settled(scenario, (*_CHEAP, *_PLAIN))
                # Plainer operations may do without what the others needed.
                if smaller == scenario:
                    return scenario
            scenario = smaller

    def _dearly(self, scenario: Scenario, passes: tuple[Pass, ...]) -> Scenario | None:
        """What the first of these passes finds: no kind of move takes all the time
        from the others."""
        for most in (_SHARE, self._most):
            for one in passes:
                smaller = self._first(scenario, one, keys=_under_any_names, most=most)
                if smaller is not None:
                    return smaller
        return None

    def _settled(self, scenario: Scenario, passes: tuple[Pass, ...]) -> Scenario:
        """Takes what these passes find, until none of them finds anything more."""
        before = None
        while scenario != before:
            before = scenario
            for one in passes:
                while (smaller := self._first(scenario, one)) is not None:
                    scenario = smaller
        return scenario

    def _first(
        self,
        scenario: Scenario,
        candidates: Pass,
        *,
        keys: Keys = lambda scenario: (scenario.to_json(),),
        most: int | None = None,
    ) -> Scenario | None:
        limit = order(scenario)
        end = self._most if most is None else self.runs + most
        for candidate in candidates(scenario):
            if self._is_over() or self.runs >= end:
                return None
            if order(candidate) < limit and self._try(candidate, keys):
                self._progressed(self.runs, candidate)
                return candidate
            if self.runs % _TELL_EVERY == 0:
                self._progressed(self.runs, scenario)
        return None

    def _try(self, candidate: Scenario, keys: Keys) -> bool:
        made = keys(candidate)
        if not self._tried.isdisjoint(made):
            return False
        self._tried.update(made)
        self.runs += 1
        return self._fails(candidate)

    def _is_over(self) -> bool:
        return self.runs >= self._most or self._clock() > self._end

    def _looking(self, one: Looking) -> Pass:
        return lambda scenario: one(scenario, self._look)

    def _look(self, scenario: Scenario) -> RunObservation:
        if self._looked is None or self._is_over():
            return RunObservation()
        key = _nameless(scenario)
        if key not in self._seen:
            self.runs += 1
            self._seen[key] = self._looked(scenario)
        return self._seen[key]


def _under_any_names(scenario: Scenario) -> tuple[bytes, ...]:
    """What is dear to try is not tried again under other names."""
    return scenario.to_json(), _nameless(scenario)


def _nameless(scenario: Scenario) -> bytes:
    """Equal for scenarios that differ in what users are called, and for no JSON of
    one, as other names are tried where they are what changes."""
    users = tuple(map(_called_by_label, scenario.users))
    return b"nameless " + replace(scenario, users=users).to_json()


def _called_by_label(user: User) -> User:
    return replace(user, id=user.label)


Looking = Callable[[Scenario, Look], Iterator[Scenario]]


def _unseen(one: Pass) -> Looking:
    """The pass as one of those that may look what there are places for."""
    return lambda scenario, _: one(scenario)


_CHEAP: tuple[Pass, ...] = (
    without_users,
    without_operations,
    with_fewer_contexts,
    with_fewer_choices,
    with_shorter_scripts,
    without_delays,
    without_pairs,
    with_joined_runs,
    with_labels_for_names,
)
# What is said more plainly gives less to hold on to for what is tried before.
_PLAIN: tuple[Pass, ...] = (with_simpler_operations, with_shorter_names)
_DEAR: tuple[Looking, ...] = (
    _unseen(with_attackers),
    with_cancellations_nearby,
    met,
    _unseen(with_united_users),
    slowed,
    _unseen(delayed),
    reordered,
    with_cancellations_elsewhere,
    _unseen(with_given_operations),
    _unseen(with_another_operation),
    _unseen(composed),
    decided_otherwise,
    retimed_widely,
    retimed,
    retimed_twice,
)
