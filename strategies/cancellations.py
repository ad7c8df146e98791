"""Cancellations of a workload, at await sites and waits that its first run showed.

`faults` catches all of 130 planted faults under each of 20 seeds with the shares in
this module, half of them within 9 interleavings. Few shares were measured by
themselves; each says so.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from isolation_spec.model.history.activity import Handoff, InFlightInterval
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    AdvanceTime,
    Cancellation,
    CollectGarbage,
    RunAgent,
    Scenario,
    Schedule,
    Shutdown,
)

__all__ = [
    "CancelledScenario",
    "FirstRunReport",
    "with_cancellations",
    "with_each_cancellation",
]

_HANDOFF_SHARE = 0.3
"""Of the runs of a workload in which an operation waits for another one: runs that
cancel at such a handoff. Few steps are handoffs, and a lost wake-up shows nowhere else.
Not measured."""
_GIVER_SHARE = 0.15
"""Of those: runs that cancel the operation that is waited for. Not measured."""
_ONE_SITE_SHARE = 0.1
"""Of the other runs: those that cancel the runs of two users at one await site, as the
undoing of one may meet the undoing of the other. Not measured."""
_ALL_RUNS_SHARE = 0.25
"""Of those: runs that cancel every run that reaches the site. Not measured."""
_COUNTS, _COUNT_WEIGHTS = (0, 1, 2), (35, 45, 20)
"""Numbers of cancellations in all other runs. A third of them has no cancellation, for
races that need no cancellation. Not measured."""
_IN_FLIGHT_APART, _IN_FLIGHT_IN_TASK = 0.85, 0.03
"""Shares of cancellations within an in-flight interval: where agents work in tasks of
their own, and where they work in the task of their operation. There most awaits are the
engine's own, and a cancellation before a step reaches each of them."""
_RUN_SHARE_IN_FLIGHT, _RUN_SHARE = 0.7, 0.5
"""Cancellations of a run, in an interval and at a step; the others are of any
operation. Not measured."""
_SITE_SHARE = 0.5
"""Cancellations at a site drawn among all sites; the others are at a step drawn among
all steps, most of which wait at few sites. Not measured."""
_AFTER_ANSWER_SHARE = 0.3
"""Of the cancellations in an interval: those just after its end. Not measured."""
_HANDOFF_TURNS = 3
"""Turns of the loop that an answer takes through other tasks to the one that waits."""
_AFTER_STEP_SHARE, _AFTER_STEP_SHARE_AT_HANDOFF = 0.5, 0.4
"""Cancellations after the step before a wait, and not before the step that ends it. At
a handoff the second is more frequent: the resource is handed over by then."""
_FEW_STEPS = 5
"""Steps of the task of a run that only waits for another task, at most; a run that
works in its own task takes a step for each await."""
_REPLAYS, _REPLAYS_IN_FLIGHT = 0.5, 0.8
"""Shares of cancelled runs under the very schedule of the first run. Turns are counted
in that schedule, and mean nothing in another; waits mostly depend on it, too."""


class FirstRunReport(NamedTuple):
    """The first run of a workload: its choices, and the waits of each operation.

    Attributes:
        steps: operation id -> the await site before each of its steps.
        handed: operation id -> the steps before which it waited for another operation.
        waited: operation id -> the in-flight intervals during its waits.
        choices: how often the scheduler had more than one arrival to choose from.
        arrivals: the number of arrivals.
        schedule: the choices that the run followed, None if they are not to be reused.
    """

    steps: Mapping[int, tuple[str, ...]]
    handed: Mapping[int, tuple[Handoff, ...]] = MappingProxyType({})
    waited: Mapping[int, tuple[InFlightInterval, ...]] = MappingProxyType({})
    choices: int = 0
    arrivals: int = 0
    schedule: Schedule | None = None

    @classmethod
    def of(cls, history: History) -> FirstRunReport:
        """The report of a run that counted steps."""
        return cls(
            history.steps,
            history.handed,
            history.waited,
            history.choices,
            len(history.order),
            history.schedule,
        )


class CancelledScenario(NamedTuple):
    """A scenario, with further cancellations or without.

    Attributes:
        replays: how often to run it under the schedule of the first run.
    """

    scenario: Scenario
    replays: float = 0.0


