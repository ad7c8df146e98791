"""Counts the work of a search; the statistics of several processes add up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from isolation_spec.claims import Judgement, Verdict, Violation
from isolation_spec.execution.determinism import Divergence
from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Scenario
from isolation_spec.search.coverage import Coverage
from isolation_spec.world.schedulers.pct import Bound

if TYPE_CHECKING:
    pass

__all__ = ["Finding", "SearchStatistics"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A violation, with the scenario and schedule under which it showed.

    One that was found live has its history with it, as no other run will show it.
    `difference` is where a second run of it was another one, None if nowhere.
    `number` is that of the workload.
    """

    scenario: Scenario
    violation: Violation
    history: History | None = None
    difference: Divergence | None = None
    number: int = 0


class SearchStatistics(msgspec.Struct, kw_only=True):
    """What a search has done so far; tallies of several processes add up.

    Attributes:
        places: (kind of operation, place in the engine) at which operations waited.
        cancelled: those of them at which the world cancelled one.
        reruns: runs that were repeated, to see whether the same happens.
        difference: the first that was seen in one that violates nothing.
        exhausted: small scopes of which every order of arrivals was run.
        pct: of the share that was run as pure PCT.
        time_up: True if the search ended for want of time.
        number: of the workload under way.
    """

    examples: int = 0
    interleavings: int = 0
    runs: int = 0
    reached: ActivityCounters = msgspec.field(default_factory=ActivityCounters)
    evidence: dict[str, int] = {}
    reasons: dict[str, str] = {}
    not_applicable: set[str] = set()
    found: list[Finding] = []
    interrupted: bool = False
    places: set[tuple[str, str]] = set()
    cancelled: set[tuple[str, str]] = set()
    reruns: int = 0
    difference: Divergence | None = None
    exhausted: int = 0
    pct: Bound | None = None
    time_up: bool = False
    number: int = 0
    coverage: Coverage = msgspec.field(default_factory=Coverage)

    def add(self, other: SearchStatistics) -> None:
        """Adds another tally to this one."""
        self.examples += other.examples
        self.interleavings += other.interleavings
        self.runs += other.runs
        self.reached.add(other.reached)
        for claim, count in other.evidence.items():
            self.evidence[claim] = self.evidence.get(claim, 0) + count
        self.reasons.update(other.reasons)
        self.not_applicable |= other.not_applicable
        self.found += other.found
        self.places |= other.places
        self.cancelled |= other.cancelled
        self.coverage.add(other.coverage)
        self.interrupted = self.interrupted or other.interrupted
        self.reruns += other.reruns
        self.difference = self.difference or other.difference
        self.exhausted += other.exhausted
        self.pct = self.pct if other.pct is None else other.pct.plus(self.pct)
        self.time_up = self.time_up or other.time_up

    def add_found(
        self,
        scenario: Scenario,
        violation: Violation,
        history: History | None = None,
        difference: Divergence | None = None,
    ) -> None:
        """Adds a violation, and the history with it if no other run will show it."""
        self.found.append(
            Finding(
                scenario=scenario,
                violation=violation,
                history=history,
                difference=difference,
                number=self.number,
            )
        )

    def count(self, judgement: Judgement) -> None:
        """Counts how one claim stood after one history."""
        name = judgement.claim
        self.evidence[name] = self.evidence.get(name, 0) + judgement.evidence
        if judgement.verdict is Verdict.NOT_APPLICABLE:
            self.not_applicable.add(name)
        if judgement.reason:
            self.reasons[name] = judgement.reason
        if judgement.reason.startswith("its check crashed"):
            self.reasons[f"{name} crashed"] = judgement.reason
