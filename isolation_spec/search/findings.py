"""Confirms the findings of a search: one failure file for each violated claim."""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

import msgspec

from isolation_spec.diagnosis.ablation import diagnose
from isolation_spec.diagnosis.explanation import explain
from isolation_spec.execution.interrupts import Interrupts
from isolation_spec.execution.isolation.subprocess import Parent, run_in_subprocess
from isolation_spec.failure import make_failure
from isolation_spec.model.history.history import History
from isolation_spec.search.confirmation import Confirmation, confirm
from isolation_spec.search.events import Event, FailureFound, FailureSaved
from isolation_spec.search.failure_store import FailureStore, Unsaved
from isolation_spec.search.plan import SearchPlan
from isolation_spec.search.statistics import Finding, SearchStatistics
from isolation_spec.world.schedulers.base import Scheduler

__all__ = ["confirm_findings"]


class EventSent(msgspec.Struct, frozen=True, tag=True):
    """An event for the listeners of the parent."""

    event: Event


class NotWritten(msgspec.Struct, frozen=True, tag=True):
    """A file for the parent to hold, as it could not be written."""

    unsaved: Unsaved


class Confirmed(msgspec.Struct, frozen=True, tag=True):
    """The result of a confirmation."""

    confirmation: Confirmation


Message: TypeAlias = EventSent | NotWritten | Confirmed


def confirm_findings(
    plan: SearchPlan, statistics: SearchStatistics, store: FailureStore
) -> tuple[list[Confirmation], list[str]]:
    """Shrinks, confirms and saves one failure for each claim that was violated.

    Each is confirmed in a process of its own, unless the plan has this process alone.
    The remaining time of the plan is shared among the findings. Returns the
    confirmations, and why some finding is inconclusive. An interrupt leaves the file
    that was saved as found.
    """
    confirmations: dict[str, Confirmation] = {}
    reasons: list[str] = []
    findings = deque(statistics.findings)
    while findings:
        finding = findings.popleft()
        claim = finding.violation.claim
        if claim in confirmations:
            continue
        try:
            seconds = plan.seconds_left() / (len(findings) + 1)
            confirmation = _Confirmer(plan, store, finding, seconds).confirm()
        except _Interrupted as interrupted:
            statistics.interrupted = True
            path = interrupted.path
            if path is not None:
                confirmations[claim] = Confirmation(claim, path, False)
            break
        confirmations[claim] = confirmation
        findings.extend(confirmation.beside)
        reasons += _reasons(confirmation, is_live=finding.history is not None)
    return list(confirmations.values()), reasons


def _reasons(confirmation: Confirmation, *, is_live: bool) -> list[str]:
    once = f"{confirmation.claim}: violated once, "
    if confirmation.hang:
        return [f"{once}then {confirmation.hang}"]
    if confirmation.confirmed or is_live:
        return []
    if confirmation.cut:
        return [confirmation.describe_cut()]
    if confirmation.divergence is not None:
        return [f"{once}but not deterministic: {confirmation.divergence}"]
    return [
        f"{once}but not deterministic: no step of a second run differed, but its "
        "verdict"
    ]


class _Interrupted(Exception):
    """An interrupt ended a confirmation; `path` is the file saved as found, if any."""

    def __init__(self, path: str | None) -> None:
        super().__init__(path)
        self.path = path


class _Confirmer:
    """Confirms one finding, in the way that the plan requires."""

    def __init__(
        self, plan: SearchPlan, store: FailureStore, finding: Finding, seconds: float
    ) -> None:
        self.plan = plan
        self.seconds = seconds
        self.engine = plan.engine
        self.store = store
        self.finding = finding
        self.first_path: str | None = None
        self.confirmation: Confirmation | None = None

    def confirm(self) -> Confirmation:
        """The confirmation of the finding, saved and reported.

        Raises:
            AdapterError: the adapter broke its contract.
            _Interrupted: there was an interrupt.
        """
        if self.finding.history is not None:
            return self._save_live(self.finding.history)
        try:
            with Interrupts() as interrupts:
                if self.plan.processes:
                    return self._confirm_apart(interrupts)
                return self._confirm_here(interrupts)
        except KeyboardInterrupt:
            raise _Interrupted(self.first_path) from None

    def _listen(self, event: Event) -> None:
        if isinstance(event, FailureFound):
            self.first_path = event.path
        self.store.listen(event)

    def _confirm_here(self, interrupts: Interrupts) -> Confirmation:
        return confirm(
            self.engine,
            self.finding,
            self.store,
            self._listen,
            interrupts.check,
            within=self.seconds,
        )

    def _confirm_apart(self, interrupts: Interrupts) -> Confirmation:
        """Confirms in a process that the engine may hang, or end."""
        hang = run_in_subprocess(
            self._work,
            Message,
            receive=self._receive,
            name="the shrinking",
            engine=self.engine.name,
            adapter=self.engine.adapter_name,
            allowed=self.plan.run_timeout,
            is_interrupted=lambda: interrupts.heard,
        )
        if self.confirmation is not None:
            return self.confirmation
        assert hang is not None
        path = self.store.save_hang(hang)
        claim = self.finding.violation.claim
        return Confirmation(claim, self.first_path or path, False, hang=hang.sentence())

    def _work(self, parent: Parent[Message]) -> None:
        scenario = self.finding.scenario
        parent.beacon.begin_run(0, scenario, Scheduler(scenario.schedule))

        def listen(event: Event) -> None:
            parent.send(EventSent(event))

        def check() -> None:
            if parent.wants_stop():
                raise KeyboardInterrupt

        store = FailureStore(self.store.folder, listen)
        store.unsaved_listener = lambda unsaved: parent.send(NotWritten(unsaved))
        confirmation = confirm(
            self.engine, self.finding, store, listen, check, within=self.seconds
        )
        parent.send(Confirmed(confirmation))

    def _receive(self, message: Message) -> None:
        match message:
            case EventSent(event):
                self._listen(event)
            case NotWritten(unsaved):
                self.store.take_unsaved(unsaved)
            case Confirmed(confirmation):
                self.confirmation = confirmation

    def _save_live(self, history: History) -> Confirmation:
        """Saves a violation as found: a live run can be neither shrunk nor replayed."""
        violation = self.finding.violation
        failure = make_failure(self.engine.name, history, violation, confirmed=False)
        path = self.store.path_of(self.store.save(failure))
        self.store.listen(
            FailureSaved(
                scenario=failure.scenario,
                violation=violation,
                engine=self.engine.name,
                path=path,
                confirmed=False,
                world="live",
                explanation=explain(diagnose(history, violation, None)),
            )
        )
        return Confirmation(violation.claim, path, False)
