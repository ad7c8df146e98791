"""Edits of scenarios that several shrink passes share."""

from __future__ import annotations

from typing import Any

import msgspec

from isolation_spec.model.scenario import (
    OpenContext,
    Operation,
    Read,
    Recall,
    Remember,
    RunAgent,
    Scenario,
    Sleep,
    Step,
    Write,
)

__all__ = [
    "LONG_SLEEP",
    "as_script",
    "keep_operations",
    "merge_contexts",
    "opens_every_named_context",
    "remove_user",
    "replace_operation",
    "sleep_before_step",
    "sleep_first",
]

replace = msgspec.structs.replace
LONG_SLEEP = 5.0
"""Seconds: longer than an engine needs for anything, and shorter than its limits."""


def replace_operation(scenario: Scenario, index: int, operation: Any) -> Scenario:
    """The scenario with this operation at the index."""
    operations = list(scenario.operations)
    operations[index] = operation
    return replace(scenario, operations=tuple(operations))


def keep_operations(scenario: Scenario, operations: tuple[Operation, ...]) -> Scenario:
    """The scenario with these operations, and only the choices that hang on them."""
    owners = {operation.id for operation in operations} | {None}
    schedule = scenario.schedule.restricted_to(owners)
    return replace(scenario, operations=operations, schedule=schedule)


def opens_every_named_context(operations: tuple[Operation, ...]) -> bool:
    """Whether each context that an operation names is opened by another one.

    A scenario that fails without it needs no other timing, so an earlier pass already
    tried it.
    """
    opened = {(o.user, o.context) for o in operations if isinstance(o, OpenContext)}
    for operation in operations:
        named = (operation.owner, operation.context)
        if operation.context is not None and named not in opened:
            return False
    return True


def merge_contexts(scenario: Scenario, gone: OpenContext, context: str) -> Scenario:
    """The scenario without a context; another context of its user takes its place."""

    def rename(operation: Operation) -> Any:
        if (operation.owner, operation.context) == (gone.user, gone.context):
            return replace(operation, **{"context": context})
        return operation

    kept = tuple(rename(o) for o in scenario.operations if o is not gone)
    return keep_operations(scenario, kept)


def remove_user(scenario: Scenario, gone: int) -> Scenario:
    """The scenario without a user, their operations and the attacks on them."""
    operations = tuple(
        _renumber(operation, gone)
        for operation in scenario.operations
        if gone not in (operation.user, operation.victim)
    )
    smaller = keep_operations(scenario, operations)
    users = scenario.users[:gone] + scenario.users[gone + 1 :]
    return replace(smaller, users=users)


def _renumber(operation: Operation, gone: int) -> Operation:
    named = {"user": operation.user, "victim": operation.victim}
    changed: dict[str, Any] = {
        name: user - 1
        for name, user in named.items()
        if user is not None and user > gone
    }
    return replace(operation, **changed) if changed else operation


def as_script(operation: Operation) -> tuple[Step, ...]:
    """The script of a run with the same effect as this run, write or read."""
    match operation:
        case RunAgent(script=script):
            return script
        case Write(key=key, value=value):
            return (Remember(key=key, value=value),)
    return (Recall(key="k"),)


def sleep_before_step(operation: Operation, place: int) -> Operation:
    """A run with the operation's effect that sleeps before the step at this place.

    The operation itself if no run has its effect.
    """
    script = as_script(operation)
    slower = (*script[:place], Sleep(seconds=LONG_SLEEP), *script[place:])
    match operation:
        case RunAgent():
            return replace(operation, script=slower)
        case Read() | Write():
            return RunAgent(
                id=operation.id,
                user=operation.user,
                context=operation.context,
                victim=operation.victim,
                cancel=operation.cancel,
                script=slower,
            )
    return operation


def sleep_first(operation: Operation) -> Operation:
    """A run with the operation's effect that sleeps before its first step.

    Runs that begin at different moments all resume at the same one.
    """
    return sleep_before_step(operation, 0)
