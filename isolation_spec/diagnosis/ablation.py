"""Ablation: finds the choices that a violation needs, and a run that passes.

Further runs in fresh worlds leave out one choice each. A choice is needed if, all else
equal, the claim is not violated without it. One of the runs that pass is kept for
comparison with the failing run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from isolation_spec.claims import Verdict, Violation, find_claim
from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.errors import AdapterError
from isolation_spec.diagnosis.diagnosis import (
    ArrivalOrder,
    BurstChoice,
    CancellationChoice,
    Choice,
    ClassChoice,
    DemotionChoice,
    Diagnosis,
    Difference,
    OtherUsers,
    PassingRun,
    ScheduleChoice,
    SplitChoice,
)
from isolation_spec.diagnosis.provenance import trace_provenance
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import judge_with_solos, run_alone
from isolation_spec.model.history.entries import CancellationDelivered
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Chain, Scenario, Schedule
from isolation_spec.world.schedulers.replay import ReplayScheduler

__all__ = ["diagnose"]

MakeAdapter = Callable[[], Adapter]
replace = msgspec.structs.replace

_MOST_TRIED = 24
"""Further runs for choices; a shrunk scenario has far fewer choices."""
_MOST_COMPARED = 8
"""The same where each run is compared with up to 48 solo runs of each user."""
_MOST_SWAPPED = 16
_SMALL = 12
"""Operations up to which arrivals are swapped in search of a passing run."""


def diagnose(
    history: History,
    violation: Violation,
    make_adapter: MakeAdapter | None,
    *,
    is_time_up: Callable[[], bool] = lambda: False,
) -> Diagnosis:
    """Returns the diagnosis of a violation, after a few dozen further runs at most.

    Without a way to make adapters, as for a live history, no run is made; none begins
    once time is up.
    """
    ablation = _Ablation(history, violation, make_adapter, is_time_up)
    choices, passing = ablation.ablate_choices()
    if not passing:
        passing = list(ablation.find_passing_run())
    return Diagnosis(
        history=history,
        violation=violation,
        choices=choices,
        passing_run=passing[0] if passing else None,
        provenance=trace_provenance(history, violation),
    )


class _Ablation:
    """Runs the scenario of a violation again, with something changed."""

    def __init__(
        self,
        history: History,
        violation: Violation,
        make_adapter: MakeAdapter | None,
        is_time_up: Callable[[], bool],
    ) -> None:
        self.is_time_up = is_time_up
        self.history = history
        self.violation = violation
        self.make_adapter = make_adapter
        self.scenario = replace(history.scenario, schedule=history.schedule)
        self.claim = find_claim(violation.claim)
        self._left = _MOST_COMPARED if self.claim.compares else _MOST_TRIED

    def ablate_choices(self) -> tuple[tuple[ScheduleChoice, ...], list[PassingRun]]:
        """Returns each choice, and the passing runs without one that is needed.

        Runs that hold with evidence come first. The longer a passing run equals the
        failing one, the earlier it comes, as its difference says more.
        """
        choices: list[ScheduleChoice] = []
        passing: list[tuple[bool, int, PassingRun]] = []
        for choice, smaller in _choices(self.history, self.scenario):
            other = self._run(smaller)
            verdict = None if other is None else self._verdict(other)
            tried = verdict is not None
            needed = tried and verdict is not Verdict.VIOLATED
            choices.append(ScheduleChoice(choice=choice, needed=needed, tried=tried))
            if other is not None and needed:
                found = self._passing_run(other, choice)
                passing.append((verdict is Verdict.HOLDS, found.step, found))
        passing.sort(key=lambda one: one[:2], reverse=True)
        return tuple(choices), [found for *_, found in passing]

    def find_passing_run(self) -> Iterator[PassingRun]:
        """Yields a solo run for a claim that compares, else one of another order."""
        if self.claim.compares:
            yield from self._alone()
            return
        order = self.history.order if len(self.scenario.operations) <= _SMALL else ()
        self._left = min(self._left, _MOST_SWAPPED)
        for index in _swappable(order):
            first, second = order[index : index + 2]
            swapped = [*order[:index], second, first, *order[index + 2 :]]
            other = self._run(self.scenario, swapped)
            if other is not None and self._verdict(other) is Verdict.HOLDS:
                yield self._passing_run(other, ArrivalOrder(first, second))
                return

    def _alone(self) -> Iterator[PassingRun]:
        if self.make_adapter is None or not self.violation.users or self.is_time_up():
            return
        user = self.violation.users[0]
        try:
            other = run_alone(self.history, self.make_adapter, user)
        except AdapterError:
            return
        yield self._passing_run(other, OtherUsers())

    def _run(
        self, scenario: Scenario, order: Iterable[str] | None = None
    ) -> History | None:
        """Returns a run of the scenario in that order, None if no run can be made."""
        if self.make_adapter is None or self._left <= 0 or self.is_time_up():
            return None
        self._left -= 1
        following = None if order is None else ReplayScheduler(scenario.schedule, order)
        try:
            return run(scenario, self.make_adapter, scheduler=following)
        except AdapterError:
            # The adapter broke its contract in this run, which says nothing about the
            # run that is diagnosed.
            return None

    def _verdict(self, other: History) -> Verdict | None:
        assert self.make_adapter is not None
        try:
            (judged,) = judge_with_solos(other, self.make_adapter, (self.claim,))
        except AdapterError:
            return None
        return judged.verdict

    def _passing_run(self, other: History, without: Difference) -> PassingRun:
        step = _first_difference(self.history, other)
        return PassingRun(without=without, history=other, step=step)


def _swappable(order: tuple[str, ...]) -> Iterator[int]:
    """Yields indices of adjacent arrivals for two operations, last first."""
    for index in range(len(order) - 2, -1, -1):
        owners = {Chain.parse(chain).owner for chain in order[index : index + 2]}
        if len(owners) == 2 and None not in owners:
            yield index


def _first_difference(history: History, other: History) -> int:
    """Returns the index of the first entry that differs."""
    pairs = zip(history.entries, other.entries, strict=False)
    for index, (entry, instead) in enumerate(pairs):
        if entry != instead:
            return index
    return min(len(history.entries), len(other.entries))


# Choices


def _choices(history: History, scenario: Scenario) -> Iterator[tuple[Choice, Scenario]]:
    """Yields each choice with the scenario that goes without it."""
    places = {e.operation: e.place for e in history.of(CancellationDelivered)}
    for index, operation in enumerate(scenario.operations):
        cancel = operation.cancel
        if cancel is None or operation.id not in places:
            continue
        operations = list(scenario.operations)
        operations[index] = replace(operation, cancel=None)
        yield (
            CancellationChoice(operation.id, cancel, places[operation.id]),
            replace(scenario, operations=tuple(operations)),
        )
    for choice, schedule in _schedule_choices(scenario.schedule):
        yield choice, replace(scenario, schedule=schedule)


def _schedule_choices(schedule: Schedule) -> Iterator[tuple[Choice, Schedule]]:
    for chain in schedule.classes:
        rest = {c: n for c, n in schedule.classes.items() if c != chain}
        yield ClassChoice(chain), replace(schedule, classes=rest)
    for index, demotion in enumerate(schedule.demotions):
        others = schedule.demotions[:index] + schedule.demotions[index + 1 :]
        yield DemotionChoice(demotion), replace(schedule, demotions=others)
    if schedule.burst:
        yield BurstChoice(schedule.burst), replace(schedule, burst=0)
    if schedule.split:
        yield SplitChoice(), replace(schedule, split=False)
