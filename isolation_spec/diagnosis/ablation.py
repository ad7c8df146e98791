"""What is told of a violation: which choices matter, what passes, where values went.

Further runs in fresh worlds tell which decisions are needed: without each of those, and
all else equal, the claim is not violated. One such run is the passing neighbour. The
words are for `explain` and for the pages to choose; here are only the facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from isolation_spec.claims import Verdict, Violation, find_claim
from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.errors import AdapterError
from isolation_spec.diagnosis.diagnosis import (
    ChoiceKind,
    Diagnosis,
    PassingRun,
    ScheduleChoice,
)
from isolation_spec.diagnosis.provenance import trace_provenance
from isolation_spec.diagnosis.wording import (
    describe_cancellation,
    describe_chain,
    describe_demotion,
    describe_owner,
)
from isolation_spec.execution.await_probe import BEFORE_FIRST_STEP
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import judge_with_solos, run_alone
from isolation_spec.model.history.entries import CancellationDelivered
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Cancellation, Chain, Scenario, Schedule
from isolation_spec.world.schedulers.replay import ReplayScheduler

__all__ = ["diagnose"]

MakeAdapter = Callable[[], Adapter]
replace = msgspec.structs.replace

_MOST_TRIED = 24
"""Further runs for decisions; a shrunk scenario has far fewer."""
_MOST_COMPARED = 8
"""The same where each is compared with up to 48 solo runs of each user."""
_MOST_SWAPPED = 16
_SMALL = 12
"""Operations up to which a run is looked for that has but two arrivals swapped."""


def diagnose(
    history: History, violation: Violation, make_adapter: MakeAdapter | None
) -> Diagnosis:
    """The story of a violation in a history; a few dozen further runs at most.

    Without a way to make adapters, as for what was found live, nothing is run again.
    """
    rerun = _Rerun(history, violation, make_adapter)
    decisions, neighbours = rerun.without_each()
    if not neighbours:
        neighbours = list(rerun.otherwise())
    return Diagnosis(
        history=history,
        violation=violation,
        decisions=decisions,
        neighbour=neighbours[0] if neighbours else None,
        hops=trace_provenance(history, violation),
    )


class _Rerun:
    """Runs the scenario of a violation again, with something changed."""

    def __init__(
        self, history: History, violation: Violation, make_adapter: MakeAdapter | None
    ) -> None:
        self.history = history
        self.violation = violation
        self.make_adapter = make_adapter
        self.scenario = replace(history.scenario, schedule=history.schedule)
        self.claim = find_claim(violation.claim)
        self._left = _MOST_COMPARED if self.claim.compares else _MOST_TRIED

    def without_each(self) -> tuple[tuple[ScheduleChoice, ...], list[PassingRun]]:
        """Each decision, and the passing runs without one that is needed.

        First of these stand those in which the claim was put to the test and held; and
        the longer both runs go together, the more their difference says.
        """
        decisions: list[ScheduleChoice] = []
        passing: list[tuple[bool, int, PassingRun]] = []
        for decision, smaller in _decisions(self.history, self.scenario):
            other = self._run(smaller)
            verdict = None if other is None else self._verdict(other)
            tried = verdict is not None
            needed = tried and verdict is not Verdict.VIOLATED
            decisions.append(replace(decision, needed=needed, tried=tried))
            if other is not None and needed:
                neighbour = self._neighbour(other, decision.text)
                passing.append((verdict is Verdict.HOLDS, neighbour.step, neighbour))
        passing.sort(key=lambda one: one[:2], reverse=True)
        return tuple(decisions), [neighbour for *_, neighbour in passing]

    def otherwise(self) -> Iterator[PassingRun]:
        """Yields a passing run that differs in what a claim compares, or in its
        order."""
        if self.claim.compares:
            yield from self._alone()
            return
        order = self.history.order if len(self.scenario.operations) <= _SMALL else ()
        self._left = min(self._left, _MOST_SWAPPED)
        for index in _swappable(order):
            swapped = list(order)
            swapped[index : index + 2] = reversed(order[index : index + 2])
            other = self._run(self.scenario, swapped)
            if other is not None and self._verdict(other) is Verdict.HOLDS:
                first, second = (self._chain(c) for c in order[index : index + 2])
                yield self._neighbour(other, f"{first} coming before {second}")
                return

    def _alone(self) -> Iterator[PassingRun]:
        if self.make_adapter is None or not self.violation.users:
            return
        user = self.violation.users[0]
        try:
            other = run_alone(self.history, self.make_adapter, user)
        except AdapterError:
            return
        yield self._neighbour(other, "what the others do")

    def _run(
        self, scenario: Scenario, order: Iterable[str] | None = None
    ) -> History | None:
        """The scenario's run, in that order; None if it cannot be made any more."""
        if self.make_adapter is None or self._left <= 0:
            return None
        self._left -= 1
        following = None if order is None else ReplayScheduler(scenario.schedule, order)
        try:
            return run(scenario, self.make_adapter, scheduler=following)
        except AdapterError:
            # The adapter broke its contract in this run, which says nothing of the one
            # that is to be explained.
            return None

    def _verdict(self, other: History) -> Verdict | None:
        assert self.make_adapter is not None
        try:
            (judged,) = judge_with_solos(other, self.make_adapter, (self.claim,))
        except AdapterError:
            return None
        return judged.verdict

    def _chain(self, chain: str) -> str:
        return describe_chain(self.scenario, chain)

    def _neighbour(self, other: History, without: str) -> PassingRun:
        return PassingRun(
            without=without, history=other, step=_parting(self.history, other)
        )


