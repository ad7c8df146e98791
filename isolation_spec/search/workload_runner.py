"""Runs the workloads of one process, and counts what their runs show."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from isolation_spec.claims import judge
from isolation_spec.contract.capability_filter import restrict_to_capabilities
from isolation_spec.execution.containment import without_pool_warnings
from isolation_spec.execution.determinism import Sample
from isolation_spec.execution.isolation.beacon import RunBeacon
from isolation_spec.execution.isolation.time_limit import TimeLimit
from isolation_spec.execution.process_memory import frozen_heap
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import Solos, comparable, solo_runs
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Scenario
from isolation_spec.search.plan import SearchPlan
from isolation_spec.search.statistics import SearchStatistics
from isolation_spec.world.interface import WorldInterface
from isolation_spec.world.schedulers.exhaustive import ExhaustiveSchedulers

if TYPE_CHECKING:
    from isolation_spec.search.corpus import CorpusWriter
    from isolation_spec.strategies.schedules import ScheduledRun, SearchParameters
    from isolation_spec.strategies.workloads import Workload

__all__ = ["WorkloadRunner"]

_COLLECT_EVERY = 20


class StopSearch(Exception):
    """The search is over: there is a finding, or its caller needs no further run."""


class WorkloadRunner:
    """Runs each workload under several schedules, and counts what the runs show.

    Arguments:
        progressed: takes the statistics after each run; returns whether to go on.
        live_seed: decides the delays of live worlds.
        corpus: keeps each scenario before it is run.
        limit: takes each run before it begins.
    """

    def __init__(
        self,
        plan: SearchPlan,
        progressed: Callable[[SearchStatistics], bool],
        live_seed: str,
        corpus: CorpusWriter | None,
        limit: RunBeacon | TimeLimit | None,
    ) -> None:
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

    def run_all(self, workloads: Iterable[Workload]) -> SearchStatistics:
        """Runs the workloads until there is a finding, or no reason to go on."""
        with frozen_heap(), without_pool_warnings():
            try:
                for workload in workloads:
                    self._run_workload(workload)
            except StopSearch:
                pass
            except KeyboardInterrupt:
                self.statistics.interrupted = True
        return self.statistics

    def _run_workload(self, workload: Workload) -> None:
        if self.statistics.findings:
            raise StopSearch
        scenario = restrict_to_capabilities(workload.scenario, self.capabilities)
        self.statistics.examples += 1
        self.statistics.number = workload.number
        self._ordinal = 0
        if self.corpus is not None:
            self.corpus.draw(workload)
        if self.plan.control == "none":
            self._search(scenario, workload.search)
        else:
            self._search_as_control(scenario, workload.search)
        if self.corpus is not None:
            self.corpus.keep(workload, self.statistics.coverage.sites())

    def _search(self, scenario: Scenario, search: SearchParameters) -> None:
        from isolation_spec.strategies.cancellations import FirstRunReport
        from isolation_spec.strategies.schedules import (
            first_attempt,
            further_attempts,
            swept_attempts,
        )

        orders: set[tuple[bytes, str]] = set()
        first = self._run(first_attempt(scenario, search), orders, count_steps=True)
        looked = FirstRunReport(first.steps, first.handed, first.waited)
        for attempt in further_attempts(
            scenario,
            search,
            self.plan.profile.schedules - 1,
            choices=first.choices,
            looked=looked,
            followed=first.schedule,
        ):
            self._run(attempt, orders)
        if (
            self.plan.profile.sweep_every
            and self.statistics.number % self.plan.profile.sweep_every == 0
        ):
            for attempt in swept_attempts(first.scenario, looked):
                self._run(attempt, orders)
        if self.plan.live is None:
            self._search_shares(first, search, orders)

    def _search_shares(
        self, first: History, search: SearchParameters, orders: set[tuple[bytes, str]]
    ) -> None:
        """Pure PCT, and every order of a small scope, where the profile has them."""
        from isolation_spec.strategies.extra_schedules import (
            SCOPE_ORDERS,
            pct_attempts,
            small_scope,
        )
        from isolation_spec.strategies.schedules import ScheduledRun

        count = max(1, self.plan.profile.schedules // 4) if self.plan.profile.pct else 0
        for scheduler in pct_attempts(
            first, search, count, depth=self.plan.profile.pct
        ):
            self._run(ScheduledRun(first.scenario, scheduler), orders)
            self.statistics.pct = scheduler.bound().plus(self.statistics.pct)
        if not self.plan.profile.exhaust_every:
            return
        if (
            self.statistics.number % self.plan.profile.exhaust_every
            != self.plan.profile.exhaust_every // 2
        ):
            return
        scope = small_scope(first.scenario, search)
        if scope is not None:
            all_orders = ExhaustiveSchedulers(scope.schedule, most=SCOPE_ORDERS)
            for one in all_orders:
                self._run(ScheduledRun(scope, one), orders)
            self.statistics.exhausted += all_orders.complete

    def _search_as_control(self, scenario: Scenario, search: SearchParameters) -> None:
        """With less than a search has, to show what that buys."""
        from isolation_spec.strategies.schedules import fifo_attempt, random_attempts

        orders: set[tuple[bytes, str]] = set()
        if self.plan.control == "fifo":
            self._run(fifo_attempt(scenario, search), orders)
        else:
            for attempt in random_attempts(
                scenario, search, self.plan.profile.schedules
            ):
                self._run(attempt, orders)

    def _run(
        self,
        attempt: ScheduledRun,
        orders: set[tuple[bytes, str]],
        *,
        count_steps: bool = False,
    ) -> History:
        self._ordinal += 1
        if self.corpus is not None:
            self.corpus.begin(self._ordinal, attempt.scenario)
        if self.limit is not None:
            number = self.statistics.number
            self.limit.begin_run(number, attempt.scenario, attempt.scheduler)
        try:
            return self._run_once(attempt, orders, count_steps=count_steps)
        finally:
            if self.limit is not None:
                self.limit.end_run()

    def _run_once(
        self,
        attempt: ScheduledRun,
        orders: set[tuple[bytes, str]],
        *,
        count_steps: bool,
    ) -> History:
        history = run(
            attempt.scenario,
            self.engine.make_adapter,
            scheduler=attempt.scheduler,
            count_steps=count_steps,
            world=self._live_world(),
        )
        self._collect()
        self._count(history, orders)
        if self.statistics.findings or not self.progressed(self.statistics):
            raise StopSearch
        return history

    def _count(self, history: History, orders: set[tuple[bytes, str]]) -> None:
        statistics = self.statistics
        statistics.runs += 1
        operations = msgspec.json.encode(history.scenario.operations)
        order = (operations, history.arrivals)
        if history.overlapped and order not in orders:
            orders.add(order)
            statistics.interleavings += 1
        statistics.reached.add(history.reached)
        statistics.coverage.count(history)
        solos = None if self.plan.live is not None else self._solos(history)
        judgements = judge(history, self.capabilities, solos=solos)
        violations = [j.violations[0] for j in judgements if j.violations]
        divergence = None
        if self.plan.live is None:
            divergence = self.sample.take(history, failed=bool(violations))
            statistics.reruns, statistics.divergence = self.sample.counts()
        for judgement in judgements:
            statistics.count(judgement)
        for violation in violations:
            scenario = msgspec.structs.replace(
                history.scenario, schedule=history.schedule
            )
            kept = None if self.plan.live is None else history
            statistics.add_finding(scenario, violation, kept, divergence)

    def _solos(self, history: History) -> Solos:
        """Solo runs of all users at first, then of another one in each run.

        Each costs about half a run, and many schedules of a workload leave a user's own
        order as it was.
        """
        users = comparable(history)
        if users and not history.steps:
            # By the workload alone, so that any division among workers sees the same.
            users = (users[(self.statistics.number + self._ordinal) % len(users)],)
        return solo_runs(history, self.engine.make_adapter, users)

    def _live_world(self) -> WorldInterface | None:
        if self.plan.live is None:
            return None
        return self.plan.live.world(f"{self.live_seed}/{self.statistics.runs}")

    def _collect(self) -> None:
        # Between runs and never inside one; after each run it would cost more than the
        # run itself.
        self._since_collection += 1
        if self._since_collection >= _COLLECT_EVERY:
            self._since_collection = 0
            gc.collect()
