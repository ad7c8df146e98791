"""Runs the workloads of one process, judges the runs, and counts."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, NoReturn

import msgspec

from isolation_spec.claims import CLAIMS, Judgement, judge
from isolation_spec.claims.remarks import remarks_on
from isolation_spec.contract.capability_filter import restrict_to_capabilities
from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.containment import without_pool_warnings
from isolation_spec.execution.control_runs import EngineRuns, review
from isolation_spec.execution.determinism import Sample
from isolation_spec.execution.hang import HangReport
from isolation_spec.execution.isolation.beacon import RunBeacon
from isolation_spec.execution.isolation.time_limit import TimeLimit
from isolation_spec.execution.process_memory import frozen_heap
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import Solos, comparable, solo_runs
from isolation_spec.model.history.history import History
from isolation_spec.search.plan import SearchPlan
from isolation_spec.search.statistics import SearchStatistics
from isolation_spec.search.suspicions import drop_suspicion, save_suspicions
from isolation_spec.world.interface import WorldInterface

if TYPE_CHECKING:
    from isolation_spec.search.corpus import CorpusWriter
    from isolation_spec.strategies.schedules import ScheduledRun
    from isolation_spec.strategies.workloads import Workload

__all__ = ["WorkloadRunner"]

_COMPARING = tuple(claim for claim in CLAIMS if claim.compares)
_ALONE = tuple(claim for claim in CLAIMS if not claim.compares)
"""The claims that need no solo run."""
_COLLECT_EVERY = 20
"""Runs between two collections of garbage. A collection takes 3.5 to 5 ms on a frozen
heap, and 16 to 22 ms on another."""


class StopSearch(Exception):
    """The search is over: there is a finding, or its caller needs no further run."""


class _BrokenRun(Exception):
    """The adapter broke a run; the next workload may fare better."""


class WorkloadRunner:
    """Runs each workload under several schedules, judges the runs, and counts.

    Arguments:
        progressed: takes the statistics after each run; returns whether to go on.
        live_seed: decides the delays of live worlds.
        corpus: keeps each scenario before it is run.
        limit: takes each run before it begins.
        report: takes each run that the adapter broke; None to raise its error.
    """

    def __init__(
        self,
        plan: SearchPlan,
        progressed: Callable[[SearchStatistics], bool],
        live_seed: str,
        corpus: CorpusWriter | None,
        limit: RunBeacon | TimeLimit | None,
        report: Callable[[HangReport], None] | None = None,
    ) -> None:
        self.report = report
        self.plan = plan
        self.progressed = progressed
        self.live_seed = live_seed
        self.corpus = corpus
        self.limit = limit
        self.engine = plan.engine
        self.capabilities = plan.engine.make_adapter().capabilities
        self.sample = Sample(plan.engine.make_adapter)
        self.statistics = SearchStatistics()
        self._since_collection = 0
        self._ordinal = 0
        self._orders: set[tuple[bytes, str]] = set()
        self._constants: dict[tuple[str, str], int] = {}

    def run_all(self, workloads: Iterable[Workload]) -> SearchStatistics:
        """Runs the workloads until there is a finding, or no reason to go on."""
        with frozen_heap(), without_pool_warnings():
            try:
                for workload in workloads:
                    with contextlib.suppress(_BrokenRun):
                        self._run_workload(workload)
            except StopSearch:
                pass
            except KeyboardInterrupt:
                self.statistics.interrupted = True
        return self.statistics

    def _run_workload(self, workload: Workload) -> None:
        from isolation_spec.strategies.scheduled_runs import scheduled_runs

        if self.statistics.findings:
            raise StopSearch
        scenario = restrict_to_capabilities(workload.scenario, self.capabilities)
        self.statistics.examples += 1
        self.statistics.number = workload.number
        self._ordinal = 0
        self._orders.clear()
        # For each workload anew: any division among workers then judges the same.
        self._constants.clear()
        if self.corpus is not None:
            self.corpus.draw(workload)
        runs = scheduled_runs(
            workload._replace(scenario=scenario),
            self.plan.profile,
            control=self.plan.control,
            is_live=self.plan.live is not None,
        )
        scheduled: ScheduledRun | None = next(runs)
        while scheduled is not None:
            scheduled = _next_run(runs, self._run(scheduled))
        if self.corpus is not None:
            self.corpus.keep(workload, self.statistics.coverage.sites())

    def _run(self, scheduled: ScheduledRun) -> History:
        """The history of one run, reported before it begins and counted after it."""
        scenario, scheduler, _ = scheduled
        self._ordinal += 1
        if self.corpus is not None:
            self.corpus.begin(self._ordinal, scenario)
        if self.limit is not None:
            self.limit.begin_run(self.statistics.number, scenario, scheduler)
        try:
            history = self._run_once(scheduled)
        except AdapterError as error:
            self._break_off(scheduled, error)
        self.statistics.count_scheduler(scheduler)
        return history

    def _break_off(self, scheduled: ScheduledRun, error: AdapterError) -> NoReturn:
        """Reports a run that the adapter broke, with the choices that it followed."""
        if self.report is None:
            raise error
        schedule = scheduled.scheduler.executed_schedule()
        scenario = msgspec.structs.replace(scheduled.scenario, schedule=schedule)
        self.report(
            HangReport(
                engine=self.engine.name, how="broke", why=str(error), scenario=scenario
            )
        )
        if not self.progressed(self.statistics):
            raise StopSearch
        raise _BrokenRun

    def _run_once(self, scheduled: ScheduledRun) -> History:
        history = run(
            scheduled.scenario,
            self.engine.make_adapter,
            scheduler=scheduled.scheduler,
            count_steps=scheduled.count_steps,
            world=self._live_world(),
        )
        self._collect()
        self._count(history)
        self._judge(history)
        if self.statistics.findings or not self.progressed(self.statistics):
            raise StopSearch
        return history

    def _count(self, history: History) -> None:
        statistics = self.statistics
        statistics.runs += 1
        operations = msgspec.json.encode(history.scenario.operations)
        order = (operations, history.arrivals)
        if history.overlapped and order not in self._orders:
            self._orders.add(order)
            statistics.interleavings += 1
        statistics.reached.add(history.reached)
        statistics.coverage.count(history)
        statistics.add_sight(history.sight)

    def _judge(self, history: History) -> None:
        statistics, is_live = self.statistics, self.plan.live is not None
        judgements = (
            judge(history, self.capabilities) if is_live else self._review(history)
        )
        violations = [j.violations[0] for j in judgements if j.violations]
        divergence = None
        if not is_live:
            divergence = self.sample.take(history, failed=bool(violations))
            statistics.reruns, statistics.divergence = self.sample.counts()
        for judgement in judgements:
            statistics.count(judgement)
        statistics.add_remarks(remarks_on(history))
        scenario = msgspec.structs.replace(history.scenario, schedule=history.schedule)
        for violation in violations:
            kept = history if is_live else None
            statistics.add_finding(scenario, violation, kept, divergence)

    def _review(self, history: History) -> tuple[Judgement, ...]:
        """Judges one run, with the solo and control runs that its claims ask for.

        Suspicions are on disk, and with the parent, before any of those runs begins.
        """
        statistics = self.statistics
        suspected = judge(history, self.capabilities, _ALONE)
        statistics.suspicions = save_suspicions(
            self.plan, history, suspected, statistics.number
        )
        if statistics.suspicions:
            self.progressed(statistics)
        try:
            judgements = self._rule(history, suspected)
        except StopSearch:
            # Control runs may still have cleared them: they are no findings.
            statistics.unjudged, statistics.suspicions = len(statistics.suspicions), []
            raise
        self._clear(judgements)
        return judgements

    def _rule(
        self, history: History, suspected: tuple[Judgement, ...]
    ) -> tuple[Judgement, ...]:
        """The judgements of all claims, after the runs that excuse other users."""
        solos = self._solos(history)
        compared = judge(history, self.capabilities, _COMPARING, solos=solos)
        controls = EngineRuns(
            history, self.engine.make_adapter, self._check_time, self._constants
        )
        return review((*suspected, *compared), history, controls)

    def _clear(self, judgements: Iterable[Judgement]) -> None:
        """Ends the suspicions of a run; those without a violation leave no file."""
        suspicions, self.statistics.suspicions = self.statistics.suspicions, []
        violated = {one.claim for one in judgements if one.violations}
        for suspicion in suspicions:
            if suspicion.violation.claim not in violated:
                drop_suspicion(self.plan, suspicion)
        if suspicions and not violated:
            # Before the run is repeated, which may not come back either.
            self.progressed(self.statistics)

    def _solos(self, history: History) -> Solos:
        """Solo runs of all users at first, then of another one in each run.

        Each costs about half a run, and many schedules of a workload leave a user's own
        order as it was.
        """
        users = comparable(history)
        if users and not history.steps:
            # By the workload alone, so that any division among workers sees the same.
            users = (users[(self.statistics.number + self._ordinal) % len(users)],)
        return solo_runs(
            history, self.engine.make_adapter, users, check=self._check_time
        )

    def _check_time(self) -> None:
        """Ends the search before a control run for which there is no time."""
        if self.plan.is_time_up():
            self.statistics.time_up = True
            raise StopSearch

    def _live_world(self) -> WorldInterface | None:
        if self.plan.live is None:
            return None
        return self.plan.live.world(f"{self.live_seed}/{self.statistics.runs}")

    def _collect(self) -> None:
        # Never inside a run: finalisers of an earlier one would act in it.
        self._since_collection += 1
        if self._since_collection >= _COLLECT_EVERY:
            self._since_collection = 0
            gc.collect()


def _next_run(
    runs: Generator[ScheduledRun, History | None, None], history: History
) -> ScheduledRun | None:
    try:
        return runs.send(history)
    except StopIteration:
        return None
