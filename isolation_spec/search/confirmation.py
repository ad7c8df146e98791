"""Confirms a finding: shrinks it, replays it twice, explains and saves it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from isolation_spec.claims import CLAIMS, Violation, find_claim
from isolation_spec.contract.adapter import Adapter
from isolation_spec.diagnosis.ablation import diagnose
from isolation_spec.diagnosis.explanation import explain
from isolation_spec.diagnosis.shrink.predicate import FailurePredicate
from isolation_spec.diagnosis.shrink.shrinker import SHRINK_SECONDS, Shrinker
from isolation_spec.diagnosis.shrink.sort_key import size
from isolation_spec.diagnosis.wording import describe_violation
from isolation_spec.engines.registry import Engine
from isolation_spec.execution.containment import without_pool_warnings
from isolation_spec.execution.control_runs import judge_run
from isolation_spec.execution.determinism import Divergence, divergence_of_rerun
from isolation_spec.execution.process_memory import frozen_heap
from isolation_spec.execution.run import run
from isolation_spec.failure import make_failure
from isolation_spec.failure.file import unconfirmed_name
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Scenario
from isolation_spec.search.events import (
    FailureFound,
    FailureSaved,
    Listener,
    Shrinking,
    Shrunk,
)
from isolation_spec.search.failure_store import FailureStore
from isolation_spec.search.statistics import Finding

__all__ = ["Confirmation", "confirm"]


class TimeIsUp(Exception):
    """There is no time for a further run of a confirmation."""


class Confirmation(msgspec.Struct, frozen=True):
    """The outcome of confirming one finding.

    Attributes:
        path: the failure file, "" if it could not be written.
        confirmed: whether two replays of the shrunk scenario showed the same failure.
        divergence: where two runs of one scenario differed, None if nowhere.
        hang: the sentence about a run that hung or died, else "".
        cut: the parts for which there was no time, as "its shrinking"; else "".
        beside: for a claim that compares users with solo runs: further findings in
            the shrunk scenario. That claim shows a leak; these explain it.
    """

    claim: str
    path: str
    confirmed: bool
    divergence: Divergence | None = None
    hang: str = ""
    cut: str = ""
    beside: tuple[Finding, ...] = ()

    def describe_cut(self) -> str:
        """The sentence about the parts for which there was no time."""
        return f"{self.claim}: time was up before the end of {self.cut}"


@without_pool_warnings()
@frozen_heap()
def confirm(
    engine: Engine,
    finding: Finding,
    store: FailureStore,
    listen: Listener | None = None,
    check: Callable[[], None] = lambda: None,
    seconds: float = SHRINK_SECONDS,
    within: float = math.inf,
    clock: Callable[[], float] = time.monotonic,
) -> Confirmation:
    """Saves a violation as found, shrinks it, replays it twice, and saves the result.

    Shrinking ends after so many seconds with the smallest scenario so far. `check` is
    called before each run; the file that was saved first survives its exceptions.
    Events go to `listen`, by default to the listener of the store.

    Arguments:
        within: seconds after which no further run begins. Shrinking has at most half.
        clock: gives the seconds of both.
    """
    listen = listen or store.listen
    confirming = _Confirming(engine, finding, store, listen, check, within, clock)
    return confirming.confirm(seconds)


class _Confirming:
    """The steps of one confirmation."""

    def __init__(
        self,
        engine: Engine,
        finding: Finding,
        store: FailureStore,
        listen: Listener,
        check: Callable[[], None],
        within: float,
        clock: Callable[[], float],
    ) -> None:
        self.within = within
        self.clock = clock
        self._until = clock() + within
        self._cut: list[str] = []
        self.engine = engine
        self.finding = finding
        self.store = store
        self.listen = listen
        self._check = check

    def is_time_up(self) -> bool:
        """Whether no further run may begin."""
        return self.clock() > self._until

    def check(self) -> None:
        """Called before each run.

        Raises:
            TimeIsUp: there is no time for it.
        """
        self._check()
        if self.is_time_up():
            raise TimeIsUp

    def confirm(self, seconds: float) -> Confirmation:
        finding = self.finding
        history = run(finding.scenario, self.engine.make_adapter)
        unshrunk = make_failure(
            self.engine.name, history, finding.violation, confirmed=False
        )
        first = self.store.save(unshrunk)
        self._drop_other(first)
        path = self.store.path_of(first)
        users = finding.scenario.users
        self.listen(
            FailureFound(
                violation=finding.violation,
                observation=describe_violation(finding.violation, users).however,
                path=path,
            )
        )
        try:
            return self._confirm(first, history, seconds)
        except TimeIsUp:
            claim = finding.violation.claim
            return Confirmation(claim, path, False, cut="its confirmation")

    def _confirm(self, first: Path, history: History, seconds: float) -> Confirmation:
        """Shrinks the finding that was saved first, and replays it twice."""
        finding, predicate = self.finding, self._predicate()
        if not predicate.fails(finding.scenario):
            divergence = finding.divergence or self._divergence(history)
            return self._unconfirmed(first, divergence)
        smallest = self._shrink(predicate, seconds)
        # A predicate of its own: the shrinker's knows the solo runs of before.
        fails = self._predicate().failure
        failures = [
            one for one in (fails(smallest), fails(smallest)) if one is not None
        ]
        if not failures:
            history = run(smallest, self.engine.make_adapter)
            divergence = self._divergence(history) or finding.divergence
            return self._unconfirmed(first, divergence)
        digests = {history.digest() for history, _ in failures}
        confirmed = len(failures) == 2 and len(digests) == 1
        return self._save(first, *failures[0], confirmed=confirmed)

    def _drop_other(self, first: Path) -> None:
        """Removes the file that the search saved, if a second run was another one."""
        violation, scenario = self.finding.violation, self.finding.scenario
        name = unconfirmed_name(self.engine.name, violation.claim, scenario)
        if name != first.name:
            self.store.drop(first.with_name(name))

    def _predicate(self) -> FailurePredicate:
        return FailurePredicate(
            self.engine.make_adapter,
            self.finding.scenario,
            (self.finding.violation,),
            check=self.check,
        )

    def _divergence(self, history: History) -> Divergence | None:
        return divergence_of_rerun(history, self.engine.make_adapter)

    def _unconfirmed(self, first: Path, divergence: Divergence | None) -> Confirmation:
        path, claim = self.store.path_of(first), self.finding.violation.claim
        return Confirmation(claim, path, False, divergence)

    def _shrink(self, predicate: FailurePredicate, seconds: float) -> Scenario:
        claim, scenario = self.finding.violation.claim, self.finding.scenario

        share = self.within / 2

        def progressed(runs: int, smallest: Scenario) -> None:
            self.listen(Shrinking(claim=claim, runs=runs, size=size(smallest)[:2]))

        shrinker = Shrinker(
            predicate.fails,
            observe=predicate.observe,
            seconds=min(seconds, share),
            clock=self.clock,
            progressed=progressed,
        )
        smallest = shrinker.shrink(scenario)
        if share < seconds and shrinker.is_time_up():
            self._cut.append("its shrinking")
        before, after = size(scenario)[:2], size(smallest)[:2]
        self.listen(Shrunk(claim=claim, before=before, after=after, runs=shrinker.runs))
        return smallest

    def _save(
        self, first: Path, history: History, violation: Violation, *, confirmed: bool
    ) -> Confirmation:
        """Saves a failure of the shrunk scenario in place of the first one."""
        divergence = None
        if not confirmed:
            divergence = self._divergence(history) or self.finding.divergence
        failure = make_failure(
            self.engine.name, history, violation, confirmed=confirmed
        )
        # Explained before it is saved: an interrupt then leaves the first file.
        diagnosis = diagnose(
            history, violation, self._make_checked, is_time_up=self.is_time_up
        )
        if self.is_time_up():
            self._cut.append("its story")
        explanation = explain(diagnosis)
        path = self.store.save(failure)
        if path != first:
            self.store.drop(first)
        saved = self.store.path_of(path)
        self.listen(
            FailureSaved(
                scenario=failure.scenario,
                violation=violation,
                engine=self.engine.name,
                path=saved,
                confirmed=confirmed,
                difference=str(divergence or ""),
                explanation=explanation,
            )
        )
        beside: tuple[Finding, ...] = ()
        if confirmed and not self.is_time_up():
            beside = _beside(self.engine, history, violation)
        return Confirmation(
            violation.claim,
            saved,
            confirmed,
            divergence,
            cut=" and ".join(self._cut),
            beside=beside,
        )

    def _make_checked(self) -> Adapter:
        self._check()
        return self.engine.make_adapter()


def _beside(
    engine: Engine, history: History, violation: Violation
) -> tuple[Finding, ...]:
    if not find_claim(violation.claim).compares:
        return ()
    capabilities = engine.make_adapter().capabilities
    claims = tuple(claim for claim in CLAIMS if not claim.compares)
    return tuple(
        Finding(scenario=history.scenario, violation=judgement.violations[0])
        for judgement in judge_run(history, engine.make_adapter, capabilities, claims)
        if judgement.violations
    )
