"""Passes that reduce users: one user takes over operations of another."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from isolation_spec.diagnosis.shrink.canaries import reassign
from isolation_spec.diagnosis.shrink.edits import (
    keep_operations,
    merge_contexts,
    remove_user,
    replace_operation,
)
from isolation_spec.diagnosis.shrink.passes.merging import with_merged_operations
from isolation_spec.diagnosis.shrink.sort_key import complexity
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

__all__ = ["with_attackers", "with_merged_users", "with_transferred_operations"]

replace = msgspec.structs.replace


def with_merged_users(scenario: Scenario) -> Iterator[Scenario]:
    """Transfers all operations of one user to another, into one context.

    There they run one after the other, in the background, or merged into one run.
    """
    users = range(len(scenario.users) - 1, -1, -1)
    for gone, instead in itertools.permutations(users, 2):
        given = _transfer(scenario, scenario.operations, gone, instead)
        together = _in_one_context(given, instead)
        if complexity(together) < complexity(scenario):
            yield remove_user(together, gone)
            yield remove_user(_in_background(together, instead), gone)
        if len(scenario.operations) <= _MOST_OPERATIONS:
            for merged in with_merged_operations(together):
                yield remove_user(merged, gone)


_MOST_OPERATIONS = 8
"""Operations of a scenario; with more of them there are too many pairs to merge."""


def with_transferred_operations(scenario: Scenario) -> Iterator[Scenario]:
    """Transfers an operation to another user and merges it into one of their runs."""
    users = range(len(scenario.users))
    few = len(scenario.operations) <= _MOST_OPERATIONS
    for operation in reversed(scenario.operations) if few else ():
        if isinstance(operation, RunAgent | Read | Write):
            for user in users:
                if user != operation.user:
                    yield from _transfer_one(scenario, operation, user)


def _transfer_one(
    scenario: Scenario, operation: RunAgent | Read | Write, user: int
) -> Iterator[Scenario]:
    given = _transfer(scenario, (operation,), operation.user, user)
    contexts = _contexts_of(scenario, user)
    if contexts:
        index = scenario.operations.index(operation)
        theirs: Any = replace(
            given.operations[index], **{"context": contexts[0].context}
        )
        yield from with_merged_operations(replace_operation(given, index, theirs))


def with_attackers(scenario: Scenario) -> Iterator[Scenario]:
    """Replaces all operations of a user by one forged or impersonating connection.

    Then it also reduces the other users to their connections.
    """
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
                yield keep_operations(scenario, (*others, attack))


def _transfer(
    scenario: Scenario, transferred: Collection[Operation], gone: int, instead: int
) -> Scenario:
    """The scenario in which `instead` performs these operations of the user `gone`."""
    label = scenario.users[instead].label
    operations = tuple(
        reassign(o, instead, label) if o in transferred and o.user == gone else o
        for o in scenario.operations
    )
    owners = {o.id: o.user for o in operations}
    retargeted = (_retarget(o, owners, gone, instead) for o in operations)
    return replace(scenario, operations=tuple(retargeted))


def _retarget(
    operation: Any, owners: Mapping[int, int | None], gone: int, instead: int
) -> Operation:
    """The operation with the present owner of its target as its victim.

    Without that, cancelling a run of another user would be no declared attack, and its
    success no violation.
    """
    victim = operation.victim
    if isinstance(operation, CancelRun):
        victim = owners.get(operation.run, victim)
    elif victim == gone and gone not in owners.values():
        victim = instead
    if victim == operation.user:
        victim = None
    changed = victim != operation.victim
    retargeted: Operation = replace(operation, victim=victim) if changed else operation
    return retargeted


def _in_one_context(scenario: Scenario, user: int) -> Scenario:
    """The scenario in which the user has only the context that they open first."""
    contexts = _contexts_of(scenario, user)
    for other in contexts[1:]:
        scenario = merge_contexts(scenario, other, contexts[0].context)
    return scenario


def _contexts_of(scenario: Scenario, user: int) -> list[OpenContext]:
    return [
        o for o in scenario.operations if isinstance(o, OpenContext) and o.user == user
    ]


def _in_background(scenario: Scenario, user: int) -> Scenario:
    """The scenario in which all runs of the user are in the background."""

    def in_background(operation: Operation) -> Operation:
        if isinstance(operation, RunAgent) and operation.user == user:
            return replace(operation, background=True)
        return operation

    return replace(scenario, operations=tuple(map(in_background, scenario.operations)))
