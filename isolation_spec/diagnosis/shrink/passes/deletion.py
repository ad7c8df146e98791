"""Smaller scenarios in which something is missing that was there."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import msgspec

from isolation_spec.model.scenario import (
    Chain,
    ChainKind,
    OpenContext,
    Operation,
    RunAgent,
    Scenario,
    Schedule,
    Spawn,
    Step,
    Transact,
)

__all__ = [
    "exchanged",
    "has_all_that_is_named",
    "redirected",
    "with_fewer_choices",
    "with_fewer_contexts",
    "with_operations",
    "with_shorter_scripts",
    "without_delays",
    "without_one",
    "without_operations",
    "without_pairs",
    "without_user",
    "without_users",
]

replace = msgspec.structs.replace
_FEW = 12
"""Operations; of more there are too many pairs."""


def without_operations(scenario: Scenario) -> Iterator[Scenario]:
    """Removes halves, quarters and so on down to single operations, later ones
    first."""
    count = len(scenario.operations)
    length = max(count // 2, 1) if count else 0
    while length >= 1:
        for start in range(count - length, -1, -length):
            kept = scenario.operations[:start] + scenario.operations[start + length :]
            yield with_operations(scenario, kept)
        length //= 2


def without_one(scenario: Scenario) -> Iterator[Scenario]:
    """Removes each operation that no other one names, later ones first."""
    for gone in range(len(scenario.operations) - 1, -1, -1):
        kept = scenario.operations[:gone] + scenario.operations[gone + 1 :]
        if has_all_that_is_named(kept):
            yield with_operations(scenario, kept)


def has_all_that_is_named(operations: tuple[Operation, ...]) -> bool:
    """False if a context is named that nobody opens: no timing helps there, and what
    fails without it was tried before."""
    opened = {(o.user, o.context) for o in operations if isinstance(o, OpenContext)}
    for operation in operations:
        named = (operation.owner, operation.context)
        if operation.context is not None and named not in opened:
            return False
    return True


def without_delays(scenario: Scenario) -> Iterator[Scenario]:
    """Removes an operation that only takes time: its user's next one yields instead."""
    for index in range(len(scenario.operations) - 1, -1, -1):
        gone = scenario.operations[index]
        user = gone.user
        later = (
            operation
            for operation in scenario.operations[index + 1 :]
            if user is not None and operation.user == user
        )
        following = next(later, None)
        if following is None:
            continue
        kept = scenario.operations[:index] + scenario.operations[index + 1 :]
        smaller = with_operations(scenario, kept)
        classes = {
            **smaller.schedule.classes,
            Chain.text(following.id, ChainKind.START): 1,
        }
        yield replace(smaller, schedule=replace(smaller.schedule, classes=classes))


def with_fewer_contexts(scenario: Scenario) -> Iterator[Scenario]:
    """Lets one context of a user do the work of another of theirs."""
    opened = [o for o in scenario.operations if isinstance(o, OpenContext)]
    for gone in reversed(opened):
        for instead in opened:
            if instead is not gone and instead.user == gone.user:
                yield redirected(scenario, gone, instead.context)


def redirected(scenario: Scenario, gone: OpenContext, context: str) -> Scenario:
    """The scenario without a context, another of its user in its place."""

    def redirect(operation: Operation) -> Any:
        if (operation.owner, operation.context) == (gone.user, gone.context):
            return replace(operation, **{"context": context})
        return operation

    kept = tuple(redirect(o) for o in scenario.operations if o is not gone)
    return with_operations(scenario, kept)


def with_operations(scenario: Scenario, operations: tuple[Operation, ...]) -> Scenario:
    """The scenario with these operations, and only the choices that hang on them."""
    owners = {operation.id for operation in operations} | {None}

    def stays(chain: str) -> bool:
        return Chain.parse(chain).owner in owners

    schedule = replace(
        scenario.schedule,
        classes={c: n for c, n in scenario.schedule.classes.items() if stays(c)},
        demotions=tuple(d for d in scenario.schedule.demotions if stays(d.chain)),
    )
    return replace(scenario, operations=operations, schedule=schedule)


def without_users(scenario: Scenario) -> Iterator[Scenario]:
    """Removes users, with all that they do."""
    for gone in range(len(scenario.users) - 1, -1, -1):
        yield without_user(scenario, gone)


