"""The same with fewer users: one does what two did."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from isolation_spec.diagnosis.shrink.canaries import asked_by
from isolation_spec.diagnosis.shrink.passes.deletion import (
    exchanged,
    redirected,
    with_operations,
    without_user,
)
from isolation_spec.diagnosis.shrink.passes.merging import with_joined_runs
from isolation_spec.diagnosis.shrink.sort_key import total
from isolation_spec.model.scenario import (
    CancelRun,
    Connect,
    OpenContext,
    Operation,
    Read,
    RunAgent,
    Scenario,
    Write,
)

__all__ = ["with_attackers", "with_given_operations", "with_united_users"]

replace = msgspec.structs.replace


def with_united_users(scenario: Scenario) -> Iterator[Scenario]:
    """Lets one user do what another did, too, in one context: one thing after the
    other, in the background, or in one run."""
    users = range(len(scenario.users) - 1, -1, -1)
    for gone, instead in itertools.permutations(users, 2):
        given = _given(scenario, scenario.operations, gone, instead)
        together = _in_one_context(given, instead)
        if total(together) < total(scenario):
            yield without_user(together, gone)
            yield without_user(_behind(together, instead), gone)
        if len(scenario.operations) <= _FEW:
            for joined in with_joined_runs(together):
                yield without_user(joined, gone)


_FEW = 8
"""Operations; of more there are too many that can become one."""


def with_given_operations(scenario: Scenario) -> Iterator[Scenario]:
    """Lets a run of one user do what another user asked for in an operation."""
    users = range(len(scenario.users))
    few = len(scenario.operations) <= _FEW
    for operation in reversed(scenario.operations) if few else ():
        if isinstance(operation, RunAgent | Read | Write):
            for user in users:
                if user != operation.user:
                    yield from _given_one(scenario, operation, user)


def _given_one(
    scenario: Scenario, operation: RunAgent | Read | Write, user: int
) -> Iterator[Scenario]:
    given = _given(scenario, (operation,), operation.user, user)
    opened = _opened(scenario, user)
    if opened:
        index = scenario.operations.index(operation)
        theirs: Any = replace(given.operations[index], **{"context": opened[0].context})
        yield from with_joined_runs(exchanged(given, index, theirs))


def with_attackers(scenario: Scenario) -> Iterator[Scenario]:
    """Lets a user claim to be another one instead of all that they do, and then the
    others do nothing but connect, too."""
    users = range(len(scenario.users))
    for attacker, victim in itertools.permutations(users, 2):
        own = [o.id for o in scenario.operations if o.user == attacker]
        rest = tuple(o for o in scenario.operations if o.user != attacker)
        clients = tuple(o for o in rest if isinstance(o, Connect))
        for others, forged in itertools.product((rest, clients), (True, False)):
            if own and len(others) + 1 < len(scenario.operations):
                attack = Connect(
                    id=own[0],
                    user=attacker,
                    connection=f"c{own[0]}",
                    victim=victim,
                    forged=forged,
                )
                yield with_operations(scenario, (*others, attack))


def _given(
    scenario: Scenario, asked: Collection[Operation], gone: int, instead: int
) -> Scenario:
    """The one who is there instead asks for these, as far as the other asked for
    them."""
    label = scenario.users[instead].label
    operations = tuple(
        asked_by(o, instead, label) if o in asked and o.user == gone else o
        for o in scenario.operations
    )
    owners = {o.id: o.user for o in operations}
    aimed = (_aimed(operation, owners, gone, instead) for operation in operations)
    return replace(scenario, operations=tuple(aimed))


def _aimed(
    operation: Any, owners: Mapping[int, int | None], gone: int, instead: int
) -> Operation:
    """The operation aimed at whoever has now what it names: to cancel what is another
    user's without saying so would be no attack, and its success no fault."""
    victim = operation.victim
    if isinstance(operation, CancelRun):
        victim = owners.get(operation.run, victim)
    elif victim == gone and gone not in owners.values():
        victim = instead
    if victim == operation.user:
        victim = None
    changed = victim != operation.victim
    aimed: Operation = replace(operation, victim=victim) if changed else operation
    return aimed


def _in_one_context(scenario: Scenario, user: int) -> Scenario:
    """What the user does in several contexts is done in the one opened first."""
    opened = _opened(scenario, user)
    for other in opened[1:]:
        scenario = redirected(scenario, other, opened[0].context)
    return scenario


def _opened(scenario: Scenario, user: int) -> list[OpenContext]:
    return [
        o for o in scenario.operations if isinstance(o, OpenContext) and o.user == user
    ]


def _behind(scenario: Scenario, user: int) -> Scenario:
    """No run of the user is waited for."""

    def behind(operation: Operation) -> Operation:
        if isinstance(operation, RunAgent) and operation.user == user:
            return replace(operation, background=True)
        return operation

    return replace(scenario, operations=tuple(map(behind, scenario.operations)))
