"""One process's share of a search: machine -> scenarios -> histories -> a tally."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from isolation_spec.claims import judge
from isolation_spec.contract.capability_filter import restrict_to_capabilities
from isolation_spec.engines.registry import Engine
from isolation_spec.execution.containment import without_pool_warnings
from isolation_spec.execution.determinism import Sample
from isolation_spec.execution.isolation.beacon import RunBeacon
from isolation_spec.execution.isolation.time_limit import TimeLimit
from isolation_spec.execution.process_memory import frozen_heap
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import Solos, comparable, solo_runs
from isolation_spec.model.history.entries import CancellationDelivered
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Operation, Scenario
from isolation_spec.world.interface import WorldInterface
from isolation_spec.world.schedulers.exhaustive import ExhaustiveSchedulers

if TYPE_CHECKING:
    from isolation_spec.search.corpus import CorpusWriter
    from isolation_spec.strategies.profiles import Profile
    from isolation_spec.strategies.schedules import ScheduledRun, SearchParameters
    from isolation_spec.strategies.workloads import Workload
from isolation_spec.search.statistics import SearchStatistics

__all__ = ["Control", "search"]

Control: TypeAlias = Literal["none", "random", "fifo"]

_COLLECT_EVERY = 20


class StopSearch(Exception):
    """The search is over: something was found, or somebody asked it to stop."""


class WorkloadRunner:
    """Runs each finished scenario under several schedules and tallies what it sees."""

    def __init__(
        self,
        engine: Engine,
        spent: Profile,
        progressed: Callable[[SearchStatistics], bool],
        live: Callable[[int], WorldInterface] | None,
        control: Control,
        pct: int | None,
        corpus: CorpusWriter | None,
        slate: RunBeacon | TimeLimit | None,
    ) -> None:
        self.engine = engine
        self.slate = slate
        self.live = live
        self.capabilities = engine.make_adapter().capabilities
        self.schedules = spent.schedules
        self.sweep_every = spent.sweep_every
        self.exhaust_every = spent.exhaust_every
        self.pct = spent.pct if pct is None else pct
        self.sample = Sample(engine.make_adapter)
        self.control = control
        self.progressed = progressed
        self.corpus = corpus
        self.tally = SearchStatistics()
        self._since_collection = 0
        self._ordinal = 0

    def __call__(self, workload: Workload) -> None:
        if self.tally.found:
            raise StopSearch
        scenario = restrict_to_capabilities(workload.scenario, self.capabilities)
        self.tally.examples += 1
        self.tally.number = workload.number
        self._ordinal = 0
        if self.corpus is not None:
            self.corpus.draw(workload)
        if self.control == "none":
            self._search(scenario, workload.search)
        else:
            self._search_as_control(scenario, workload.search)
        if self.corpus is not None:
            self.corpus.keep(workload, self.tally.places)

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
            self.schedules - 1,
            choices=first.choices,
            looked=looked,
            followed=first.schedule,
        ):
            self._run(attempt, orders)
        if self.sweep_every and self.tally.number % self.sweep_every == 0:
            for attempt in swept_attempts(first.scenario, looked):
                self._run(attempt, orders)
        if self.live is None:
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

        count = max(1, self.schedules // 4) if self.pct else 0
        for scheduler in pct_attempts(first, search, count, depth=self.pct):
            self._run(ScheduledRun(first.scenario, scheduler), orders)
            self.tally.pct = scheduler.bound().plus(self.tally.pct)
        if not self.exhaust_every:
            return
        if self.tally.number % self.exhaust_every != self.exhaust_every // 2:
            return
        scope = small_scope(first.scenario, search)
        if scope is not None:
            all_orders = ExhaustiveSchedulers(scope.schedule, most=SCOPE_ORDERS)
            for one in all_orders:
                self._run(ScheduledRun(scope, one), orders)
            self.tally.exhausted += all_orders.complete

    def _search_as_control(self, scenario: Scenario, search: SearchParameters) -> None:
        """With less than a search has, to show what that buys."""
        from isolation_spec.strategies.schedules import fifo_attempt, random_attempts

        orders: set[tuple[bytes, str]] = set()
        if self.control == "fifo":
            self._run(fifo_attempt(scenario, search), orders)
        else:
            for attempt in random_attempts(scenario, search, self.schedules):
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
        if self.slate is not None:
            number = self.tally.number
            self.slate.began(number, attempt.scenario, attempt.scheduler)
        try:
            return self._run_once(attempt, orders, count_steps=count_steps)
        finally:
            if self.slate is not None:
                self.slate.ended()

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
            world=None if self.live is None else self.live(self.tally.runs),
        )
        self._collect()
        self._tally(history, orders)
        if self.tally.found or not self.progressed(self.tally):
            raise StopSearch
        return history

    def _tally(self, history: History, orders: set[tuple[bytes, str]]) -> None:
        tally = self.tally
        tally.runs += 1
        operations = msgspec.json.encode(history.scenario.operations)
        order = (operations, history.arrivals)
        if history.overlapped and order not in orders:
            orders.add(order)
            tally.interleavings += 1
        tally.reached.add(history.reached)
        tally.places.update(_places(history))
        tally.cancelled.update(_cancelled(history))
        tally.coverage.count(history)
        solos = None if self.live is not None else self._solos(history)
        judgements = judge(history, self.capabilities, solos=solos)
        violations = [j.violations[0] for j in judgements if j.violations]
        difference = None
        if self.live is None:
            difference = self.sample.take(history, failed=bool(violations))
            tally.reruns, tally.difference = self.sample.counts()
        for judgement in judgements:
            tally.count(judgement)
        for violation in violations:
            scenario = msgspec.structs.replace(
                history.scenario, schedule=history.schedule
            )
            kept = None if self.live is None else history
            tally.add_found(scenario, violation, kept, difference)

    def _solos(self, history: History) -> Solos:
        """Solo runs of all users at first, then of another one in each run.

        Each costs about half a run, and many schedules of a workload leave a user's own
        order as it was.
        """
        users = comparable(history)
        if users and not history.steps:
            # By the workload alone, so that any division among workers sees the same.
            users = (users[(self.tally.number + self._ordinal) % len(users)],)
        return solo_runs(history, self.engine.make_adapter, users)

    def _collect(self) -> None:
        # Between runs and never inside one; collecting after each costs more than a
        # run.
        self._since_collection += 1
        if self._since_collection >= _COLLECT_EVERY:
            self._since_collection = 0
            gc.collect()


def _places(history: History) -> Iterator[tuple[str, str]]:
    operations = history.operations()
    for number, places in history.steps.items():
        yield from ((_kind(operations[number]), place) for place in places)


def _cancelled(history: History) -> Iterator[tuple[str, str]]:
    operations = history.operations()
    for entry in history.of(CancellationDelivered):
        if entry.operation is not None:
            yield _kind(operations[entry.operation]), entry.place


def _kind(operation: Operation) -> str:
    return str(type(operation).__struct_config__.tag)


def search(
    engine: Engine,
    *,
    profile: str,
    examples: int,
    seed: int,
    progressed: Callable[[SearchStatistics], bool],
    live: Callable[[int], WorldInterface] | None = None,
    control: Control = "none",
    pct: int | None = None,
    workloads: Iterable[Workload] | None = None,
    corpus: CorpusWriter | None = None,
    slate: RunBeacon | TimeLimit | None = None,
) -> SearchStatistics:
    """Searches so many examples of a profile and a seed, until something is found.

    `workloads` are searched instead of drawn ones, if given, and `corpus` keeps each
    scenario before it is run. `progressed` is told the tally after each run and says
    whether to go on. `live` makes the world of each run, numbered from 0, instead of a
    simulated one. As a `control` it uses random schedules instead of searched ones, or
    plain asyncio order without cancellation, one run a workload. `pct` is the depth of
    the share that is run as pure PCT, 0 for no such share, None for the profile's own.
    The `slate` is told of each run before it begins.

    Raises:
        AdapterError: the adapter broke its contract.
    """
    from isolation_spec.strategies.profiles import find_profile
    from isolation_spec.strategies.workloads import draw_workloads

    spent = find_profile(profile)
    examiner = WorkloadRunner(
        engine, spent, progressed, live, control, pct, corpus, slate
    )
    if workloads is None:
        workloads = draw_workloads(spent, seed=seed, examples=examples)
    with frozen_heap(), without_pool_warnings():
        try:
            for workload in workloads:
                examiner(workload)
        except StopSearch:
            pass
        except KeyboardInterrupt:
            examiner.tally.interrupted = True
    return examiner.tally