class _Site(NamedTuple):
    """Before a step, an operation with this index waits at this await site."""

    operation: int
    step: int
    where: str


def with_cancellations(
    scenario: Scenario, chance: random.Random, first: FirstRunReport
) -> CancelledScenario:
    """The scenario with up to two more cancellations, seldom with many."""
    sites = _sites(scenario, first)
    if first.handed and chance.random() < _HANDOFF_SHARE:
        cancelled = _at_handoffs(scenario, chance, sites, first)
        return CancelledScenario(cancelled, _REPLAYS)
    if chance.random() >= _ONE_SITE_SHARE:
        for _ in range(chance.choices(_COUNTS, _COUNT_WEIGHTS)[0]):
            scenario = _anywhere(scenario, chance, sites, first)
    elif _works_apart(scenario, first):
        scenario = _all_in_flight(scenario, chance, first)
    else:
        return CancelledScenario(_at_one_site(scenario, chance, sites), _REPLAYS)
    return CancelledScenario(
        scenario, _REPLAYS_IN_FLIGHT if _counts_turns(scenario) else 0.0
    )


def with_each_cancellation(
    scenario: Scenario, first: FirstRunReport
) -> Iterator[Scenario]:
    """Yields the scenario with one more cancellation, before and after every step."""
    for site in _sites(scenario, first):
        for after_step in (False, True):
            cancel = Cancellation(step=site.step, after_step=after_step)
            yield _cancelled(scenario, site.operation, cancel)


# At await sites


def _anywhere(
    scenario: Scenario,
    chance: random.Random,
    sites: list[_Site],
    first: FirstRunReport,
) -> Scenario:
    """One more cancellation, of any operation, at a step or in an interval."""
    apart = _works_apart(scenario, first)
    if chance.random() < (_IN_FLIGHT_APART if apart else _IN_FLIGHT_IN_TASK):
        intervals = _intervals(scenario, first)
        if chance.random() < _RUN_SHARE_IN_FLIGHT:
            of_runs = [one for one in intervals if _is_run(scenario, one[0])]
            intervals = of_runs or intervals
        if intervals:
            return _cancelled(scenario, *_in_flight(chance, intervals))
    if chance.random() < _RUN_SHARE:
        sites = [one for one in sites if _is_run(scenario, one.operation)] or sites
    if not sites:
        return scenario
    if chance.random() < _SITE_SHARE:
        where = chance.choice(sorted({one.where for one in sites}))
        sites = [one for one in sites if one.where == where]
    return _cancelled_at(scenario, chance, chance.choice(sites))


def _at_handoffs(
    scenario: Scenario,
    chance: random.Random,
    sites: list[_Site],
    first: FirstRunReport,
) -> Scenario:
    """One or two cancellations of operations that wait for others, at one await site.

    All such sites are equally likely. Instead, the operation that is waited for may be
    cancelled, at any of its steps.
    """
    queues: dict[str, list[tuple[_Site, int | None]]] = {}
    for site in sites:
        for handoff in first.handed.get(scenario.operations[site.operation].id, ()):
            if handoff.step == site.step:
                queues.setdefault(site.where, []).append((site, handoff.giver))
    if not queues:
        return scenario
    queue = queues[chance.choice(sorted(queues))]
    if chance.random() < _GIVER_SHARE:
        _, giver = chance.choice(queue)
        own = [one for one in sites if scenario.operations[one.operation].id == giver]
        return _cancelled_at(scenario, chance, chance.choice(own)) if own else scenario
    for site, _ in chance.sample(queue, min(len(queue), chance.choice((1, 1, 2)))):
        after_step = chance.random() < _AFTER_STEP_SHARE_AT_HANDOFF
        cancel = Cancellation(step=site.step - after_step, after_step=after_step)
        scenario = _cancelled(scenario, site.operation, cancel)
    return scenario


