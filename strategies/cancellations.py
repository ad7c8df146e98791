"""Where operations are cancelled: aimed at what one run of the workload showed."""

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

_IN_LINE = 0.3
"""How often somebody is cancelled where they wait for another, if anybody did."""
_FIRST_IN_LINE = 0.15
"""How often then it is the one for whom they wait."""
_TOGETHER = 0.1
"""How often else the runs of two users are cancelled at the same place."""
_ALL_OF_THEM = 0.25
"""How often then it is all runs that come there."""
_ELSEWHERE, _IN_OWN_TASK = 0.85, 0.03
"""How often it is in the midst of a wait, where agents work in tasks of their own, and
where they work in the task of the operation, as then most waits are its own."""
_FEW_STEPS = 5
"""Of the task of a run, whatever its agent does."""
_HANDED_ON = 3
"""Turns of the loop that an answer takes, from task to task, to who waits for it."""


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


class _Place(NamedTuple):
    """Before a step of an operation, by its index, its task waits at this place."""

    operation: int
    step: int
    where: str


def with_cancellations(
    scenario: Scenario, chance: random.Random, first: FirstRunReport
) -> CancelledScenario:
    """The scenario with up to two more cancellations, seldom with many."""
    places = _places(scenario, first)
    if first.handed and chance.random() < _IN_LINE:
        return CancelledScenario(_in_line(scenario, chance, places, first), 0.5)
    if chance.random() >= _TOGETHER:
        for _ in range(chance.choices((0, 1, 2), (35, 45, 20))[0]):
            scenario = _anywhere(scenario, chance, places, first)
    elif _works_elsewhere(scenario, first):
        scenario = _all_in_the_midst(scenario, chance, first)
    else:
        return CancelledScenario(_together(scenario, chance, places), 0.5)
    # Turns are counted: under another schedule they would be others.
    return CancelledScenario(scenario, 0.8 if _is_in_the_midst(scenario) else 0.0)


def with_each_cancellation(
    scenario: Scenario, first: FirstRunReport
) -> Iterator[Scenario]:
    """The scenario with one more cancellation, before and after every step."""
    for place in _places(scenario, first):
        for after_step in (False, True):
            cancel = Cancellation(step=place.step, after_step=after_step)
            yield _cancelled(scenario, place.operation, cancel)


# Who, and where


def _anywhere(
    scenario: Scenario,
    chance: random.Random,
    places: list[_Place],
    first: FirstRunReport,
) -> Scenario:
    """One more cancellation, half of the time of a run.

    Half of the time any step is as likely as another, else any place in the engine, as
    most steps wait at few of them.
    """
    elsewhere = _works_elsewhere(scenario, first)
    if chance.random() < (_ELSEWHERE if elsewhere else _IN_OWN_TASK):
        waits = _waits(scenario, first)
        if chance.random() < 0.7:
            waits = [w for w in waits if _is_run(scenario, w[0])] or waits
        if waits:
            return _cancelled(scenario, *_midst(chance, waits))
    if chance.random() < 0.5:
        places = [one for one in places if _is_run(scenario, one.operation)] or places
    if not places:
        return scenario
    if chance.random() < 0.5:
        where = chance.choice(sorted({one.where for one in places}))
        places = [one for one in places if one.where == where]
    return _cancelled_at(scenario, chance, chance.choice(places))


def _in_line(
    scenario: Scenario,
    chance: random.Random,
    places: list[_Place],
    first: FirstRunReport,
) -> Scenario:
    """One or two who are cancelled where they wait for another, or that other.

    They wait at one place in the engine, any as likely as another; mostly what they
    waited for is theirs already. Who is waited for is cancelled at any step.
    """
    lines: dict[str, list[tuple[_Place, int | None]]] = {}
    for place in places:
        for one in first.handed.get(scenario.operations[place.operation].id, ()):
            if one.step == place.step:
                lines.setdefault(place.where, []).append((place, one.giver))
    if not lines:
        return scenario
    line = lines[chance.choice(sorted(lines))]
    if chance.random() < _FIRST_IN_LINE:
        _, giver = chance.choice(line)
        own = [one for one in places if scenario.operations[one.operation].id == giver]
        return _cancelled_at(scenario, chance, chance.choice(own)) if own else scenario
    for place, _ in chance.sample(line, min(len(line), chance.choice((1, 1, 2)))):
        after_step = chance.random() < 0.4
        cancel = Cancellation(step=place.step - after_step, after_step=after_step)
        scenario = _cancelled(scenario, place.operation, cancel)
    return scenario