def _swappable(order: tuple[str, ...]) -> Iterator[int]:
    """Yields places at which arrivals of two operations follow each other, last
    first."""
    for index in range(len(order) - 2, -1, -1):
        owners = {Chain.parse(chain).owner for chain in order[index : index + 2]}
        if len(owners) == 2 and None not in owners:
            yield index


def _parting(history: History, other: History) -> int:
    """The index of the first entry that differs."""
    pairs = zip(history.entries, other.entries, strict=False)
    for index, (entry, instead) in enumerate(pairs):
        if entry != instead:
            return index
    return min(len(history.entries), len(other.entries))


# Decisions


def _decisions(
    history: History, scenario: Scenario
) -> Iterator[tuple[ScheduleChoice, Scenario]]:
    """Yields each decision with the scenario that goes without it."""
    places = {e.operation: e.place for e in history.of(CancellationDelivered)}
    for index, operation in enumerate(scenario.operations):
        cancel = operation.cancel
        if cancel is None or operation.id not in places:
            continue
        kept = list(scenario.operations)
        kept[index] = replace(operation, cancel=None)
        words = _cancellation(scenario, operation.id, cancel, places[operation.id])
        yield (
            _decision(ChoiceKind.CANCELLATION, operation.id, words),
            replace(scenario, operations=tuple(kept)),
        )
    for decision, schedule in _choices(scenario):
        yield decision, replace(scenario, schedule=schedule)


def _cancellation(
    scenario: Scenario, operation: int, cancel: Cancellation, place: str
) -> str:
    where = "" if place == BEFORE_FIRST_STEP else f", at {place}"
    whose = describe_owner(scenario, operation)
    return f"the cancellation of {whose} {describe_cancellation(cancel)}{where}"


def _decision(kind: ChoiceKind, operation: int | None, text: str) -> ScheduleChoice:
    return ScheduleChoice(kind=kind, operation=operation, text=text, needed=False)


def _choices(scenario: Scenario) -> Iterator[tuple[ScheduleChoice, Schedule]]:
    schedule = scenario.schedule
    for chain in schedule.classes:
        rest = {c: n for c, n in schedule.classes.items() if c != chain}
        text = f"holding back {describe_chain(scenario, chain)}"
        yield (
            _decision(ChoiceKind.CLASS, Chain.parse(chain).owner, text),
            replace(schedule, classes=rest),
        )
    for index, demotion in enumerate(schedule.demotions):
        kept = schedule.demotions[:index] + schedule.demotions[index + 1 :]
        text = describe_demotion(scenario, demotion)
        yield (
            _decision(ChoiceKind.DEMOTION, Chain.parse(demotion.chain).owner, text),
            replace(schedule, demotions=kept),
        )
    if schedule.burst:
        more = "a further arrival" if schedule.burst == 1 else "further arrivals"
        text = f"letting {more} in before ready callbacks run"
        yield _decision(ChoiceKind.BURST, None, text), replace(schedule, burst=0)
    if schedule.split:
        text = "delivering adjacent data piece by piece"
        yield _decision(ChoiceKind.SPLIT, None, text), replace(schedule, split=False)
