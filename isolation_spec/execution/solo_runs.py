"""Solo runs: one user's own part of a scenario, without the other users.

The *projection* of a user drops the operations of all others; world operations stay,
and the others' identities stay as literals. A solo run lets its arrivals in, in the
order in which the joint run had them, as far as they come: a connection that another
user left in the pool is now opened, so some arrivals are new and some never come.
Where the user then observes something else, further solo runs under other schedules
separate the effects of the user's own timing from those of other users.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2s

import msgspec

from isolation_spec.claims import CLAIMS, Claim, Judgement
from isolation_spec.claims.capacity import may_be_beyond
from isolation_spec.claims.history_index import HistoryIndex
from isolation_spec.claims.noninterference import unlike
from isolation_spec.contract.adapter import Adapter
from isolation_spec.execution.control_runs import (
    Solos,
    judge_run,
    own_order,
    own_part,
)
from isolation_spec.execution.run import run
from isolation_spec.model.history.entries import (
    CancellationDelivered,
    OperationEnded,
    OperationStarted,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.history.states import Outcome
from isolation_spec.model.limits import Scope
from isolation_spec.model.scenario import (
    AdvanceTime,
    Operation,
    RunAgent,
    Scenario,
    Schedule,
    Shutdown,
    names_victim,
)
from isolation_spec.world.schedulers.base import Scheduler
from isolation_spec.world.schedulers.replay import ReplayScheduler

__all__ = [
    "SoloCache",
    "Solos",
    "comparable",
    "judge_with_solos",
    "projection",
    "run_alone",
    "solo_runs",
]

SoloCache = dict[tuple[bytes, object], History]
"""Solo runs made before, by projection and by order or seed."""

_NOT = (Outcome.REFUSED, Outcome.UNAVAILABLE)
_ROUNDS = ((0, 8), (8, 40))
"""Seeds of further solo runs, made while an observation is unlike all of them."""


def projection(scenario: Scenario, user: int) -> Scenario:
    """The user's own part of the scenario, one operation after the other.

    The schedule makes no choice.
    """
    own = own_part(scenario, user)
    operations = tuple(
        msgspec.structs.replace(operation, background=False)
        if isinstance(operation, RunAgent)
        else operation
        for operation in own.operations
    )
    schedule = Schedule(split=scenario.schedule.split)
    return msgspec.structs.replace(own, operations=operations, schedule=schedule)


def comparable(history: History) -> tuple[int, ...]:
    """The users whose solo run can be compared with the joint run.

    The operations of such a user came one after the other: overlapping ones may happen
    in any order. A cancelled user is left out, and one whose attack was not refused
    and may count as the user's own. All users are left out where the outside stood
    still, the engine was shut down under its users, or more time passed than a limit of
    an engine may be.
    """
    operations = history.scenario.operations
    if not history.settled or any(map(_stops, operations)):
        return ()
    disturbed: set[int | None] = {None, *_beyond_limits(history)}
    busy: dict[int | None, int] = {}
    named = {operation.id: names_victim(operation) for operation in operations}
    for entry in history.entries:
        if isinstance(entry, CancellationDelivered):
            disturbed.add(entry.user)
        elif isinstance(entry, OperationStarted):
            if entry.user in busy:
                disturbed.add(entry.user)
            busy[entry.user] = entry.operation or 0
        elif isinstance(entry, OperationEnded):
            busy.pop(entry.user, None)
            if named[entry.operation or 0] and entry.outcome not in _NOT:
                disturbed.add(entry.user)
    own = {operation.user for operation in operations}
    return tuple(sorted(user for user in own - disturbed if user is not None))


def _beyond_limits(history: History) -> Iterator[int | None]:
    """Yields the users who were refused for want of room that all users share."""
    # Without limits, as in most runs, no index is worth its time.
    observed = HistoryIndex(history)
    for span in observed.spans.values() if history.limits else ():
        if span.outcome == Outcome.REFUSED and may_be_beyond(
            observed, span, (Scope.SERVICE,)
        ):
            yield span.operation.user


_LONG = 10.0
"""Seconds; less than an engine's limits, so that no clock ends anything."""


def _stops(operation: Operation) -> bool:
    if isinstance(operation, AdvanceTime):
        return operation.stalled or operation.seconds > _LONG
    return isinstance(operation, Shutdown)


def run_alone(
    history: History, make_adapter: Callable[[], Adapter], user: int
) -> History:
    """The user's own part of a run, its arrivals in the order which they had there."""
    scenario, order = _alone(history, user)
    following = ReplayScheduler(scenario.schedule, order)
    return run(scenario, make_adapter, scheduler=following)


def _alone(history: History, user: int) -> tuple[Scenario, tuple[str, ...]]:
    """The user's own part of a scenario, and of the order of arrivals."""
    scenario = projection(history.scenario, user)
    return scenario, own_order(history, scenario)


def solo_runs(
    history: History,
    make_adapter: Callable[[], Adapter],
    users: Iterable[int],
    cache: SoloCache | None = None,
    check: Callable[[], None] = lambda: None,
) -> Solos:
    """The solo runs of these users; more than one where the first differs.

    A user is left out whose cancellation came too late in the joint run, and in time
    alone. Takes a run from the cache if it is there, and adds the others to the cache.
    `check` is called before each other run; an exception that it raises ends them.
    """
    solos: Solos = {}
    cache = {} if cache is None else cache

    def once(scenario: Scenario, key: object, scheduler: Scheduler) -> History:
        name = (scenario.to_json(), key)
        if name not in cache:
            check()
            cache[name] = run(scenario, make_adapter, scheduler=scheduler)
        return cache[name]

    for user in users:
        scenario, order = _alone(history, user)
        following = ReplayScheduler(scenario.schedule, order)
        runs: tuple[History, ...] = (once(scenario, order, following),)
        if any(runs[0].of(CancellationDelivered)):
            # It came too late in the joint run, as its user is comparable.
            continue
        for first, last in _ROUNDS:
            if not unlike(history, runs, user):
                break
            runs += tuple(
                once(scenario, seed, _further(scenario, seed))
                for seed in range(first, last)
            )
        solos[user] = runs
    return solos


def _further(scenario: Scenario, seed: int) -> Scheduler:
    """Plain order first, then some in which arrivals are held back at random."""
    if not seed:
        return Scheduler(scenario.schedule)
    chance = random.Random(seed)
    schedule = Schedule(split=scenario.schedule.split, burst=seed % 3)
    points = [chance.randint(1, 60) for _ in range(2)]

    def draw_class(chain: str) -> int:
        return blake2s(f"{seed}/{chain}".encode(), digest_size=1).digest()[0] % 4

    return Scheduler(schedule, change_points=points, draw_class=draw_class)


def judge_with_solos(
    history: History,
    make_adapter: Callable[[], Adapter],
    claims: tuple[Claim, ...] = CLAIMS,
) -> tuple[Judgement, ...]:
    """Judges by these claims, with solo runs of every user if a claim compares."""
    solos: Solos | None = None
    if any(claim.compares for claim in claims):
        solos = solo_runs(history, make_adapter, comparable(history))
    return judge_run(
        history, make_adapter, make_adapter().capabilities, claims, solos=solos
    )