def _together(
    scenario: Scenario, chance: random.Random, places: list[_Place]
) -> Scenario:
    """Runs that are cancelled at one place in the engine, one of each of two users or
    all that come there: what is undone for the one meets what is undone for the other.
    """
    reached: dict[str, dict[int, list[_Place]]] = {}
    for place in places:
        run = scenario.operations[place.operation]
        if isinstance(run, RunAgent):
            reached.setdefault(place.where, {}).setdefault(run.user, []).append(place)
    shared = sorted(where for where, users in reached.items() if len(users) > 1)
    if not shared:
        return scenario
    users = reached[chance.choice(shared)]
    own = [chance.choice(users[user]) for user in chance.sample(sorted(users), 2)]
    if chance.random() < _ALL_OF_THEM:
        own = [place for user in users for place in users[user]]
    for place in own:
        scenario = _cancelled_at(scenario, chance, place)
    return scenario


def _places(scenario: Scenario, first: FirstRunReport) -> list[_Place]:
    """Where each operation waited, before each of its steps."""
    return [
        _Place(index, step, f"{type(operation).__name__} {where}")
        for index, operation in enumerate(scenario.operations)
        if not isinstance(operation, AdvanceTime | CollectGarbage | Shutdown)
        for step, where in enumerate(first.steps.get(operation.id, ()), start=1)
    ]


def _is_run(scenario: Scenario, index: int) -> bool:
    return isinstance(scenario.operations[index], RunAgent)


# In the midst of a wait


def _midst(
    chance: random.Random, waits: list[tuple[int, InFlightInterval]]
) -> tuple[int, Cancellation]:
    """(index of an operation, when it is cancelled) before what was under way came in,
    or just after, while it is handed on.

    Any kind of it is as likely as another: an engine asks its database a hundred times
    as often as its model.
    """
    kind = chance.choice(sorted({wait.kind for _, wait in waits}))
    index, wait = chance.choice([one for one in waits if one[1].kind == kind])
    turns = chance.randint(wait.first + 1, wait.last)
    if chance.random() < 0.3:
        turns = wait.last + chance.randint(1, _HANDED_ON)
    return index, Cancellation(step=wait.step, after_step=True, turns=turns)


def _all_in_the_midst(
    scenario: Scenario, chance: random.Random, first: FirstRunReport
) -> Scenario:
    """All runs are cancelled, each in the midst of a wait of its own."""
    of_runs: dict[int, list[InFlightInterval]] = {}
    for index, wait in _waits(scenario, first):
        if _is_run(scenario, index):
            of_runs.setdefault(index, []).append(wait)
    for index, waits in of_runs.items():
        midst = _midst(chance, [(index, wait) for wait in waits])
        scenario = _cancelled(scenario, *midst)
    return scenario


def _waits(
    scenario: Scenario, first: FirstRunReport
) -> list[tuple[int, InFlightInterval]]:
    """(index of an operation, what was under way while it waited) for each."""
    return [
        (index, wait)
        for index, operation in enumerate(scenario.operations)
        if not isinstance(operation, AdvanceTime | CollectGarbage | Shutdown)
        for wait in first.waited.get(operation.id, ())
    ]


def _is_in_the_midst(scenario: Scenario) -> bool:
    """True if somebody is cancelled while others work for them."""
    cancels = (operation.cancel for operation in scenario.operations)
    return any(cancel is not None and cancel.turns for cancel in cancels)


def _works_elsewhere(scenario: Scenario, first: FirstRunReport) -> bool:
    """True if agents work in tasks of their own, and those who ask for runs wait: then
    a run is cancelled in the midst of that wait, or nowhere."""
    made = [
        len(first.steps.get(operation.id, ()))
        for operation in scenario.operations
        if isinstance(operation, RunAgent) and len(operation.script) > 1
    ]
    return bool(made) and max(made) <= _FEW_STEPS


# The scenario


def _cancelled_at(scenario: Scenario, chance: random.Random, place: _Place) -> Scenario:
    """Waiting before a step is waiting after the one before."""
    after_step = place.step > 1 and chance.random() < 0.5
    cancel = Cancellation(step=place.step - after_step, after_step=after_step)
    return _cancelled(scenario, place.operation, cancel)


def _cancelled(scenario: Scenario, index: int, cancel: Cancellation) -> Scenario:
    operations = list(scenario.operations)
    operations[index] = msgspec.structs.replace(operations[index], cancel=cancel)
    return msgspec.structs.replace(scenario, operations=tuple(operations))