def without_user(scenario: Scenario, gone: int) -> Scenario:
    """The scenario without a user, and all that they do or that is done to them."""
    operations = tuple(
        _renumbered(operation, gone)
        for operation in scenario.operations
        if gone not in _users_of(operation)
    )
    smaller = with_operations(scenario, operations)
    users = scenario.users[:gone] + scenario.users[gone + 1 :]
    return replace(smaller, users=users)


def _users_of(operation: Operation) -> tuple[int, ...]:
    named = (operation.user, operation.victim)
    return tuple(user for user in named if user is not None)


def _renumbered(operation: Operation, gone: int) -> Operation:
    named = {"user": operation.user, "victim": operation.victim}
    changed: dict[str, Any] = {
        name: user - 1
        for name, user in named.items()
        if user is not None and user > gone
    }
    return replace(operation, **changed) if changed else operation


def with_fewer_choices(scenario: Scenario) -> Iterator[Scenario]:
    """Removes all choices, then one by one; then makes classes and steps smaller."""
    schedule = scenario.schedule
    if schedule != Schedule():
        yield replace(scenario, schedule=Schedule())
    for changed in _fewer(schedule):
        yield replace(scenario, schedule=changed)
    for index, operation in enumerate(scenario.operations):
        cancel = operation.cancel
        if cancel is None:
            continue
        yield exchanged(scenario, index, replace(operation, cancel=None))
        for turns in sorted({0, cancel.turns // 2, cancel.turns - 1}):
            if 0 <= turns < cancel.turns:
                sooner = replace(cancel, turns=turns)
                yield exchanged(scenario, index, replace(operation, cancel=sooner))
        if cancel.after_step:
            late = replace(cancel, after_step=False, turns=0)
            yield exchanged(scenario, index, replace(operation, cancel=late))
        for step in sorted({1, cancel.step // 2, cancel.step - 1}):
            if 0 < step < cancel.step:
                earlier = replace(cancel, step=step)
                yield exchanged(scenario, index, replace(operation, cancel=earlier))


def _fewer(schedule: Schedule) -> Iterator[Schedule]:
    if schedule.classes:
        yield replace(schedule, classes={})
    if schedule.demotions:
        yield replace(schedule, demotions=())
    if schedule.burst:
        yield replace(schedule, burst=0)
    if schedule.split:
        yield replace(schedule, split=False)
    for chain in schedule.classes:
        rest = {c: n for c, n in schedule.classes.items() if c != chain}
        yield replace(schedule, classes=rest)
    for index in range(len(schedule.demotions)):
        rest_of = schedule.demotions[:index] + schedule.demotions[index + 1 :]
        yield replace(schedule, demotions=rest_of)
    for chain, number in schedule.classes.items():
        if number > 1:
            yield replace(schedule, classes={**schedule.classes, chain: 1})


def with_shorter_scripts(scenario: Scenario) -> Iterator[Scenario]:
    """Empties scripts, removes their steps, and puts a child's steps in its place."""
    for index, operation in enumerate(scenario.operations):
        if not isinstance(operation, RunAgent):
            continue
        if len(operation.script) > 1:
            yield exchanged(scenario, index, replace(operation, script=()))
        for script in _shorter(operation.script):
            yield exchanged(scenario, index, replace(operation, script=script))
        if operation.background:
            plain = replace(operation, background=False)
            yield exchanged(scenario, index, plain)


def _shorter(script: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    for index in range(len(script) - 1, -1, -1):
        before, step, after = script[:index], script[index], script[index + 1 :]
        yield before + after
        if isinstance(step, Transact) and len(step.items) > 1:
            for gone in range(len(step.items)):
                rest = step.items[:gone] + step.items[gone + 1 :]
                yield (*before, replace(step, items=rest), *after)
        if isinstance(step, Spawn):
            yield before + step.script + after
            for inner in _shorter(step.script):
                yield (*before, replace(step, script=inner), *after)


def without_pairs(scenario: Scenario) -> Iterator[Scenario]:
    """Removes any two operations, of few, that are needed by each other alone."""
    count = len(scenario.operations)
    indices = range(count - 1, -1, -1) if count <= _FEW else ()
    for pair in itertools.combinations(indices, 2):
        kept = (o for i, o in enumerate(scenario.operations) if i not in pair)
        yield with_operations(scenario, tuple(kept))


def exchanged(scenario: Scenario, index: int, operation: Any) -> Scenario:
    operations = list(scenario.operations)
    operations[index] = operation
    return replace(scenario, operations=tuple(operations))
