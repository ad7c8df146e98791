"""One process's share of a search: machine -> scenarios -> histories -> a tally."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from isolation_spec.adapter import AdapterError
from isolation_spec.adapters import Engine
from isolation_spec.adapters.offered import offered
from isolation_spec.claims import Judgement, Verdict, Violation, judge
from isolation_spec.coverage import Coverage
from isolation_spec.determinism import Difference, Sample
from isolation_spec.history import CancellationDelivered, History, Reached
from isolation_spec.leaving import without_pool_warnings
from isolation_spec.memory import frozen_heap
from isolation_spec.run import run
from isolation_spec.scenario import Operation, Scenario
from isolation_spec.solo import Solos, comparable, solo_runs
from isolation_spec.watchdog import Alarm, Slate
from isolation_spec.world.exhaustive import Exhaustive
from isolation_spec.world.facade import Facade
from isolation_spec.world.pct import Bound

Control: TypeAlias = Literal["none", "random", "fifo"]

if TYPE_CHECKING:
    from isolation_spec.fuzz import Corpus
    from strategies.drawing import Workload
    from strategies.profiles import Profile
    from strategies.schedules import Attempt, Search

__all__ = ["Control", "Found", "Tally", "search"]

_COLLECT_EVERY = 20


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A violation, with the scenario and schedule under which it showed.

    One that was found live has its history with it, as no other run will show it.
    `difference` is where a second run of it was another one, None if nowhere.
    `number` is that of the workload.
    """

    scenario: Scenario
    violation: Violation
    history: History | None = None
    difference: Difference | None = None
    number: int = 0


class Tally(msgspec.Struct, kw_only=True):
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
    reached: Reached = msgspec.field(default_factory=Reached)
    evidence: dict[str, int] = {}
    reasons: dict[str, str] = {}
    not_applicable: set[str] = set()
    found: list[Found] = []
    interrupted: bool = False
    places: set[tuple[str, str]] = set()
    cancelled: set[tuple[str, str]] = set()
    reruns: int = 0
    difference: Difference | None = None
    exhausted: int = 0
    pct: Bound | None = None
    time_up: bool = False
    number: int = 0
    coverage: Coverage = msgspec.field(default_factory=Coverage)

    def add(self, other: Tally) -> None:
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
        difference: Difference | None = None,
    ) -> None:
        """Adds a violation, and the history with it if no other run will show it."""
        self.found.append(
            Found(
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


class _Enough(Exception):
    """The search is over: something was found, or somebody asked it to stop."""


class _Examiner:
    """Runs each finished scenario under several schedules and tallies what it sees."""

    def __init__(
        self,
        engine: Engine,
        spent: Profile,
        progressed: Callable[[Tally], bool],
        live: Callable[[int], Facade] | None,
        control: Control,
        pct: int | None,
        corpus: Corpus | None,
        slate: Slate | Alarm | None,
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
        self.tally = Tally()
        self._since_collection = 0
        self._ordinal = 0

    def __call__(self, workload: Workload) -> None:
        if self.tally.found:
            raise _Enough
        scenario = offered(workload.scenario, self.capabilities)
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

    def _search(self, scenario: Scenario, search: Search) -> None:
        from strategies.schedules import (
            first_attempt,
            further_attempts,
            swept_attempts,
        )
        from strategies.strikes import Looked

        orders: set[tuple[bytes, str]] = set()
        first = self._run(first_attempt(scenario, search), orders, count_steps=True)
        looked = Looked(first.steps, first.handed, first.waited)
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
        self, first: History, search: Search, orders: set[tuple[bytes, str]]
    ) -> None:
        """Pure PCT, and every order of a small scope, where the profile has them."""
        from strategies.portfolio import SCOPE_ORDERS, pct_attempts, small_scope
        from strategies.schedules import Attempt

        count = max(1, self.schedules // 4) if self.pct else 0
        for scheduler in pct_attempts(first, search, count, depth=self.pct):
            self._run(Attempt(first.scenario, scheduler), orders)
            self.tally.pct = scheduler.bound().plus(self.tally.pct)
        if not self.exhaust_every:
            return
        if self.tally.number % self.exhaust_every != self.exhaust_every // 2:
            return
        scope = small_scope(first.scenario, search)
        if scope is not None:
            all_orders = Exhaustive(scope.schedule, most=SCOPE_ORDERS)
            for one in all_orders:
                self._run(Attempt(scope, one), orders)
            self.tally.exhausted += all_orders.complete

    def _search_as_control(self, scenario: Scenario, search: Search) -> None:
        """With less than a search has, to show what that buys."""
        from strategies.schedules import fifo_attempt, random_attempts

        orders: set[tuple[bytes, str]] = set()
        if self.control == "fifo":
            self._run(fifo_attempt(scenario, search), orders)
        else:
            for attempt in random_attempts(scenario, search, self.schedules):
                self._run(attempt, orders)

    def _run(
        self,
        attempt: Attempt,
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
        self, attempt: Attempt, orders: set[tuple[bytes, str]], *, count_steps: bool
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
            raise _Enough
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


def check_strategies() -> None:
    """Refuses to search with somebody else's package of the name `strategies`.

    Raises:
        AdapterError: a folder of the user's shadows the one that belongs here.
    """
    wanted = Path(__file__).resolve().parent.parent / "strategies"
    found = find_spec("strategies")
    places = [] if found is None else list(found.submodule_search_locations or ())
    if not any(Path(place).resolve() == wanted for place in places):
        message = (
            f"the package strategies is imported from {places or 'nowhere'}, which "
            f"hides the one of isolation-spec in {wanted}: rename that folder, or run "
            "from another one"
        )
        raise AdapterError(message)


def search(
    engine: Engine,
    *,
    profile: str,
    examples: int,
    seed: int,
    progressed: Callable[[Tally], bool],
    live: Callable[[int], Facade] | None = None,
    control: Control = "none",
    pct: int | None = None,
    workloads: Iterable[Workload] | None = None,
    corpus: Corpus | None = None,
    slate: Slate | Alarm | None = None,
) -> Tally:
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
    check_strategies()
    from strategies.drawing import draw_workloads
    from strategies.profiles import find_profile

    spent = find_profile(profile)
    examiner = _Examiner(engine, spent, progressed, live, control, pct, corpus, slate)
    if workloads is None:
        workloads = draw_workloads(spent, seed=seed, examples=examples)
    with frozen_heap(), without_pool_warnings():
        try:
            for workload in workloads:
                examiner(workload)
        except _Enough:
            pass
        except KeyboardInterrupt:
            examiner.tally.interrupted = True
    return examiner.tally
