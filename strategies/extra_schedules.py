"""Extra schedules of a workload: pure PCT, and every order of a small scope.

Neither draws anything with Hypothesis: both work on a workload that was drawn.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from isolation_spec.model.scenario import (
    Connect,
    Disconnect,
    OpenContext,
    Operation,
    Reconnect,
    Scenario,
    Schedule,
)
from isolation_spec.strategies.cancellations import FirstRunReport
from isolation_spec.strategies.schedules import ScheduledRun, SearchParameters
from isolation_spec.strategies.streams import Stream, random_stream
from isolation_spec.world.schedulers.exhaustive import ExhaustiveSchedulers
from isolation_spec.world.schedulers.pct import PCTScheduler

__all__ = ["SCOPE_ORDERS", "exhaustive_runs", "pct_runs", "small_scope"]

SCOPE_ORDERS = 200
"""Orders after which a small scope is given up: three of four scopes have fewer."""

_SPARE = 1.25
"""k, as a multiple of the arrivals of the first run: other orders have somewhat more.
No bound holds for a run that exceeds k; the result counts such runs."""


def pct_runs(
    scenario: Scenario,
    search: SearchParameters,
    count: int,
    first: FirstRunReport,
    *,
    depth: int,
) -> Iterator[ScheduledRun]:
    """Yields so many runs under pure PCT of a scenario that has been run once.

    The scenario is the same in all of them, its identities and disruptions included, as
    the bound is about one program.
    """
    steps = max(1, round(first.arrivals * _SPARE))
    for index in range(count):
        chance = random_stream(Stream.PCT, search.seed, index)
        scheduler = PCTScheduler(scenario.schedule, chance, depth=depth, steps=steps)
        yield ScheduledRun(scenario, scheduler)


def exhaustive_runs(
    scenario: Scenario, search: SearchParameters
) -> Iterator[ScheduledRun]:
    """Yields a small scope of a scenario under every order of arrivals, up to 200.

    Each must be run before the next one is taken.
    """
    scope = small_scope(scenario, search)
    if scope is not None:
        for scheduler in ExhaustiveSchedulers(scope.schedule, most=SCOPE_ORDERS):
            yield ScheduledRun(scope, scheduler)


def small_scope(scenario: Scenario, search: SearchParameters) -> Scenario | None:
    """Three operations of two users, None if the workload has no such three.

    One user opens a context or a connection and names it in a second operation; the
    other only opens one.
    """
    chance = random_stream(Stream.SMALL_SCOPE, search.seed)
    openings = [o for o in scenario.operations if isinstance(o, OpenContext | Connect)]
    chance.shuffle(openings)
    for one in openings:
        further = [o for o in scenario.operations if _goes_on(o, one)]
        others = [o for o in openings if o.user != one.user and not _attacks(o)]
        if further and others and not _attacks(one):
            kept = {one.id, chance.choice(further).id, chance.choice(others).id}
            return _cut(scenario, kept)
    return None


def _goes_on(operation: Operation, opening: OpenContext | Connect) -> bool:
    """Whether it is the same user's, and names the opened context or connection."""
    if operation.user != opening.user or operation is opening:
        return False
    if isinstance(opening, OpenContext):
        again = isinstance(operation, OpenContext)
        return operation.context == opening.context and not again
    if isinstance(operation, Reconnect):
        return opening.connection in (operation.connection, operation.replaces)
    return (
        isinstance(operation, Disconnect) and operation.connection == opening.connection
    )


def _attacks(operation: Operation) -> bool:
    return operation.victim is not None


def _cut(scenario: Scenario, kept: set[int]) -> Scenario:
    operations = tuple(o for o in scenario.operations if o.id in kept)
    form = Schedule(burst=scenario.schedule.burst, split=scenario.schedule.split)
    return msgspec.structs.replace(scenario, operations=operations, schedule=form)