def _at_one_site(
    scenario: Scenario, chance: random.Random, sites: list[_Site]
) -> Scenario:
    """Cancellations at one await site: of the runs of two users, or of every run."""
    shared: dict[str, dict[int, list[_Site]]] = {}
    for site in sites:
        run = scenario.operations[site.operation]
        if isinstance(run, RunAgent):
            shared.setdefault(site.where, {}).setdefault(run.user, []).append(site)
    common = sorted(where for where, users in shared.items() if len(users) > 1)
    if not common:
        return scenario
    users = shared[chance.choice(common)]
    own = [chance.choice(users[user]) for user in chance.sample(sorted(users), 2)]
    if chance.random() < _ALL_RUNS_SHARE:
        own = [site for user in users for site in users[user]]
    for site in own:
        scenario = _cancelled_at(scenario, chance, site)
    return scenario


def _sites(scenario: Scenario, first: FirstRunReport) -> list[_Site]:
    """The await site of each operation before each of its steps."""
    return [
        _Site(index, step, f"{type(operation).__name__} {where}")
        for index, operation in enumerate(scenario.operations)
        if not isinstance(operation, AdvanceTime | CollectGarbage | Shutdown)
        for step, where in enumerate(first.steps.get(operation.id, ()), start=1)
    ]


def _is_run(scenario: Scenario, index: int) -> bool:
    return isinstance(scenario.operations[index], RunAgent)


# In flight


def _in_flight(
    chance: random.Random, intervals: list[tuple[int, InFlightInterval]]
) -> tuple[int, Cancellation]:
    """(index of an operation, its cancellation) before an answer, or just after it.

    All kinds of intervals are equally likely: an engine sends a hundred statements to
    its database for each question to its model.
    """
    kind = chance.choice(sorted({interval.kind for _, interval in intervals}))
    index, interval = chance.choice([one for one in intervals if one[1].kind == kind])
    turns = chance.randint(interval.first + 1, interval.last)
    if chance.random() < _AFTER_ANSWER_SHARE:
        turns = interval.last + chance.randint(1, _HANDOFF_TURNS)
    return index, Cancellation(step=interval.step, after_step=True, turns=turns)


def _all_in_flight(
    scenario: Scenario, chance: random.Random, first: FirstRunReport
) -> Scenario:
    """A cancellation of every run, each in an interval of its own."""
    of_runs: dict[int, list[InFlightInterval]] = {}
    for index, interval in _intervals(scenario, first):
        if _is_run(scenario, index):
            of_runs.setdefault(index, []).append(interval)
    for index, intervals in of_runs.items():
        own = [(index, interval) for interval in intervals]
        scenario = _cancelled(scenario, *_in_flight(chance, own))
    return scenario


def _intervals(
    scenario: Scenario, first: FirstRunReport
) -> list[tuple[int, InFlightInterval]]:
    """(index of an operation, an in-flight interval during its waits) for each."""
    return [
        (index, interval)
        for index, operation in enumerate(scenario.operations)
        if not isinstance(operation, AdvanceTime | CollectGarbage | Shutdown)
        for interval in first.waited.get(operation.id, ())
    ]


def _counts_turns(scenario: Scenario) -> bool:
    """Whether a cancellation comes some turns after a step."""
    cancels = (operation.cancel for operation in scenario.operations)
    return any(cancel is not None and cancel.turns for cancel in cancels)


def _works_apart(scenario: Scenario, first: FirstRunReport) -> bool:
    """Whether agents work in tasks of their own, for which their operations wait."""
    steps = [
        len(first.steps.get(operation.id, ()))
        for operation in scenario.operations
        if isinstance(operation, RunAgent) and len(operation.script) > 1
    ]
    return bool(steps) and max(steps) <= _FEW_STEPS


# The scenario


def _cancelled_at(scenario: Scenario, chance: random.Random, site: _Site) -> Scenario:
    """A cancellation during one wait: before its step, or after the step before it."""
    after_step = site.step > 1 and chance.random() < _AFTER_STEP_SHARE
    cancel = Cancellation(step=site.step - after_step, after_step=after_step)
    return _cancelled(scenario, site.operation, cancel)


def _cancelled(scenario: Scenario, index: int, cancel: Cancellation) -> Scenario:
    operations = list(scenario.operations)
    operations[index] = msgspec.structs.replace(operations[index], cancel=cancel)
    return msgspec.structs.replace(scenario, operations=tuple(operations))
