"""Passes that delete users, operations, contexts, choices and script steps."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec

from isolation_spec.diagnosis.shrink.edits import (
    keep_operations,
    merge_contexts,
    opens_every_named_context,
    remove_user,
    replace_operation,
)
from isolation_spec.model.scenario import (
    Cancellation,
    Chain,
    ChainKind,
    OpenContext,
    RunAgent,
    Scenario,
    Schedule,
    Spawn,
    Step,
    Transact,
)

__all__ = [
    "with_fewer_choices",
    "with_fewer_contexts",
    "with_shorter_scripts",
    "without_delays",
    "without_one_operation",
    "without_operations",
    "without_pairs",
    "without_users",
]

replace = msgspec.structs.replace
_MOST_FOR_PAIRS = 12
"""Operations of a scenario; with more of them there are too many pairs to try."""


def without_operations(scenario: Scenario) -> Iterator[Scenario]:
    """Removes halves, quarters and so on down to single operations, later ones first.

    Large blocks come first: of 200 operations, two are isolated in under 500 runs.
    """
    count = len(scenario.operations)
    length = max(count // 2, 1) if count else 0
    while length >= 1:
        for start in range(count - length, -1, -length):
            kept = scenario.operations[:start] + scenario.operations[start + length :]
            yield keep_operations(scenario, kept)
        length //= 2


def without_one_operation(scenario: Scenario) -> Iterator[Scenario]:
    """Removes each operation that opens no context in use, later ones first."""
    for gone in range(len(scenario.operations) - 1, -1, -1):
        kept = scenario.operations[:gone] + scenario.operations[gone + 1 :]
        if opens_every_named_context(kept):
            yield keep_operations(scenario, kept)


def without_delays(scenario: Scenario) -> Iterator[Scenario]:
    """Removes an operation that only takes time.

    The next operation of its user gets a class in its place, and so starts later.
    """
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
        smaller = keep_operations(scenario, kept)
        start = Chain.text(following.id, ChainKind.START)
        classes = {**smaller.schedule.classes, start: 1}
        yield replace(smaller, schedule=replace(smaller.schedule, classes=classes))


def with_fewer_contexts(scenario: Scenario) -> Iterator[Scenario]:
    """Merges two contexts of one user."""
    opened = [o for o in scenario.operations if isinstance(o, OpenContext)]
    for gone in reversed(opened):
        for instead in opened:
            if instead is not gone and instead.user == gone.user:
                yield merge_contexts(scenario, gone, instead.context)


def without_users(scenario: Scenario) -> Iterator[Scenario]:
    """Removes each user together with their operations, later ones first."""
    for gone in range(len(scenario.users) - 1, -1, -1):
        yield remove_user(scenario, gone)


def with_fewer_choices(scenario: Scenario) -> Iterator[Scenario]:
    """Removes all choices, then single ones; then reduces classes and cancellations."""
    schedule = scenario.schedule
    if schedule != Schedule():
        yield replace(scenario, schedule=Schedule())
    for changed in _with_fewer_decisions(schedule):
        yield replace(scenario, schedule=changed)
    for index, operation in enumerate(scenario.operations):
        if operation.cancel is not None:
            for cancel in (None, *_reduce(operation.cancel)):
                changed_operation = replace(operation, **{"cancel": cancel})
                yield replace_operation(scenario, index, changed_operation)


def _reduce(cancel: Cancellation) -> Iterator[Cancellation]:
    """Fewer turns after the step; then before the step; then at earlier steps."""
    for turns in sorted({0, cancel.turns // 2, cancel.turns - 1}):
        if 0 <= turns < cancel.turns:
            yield replace(cancel, turns=turns)
    if cancel.after_step:
        yield replace(cancel, after_step=False, turns=0)
    for step in sorted({1, cancel.step // 2, cancel.step - 1}):
        if 0 < step < cancel.step:
            yield replace(cancel, step=step)


def _with_fewer_decisions(schedule: Schedule) -> Iterator[Schedule]:
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
    """Empties scripts, removes their steps, and replaces a spawn by its script."""
    for index, operation in enumerate(scenario.operations):
        if not isinstance(operation, RunAgent):
            continue
        if len(operation.script) > 1:
            yield replace_operation(scenario, index, replace(operation, script=()))
        for script in _shorten(operation.script):
            yield replace_operation(scenario, index, replace(operation, script=script))
        if operation.background:
            plain = replace(operation, background=False)
            yield replace_operation(scenario, index, plain)


def _shorten(script: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    for index in range(len(script) - 1, -1, -1):
        before, step, after = script[:index], script[index], script[index + 1 :]
        yield before + after
        if isinstance(step, Transact) and len(step.items) > 1:
            for gone in range(len(step.items)):
                rest = step.items[:gone] + step.items[gone + 1 :]
                yield (*before, replace(step, items=rest), *after)
        if isinstance(step, Spawn):
            yield before + step.script + after
            for inner in _shorten(step.script):
                yield (*before, replace(step, script=inner), *after)


def without_pairs(scenario: Scenario) -> Iterator[Scenario]:
    """Removes any two operations together; not of long scenarios.

    Two operations may need each other, so that neither can go alone.
    """
    count = len(scenario.operations)
    indices = range(count - 1, -1, -1) if count <= _MOST_FOR_PAIRS else ()
    for pair in itertools.combinations(indices, 2):
        kept = (o for i, o in enumerate(scenario.operations) if i not in pair)
        yield keep_operations(scenario, tuple(kept))
