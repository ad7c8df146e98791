"""Counts the work of a search; the statistics of several processes add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from isolation_spec.claims import (
    LASTING,
    Judgement,
    Reason,
    Verdict,
    Violation,
)
from isolation_spec.claims.remarks import AnyRemark
from isolation_spec.execution.determinism import Divergence
from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.history.history import History
from isolation_spec.model.history.opaque import Sight
from isolation_spec.model.scenario import Scenario
from isolation_spec.search.coverage import Coverage
from isolation_spec.world.schedulers.base import Scheduler
from isolation_spec.world.schedulers.exhaustive import EnumeratingScheduler
from isolation_spec.world.schedulers.pct import Bound, PCTScheduler

__all__ = ["Finding", "SearchStatistics"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A violation, with the scenario and schedule that show it.

    Attributes:
        history: of a live run, which cannot be repeated; else None.
        divergence: where a second run differed, None if nowhere.
        number: of the workload.
    """

    scenario: Scenario
    violation: Violation
    history: History | None = None
    divergence: Divergence | None = None
    number: int = 0


class SearchStatistics(msgspec.Struct, kw_only=True):
    """The work of a search so far.

    Attributes:
        examples: workloads that were begun.
        evidence: claim -> opportunities to violate it.
        reasons: claim -> why it is inconclusive.
        crashes: claim -> how its check crashed.
        reruns: runs that were repeated, and compared step by step.
        divergence: the first one in a run without a violation.
        exhausted: small scopes of which every order of arrivals was run.
        pct: the bound of the runs under pure PCT, None without such runs.
        time_up: whether the deadline ended the search.
        number: of the workload under way.
        remarks: each remark once, in the order of the runs.
        sight: kind of operation or step -> how much was seen of its values.
        suspicions: violations of the run under way, before its control runs.
        unjudged: how many of them remained when time was up.
    """

    examples: int = 0
    interleavings: int = 0
    runs: int = 0
    reached: ActivityCounters = msgspec.field(default_factory=ActivityCounters)
    evidence: dict[str, int] = {}
    reasons: dict[str, Reason] = {}
    not_applicable: set[str] = set()
    findings: list[Finding] = []
    suspicions: list[Finding] = []
    sight: dict[str, Sight] = {}
    unjudged: int = 0
    interrupted: bool = False
    reruns: int = 0
    divergence: Divergence | None = None
    exhausted: int = 0
    pct: Bound | None = None
    time_up: bool = False
    number: int = 0
    coverage: Coverage = msgspec.field(default_factory=Coverage)
    remarks: list[AnyRemark] = []

    def add(self, other: SearchStatistics) -> None:
        """Adds the statistics of another process to these."""
        self.examples += other.examples
        self.interleavings += other.interleavings
        self.runs += other.runs
        self.reached.add(other.reached)
        for claim, count in other.evidence.items():
            self.evidence[claim] = self.evidence.get(claim, 0) + count
        for claim, reason in other.reasons.items():
            self._add_reason(claim, reason)
        self.not_applicable |= other.not_applicable
        # A run that ended in its control runs leaves a suspicion, which counts.
        self.findings += other.findings + other.suspicions
        self.unjudged += other.unjudged
        self.coverage.add(other.coverage)
        self.add_sight(other.sight)
        self.interrupted = self.interrupted or other.interrupted
        self.reruns += other.reruns
        self.divergence = self.divergence or other.divergence
        self.exhausted += other.exhausted
        self.pct = self.pct if other.pct is None else other.pct.plus(self.pct)
        self.time_up = self.time_up or other.time_up
        self.add_remarks(other.remarks)

    def add_finding(
        self,
        scenario: Scenario,
        violation: Violation,
        history: History | None = None,
        divergence: Divergence | None = None,
    ) -> None:
        """Adds a violation in the workload under way."""
        self.findings.append(
            Finding(
                scenario=scenario,
                violation=violation,
                history=history,
                divergence=divergence,
                number=self.number,
            )
        )

    def add_sight(self, sight: Mapping[str, Sight]) -> None:
        """Adds how much was seen of the values of one or more runs."""
        for kind, one in sight.items():
            self.sight.setdefault(kind, Sight()).add(one)

    def count_scheduler(self, scheduler: Scheduler) -> None:
        """Counts a run under a scheduler that gives a guarantee."""
        if isinstance(scheduler, PCTScheduler):
            self.pct = scheduler.bound().plus(self.pct)
        elif isinstance(scheduler, EnumeratingScheduler):
            completes = scheduler.has_followed_prefix()
            is_last = completes and scheduler.next_prefix() is None
            self.exhausted += is_last

    def count(self, judgement: Judgement) -> None:
        """Counts how one claim stood after one history."""
        name = judgement.claim
        self.evidence[name] = self.evidence.get(name, 0) + judgement.evidence
        if judgement.verdict is Verdict.NOT_APPLICABLE:
            self.not_applicable.add(name)
        if judgement.reason is not None:
            self._add_reason(name, judgement.reason)

    def add_remarks(self, remarks: Iterable[AnyRemark]) -> None:
        """Adds the remarks that were not made before."""
        self.remarks += (one for one in remarks if one not in self.remarks)

    def _add_reason(self, claim: str, reason: Reason) -> None:
        """Keeps the latest reason of a claim, but never drops a crash of its check."""
        known = self.reasons.get(claim)
        if known is None or known.kind not in LASTING:
            self.reasons[claim] = reason
