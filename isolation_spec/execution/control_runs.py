"""Control runs: further runs that excuse other users where a violation names them.

They are made on suspicion alone: a claim that is violated asks for them, and no other
claim pays for them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

import msgspec

from isolation_spec.claims import (
    CLAIMS,
    Claim,
    Judgement,
    Ruling,
    Violation,
    find_claim,
    judge,
    with_violations,
)
from isolation_spec.claims.history_index import HistoryIndex
from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.capabilities import Capability
from isolation_spec.execution.further_users import with_further_users
from isolation_spec.execution.run import run
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    Chain,
    ChainKind,
    Scenario,
    Schedule,
    names_victim,
)
from isolation_spec.world.schedulers.base import Scheduler
from isolation_spec.world.schedulers.replay import ReplayScheduler

__all__ = ["EngineRuns", "Solos", "judge_run", "own_order", "own_part", "review"]

Solos = dict[int, tuple[History, ...]]
"""User -> the solo runs; the first follows the joint run's order of arrivals."""


def own_part(scenario: Scenario, user: int) -> Scenario:
    """The user's own operations and the world's, with the choices that concern them.

    Operations that name another user's context or run are left out, as alone there is
    no such thing.
    """
    own = tuple(
        operation
        for operation in scenario.operations
        if operation.user in (user, None) and not names_victim(operation)
    )
    schedule = scenario.schedule.restricted_to({one.id for one in own} | {None})
    return msgspec.structs.replace(scenario, operations=own, schedule=schedule)


def own_order(history: History, part: Scenario) -> tuple[str, ...]:
    """The arrivals of a part of a scenario, in the order of the whole run."""
    own = {operation.id for operation in part.operations} | {None}
    return tuple(chain for chain in history.order if Chain.parse(chain).owner in own)


class EngineRuns:
    """The control runs of one history, each made once.

    Arguments:
        check: called before each run; an exception that it raises ends the judging.
        constants: the counts that earlier control runs of the workload showed.
    """

    def __init__(
        self,
        history: History,
        make_adapter: Callable[[], Adapter],
        check: Callable[[], None] = lambda: None,
        constants: dict[tuple[str, str], int] | None = None,
    ) -> None:
        self.constants = {} if constants is None else constants
        self._history = history
        self._make_adapter = make_adapter
        self._check = check
        self._made: dict[tuple[int, int], History] = {}
        self._beside: dict[tuple[int, int], History] = {}

    def alone(self, user: int) -> Iterator[History]:
        """Yields runs of the user's own operations alone, overlapping as before."""
        scenario = own_part(self._followed(), user)
        schedulers = (
            ReplayScheduler(scenario.schedule, own_order(self._history, scenario)),
            Scheduler(scenario.schedule),
        )
        for number, scheduler in enumerate(schedulers):
            if (user, number) not in self._made:
                self._check()
                self._made[user, number] = run(
                    scenario, self._make_adapter, scheduler=scheduler
                )
            yield self._made[user, number]

    def beside_own(self, user: int, operation: int) -> Iterator[History]:
        """Yields the user's operation alone, beside those that it overlapped.

        Other users slow an operation down for good reasons, so that it overlaps a later
        one of its user as it never does alone. Here the operations between both are
        left out, and the earlier ones wait for the later one. There is no run where
        nothing of the user's own was under way.
        """
        scenario = _beside_own(self._history, self._followed(), user, operation)
        if scenario is None:
            return
        key = (user, operation)
        if key not in self._beside:
            self._check()
            earlier = {one.id for one in scenario.operations} - {operation}
            scheduler = Scheduler(
                scenario.schedule,
                draw_class=lambda chain: int(_works_for(chain, earlier)),
            )
            self._beside[key] = run(scenario, self._make_adapter, scheduler=scheduler)
        yield self._beside[key]

    def with_further_users(self, user: int, count: int) -> History:
        """The run in which so many further users do as the user did, afterwards."""
        key = (user, -count)
        if key not in self._made:
            self._check()
            scenario = with_further_users(self._followed(), user, count)
            self._made[key] = run(scenario, self._make_adapter)
        return self._made[key]

    def _followed(self) -> Scenario:
        """The scenario with the choices that the run really followed."""
        history = self._history
        return msgspec.structs.replace(history.scenario, schedule=history.schedule)


def _beside_own(
    history: History, scenario: Scenario, user: int, operation: int
) -> Scenario | None:
    spans = HistoryIndex(history).spans
    if operation not in spans:
        return None
    begins = spans[operation].started
    earlier = {
        number: span
        for number, span in spans.items()
        if span.operation.user == user and span.started < begins
    }
    under_way = {number for number, span in earlier.items() if span.ended > begins}
    if not under_way:
        return None
    first = min(earlier[number].started for number in under_way)
    before = {number for number, span in earlier.items() if span.started < first}
    kept = before | under_way | {operation}
    own = own_part(scenario, user)
    operations = tuple(one for one in own.operations if one.id in kept)
    schedule = Schedule(split=scenario.schedule.split, burst=scenario.schedule.burst)
    return msgspec.structs.replace(own, operations=operations, schedule=schedule)


def _works_for(chain: str, operations: Collection[int]) -> bool:
    """Whether the chain is of such an operation, once it has begun."""
    owner, kind, _ = Chain.parse(chain)
    return owner in operations and kind != ChainKind.START


def judge_run(
    history: History,
    make_adapter: Callable[[], Adapter],
    capabilities: frozenset[Capability],
    claims: tuple[Claim, ...] = CLAIMS,
    *,
    solos: Solos | None = None,
    check: Callable[[], None] = lambda: None,
    constants: dict[tuple[str, str], int] | None = None,
) -> tuple[Judgement, ...]:
    """Judges a history, and drops the violations that control runs excuse.

    `solos` are users' runs alone, for the claims that compare with them. `check` is
    called before each control run; an exception that it raises ends the judging.
    `constants` are the server's own resources, as earlier control runs showed them.
    """
    controls = EngineRuns(history, make_adapter, check, constants)
    judgements = judge(history, capabilities, claims, solos=solos)
    return review(judgements, history, controls)


def review(
    judgements: Iterable[Judgement], history: History, controls: EngineRuns
) -> tuple[Judgement, ...]:
    """The judgements of a history without the violations that control runs excuse."""
    return tuple(_reviewed(judgement, history, controls) for judgement in judgements)


def _reviewed(
    judgement: Judgement, history: History, controls: EngineRuns
) -> Judgement:
    review = find_claim(judgement.claim).review
    if review is None or not judgement.violations:
        return judgement
    observed = HistoryIndex(history)
    ruled: dict[Ruling, list[Violation]] = {ruling: [] for ruling in Ruling}
    for violation in judgement.violations:
        ruled[review(observed, violation, controls)].append(violation)
    accused = {violation.users for violation in ruled[Ruling.STANDS]}
    cleared = {violation.users for violation in ruled[Ruling.HOLDS]}
    return with_violations(
        judgement,
        tuple(ruled[Ruling.STANDS]),
        unsettled=tuple(ruled[Ruling.UNSETTLED]),
        opportunities=len(cleared - accused),
    )
