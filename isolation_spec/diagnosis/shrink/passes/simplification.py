"""Passes that make a scenario easier to read: simple operations, names and waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from isolation_spec.diagnosis.shrink.edits import keep_operations, replace_operation
from isolation_spec.model.scenario import (
    AdvanceTime,
    CallTool,
    CleanupEngine,
    Connect,
    Erase,
    Mutate,
    OpenContext,
    Operation,
    Read,
    Recall,
    Reconnect,
    Remember,
    RunAgent,
    Scenario,
    Sleep,
    Step,
    Think,
    Transact,
    User,
    UserOperation,
    Write,
    WriteState,
    canary,
    walk,
)

__all__ = [
    "with_another_operation",
    "with_labels_for_names",
    "with_shorter_names",
    "with_simpler_operations",
]

replace = msgspec.structs.replace
_SECONDS = (0.1, 1.0, 6.0, 31.0)
"""The virtual seconds that a wait is reduced to, the shortest first."""


def with_simpler_operations(scenario: Scenario) -> Iterator[Scenario]:
    """Replaces each operation and each step by a simpler one or a shorter wait."""
    for index, operation in enumerate(scenario.operations):
        for simpler in _simplify(operation, scenario):
            yield replace_operation(scenario, index, simpler)
        if isinstance(operation, RunAgent):
            for place, step in enumerate(operation.script):
                for plain in _simplify_step(step):
                    script: list[Step] = list(operation.script)
                    script[place] = plain
                    changed = replace(operation, script=tuple(script))
                    yield replace_operation(scenario, index, changed)


def with_another_operation(scenario: Scenario) -> Iterator[Scenario]:
    """Removes one operation and replaces another by one of a different kind."""
    operations = scenario.operations
    for gone in range(
        len(operations) - 1 if len(operations) <= _MOST_OPERATIONS else -1, -1, -1
    ):
        smaller = keep_operations(scenario, operations[:gone] + operations[gone + 1 :])
        for index, operation in enumerate(smaller.operations):
            for other in _alternatives(operation, scenario):
                if type(other) is not type(operation):
                    yield replace_operation(smaller, index, other)


_MOST_OPERATIONS = 8
"""Operations of a scenario; with more of them there are too many pairs to try."""


def _alternatives(operation: Operation, scenario: Scenario) -> Iterator[Operation]:
    """Each simple request of the same user in the same context."""
    if isinstance(operation, RunAgent | Mutate | Erase | CleanupEngine | Write | Read):
        named = _in_context(operation)
        yield Erase(**named)
        yield CleanupEngine(**named)
        yield Read(**named)
        label = scenario.users[operation.user].label
        yield Write(**named, key="k", value=canary(label, operation.id, 1))


def _in_context(operation: UserOperation) -> dict[str, Any]:
    """The fields of another operation of the same user in the same context."""
    return {
        "id": operation.id,
        "user": operation.user,
        "cancel": operation.cancel,
        "context": operation.context,
        "victim": operation.victim,
    }


def _simplify(operation: Operation, scenario: Scenario) -> Iterator[Operation]:
    match operation:
        case RunAgent() | Mutate() | Erase() | CleanupEngine() | Write():
            named = _in_context(operation)
            yield Read(**named)
            stored = tuple(_list_stored(operation))
            label = scenario.users[operation.user].label
            for key, value in (*stored, ("k", canary(label, operation.id, 1))):
                yield Write(**named, key=key, value=value)
        case Reconnect():
            yield Connect(
                id=operation.id,
                user=operation.user,
                connection=operation.connection,
                cancel=operation.cancel,
            )
        case AdvanceTime():
            if operation.stalled:
                yield replace(operation, stalled=False)
            for seconds in _SECONDS:
                if seconds < operation.seconds:
                    yield replace(operation, seconds=seconds)


def _list_stored(operation: Operation) -> Iterator[tuple[str, str]]:
    """Yields each (key, value) pair that the operation stores."""
    if isinstance(operation, Write):
        yield "k", operation.value
    if isinstance(operation, RunAgent):
        for _, step in walk(operation.script):
            if isinstance(step, Remember):
                yield step.key, step.value
            elif isinstance(step, Transact):
                yield from step.items


def _simplify_step(step: Step) -> Iterator[Step]:
    match step:
        case CallTool(tool=tool) if tool != "echo":
            yield replace(step, tool="echo")
        case Transact(items=((key, value), *_)):
            yield Remember(key=key, value=value)
            if step.fails:
                yield replace(step, fails=False)
        case Sleep(seconds=seconds) if seconds > 0.1:
            yield replace(step, seconds=0.1)
        case Think(seconds=seconds) if seconds > 0:
            yield replace(step, seconds=0.0)
    if isinstance(step, WriteState | Remember | Recall) and step.key not in ("k", "s"):
        yield replace(step, key="k")


def with_labels_for_names(scenario: Scenario) -> Iterator[Scenario]:
    """Names users after their labels, and threads `t`."""
    users = tuple(User(label=user.label, id=user.label) for user in scenario.users)
    yield replace(scenario, users=users)
    for index, operation in enumerate(scenario.operations):
        if isinstance(operation, OpenContext) and operation.thread != "t":
            yield replace_operation(scenario, index, replace(operation, thread="t"))


def with_shorter_names(scenario: Scenario) -> Iterator[Scenario]:
    """Shortens all names of users by the same length, then single names by a letter.

    Names are cut at the same end, so that names which the engine confuses stay alike.
    """
    names = [user.id for user in scenario.users]
    for shorter in _shorten(names):
        if all(shorter) and len(set(shorter)) == len(names):
            renamed = zip(scenario.users, shorter, strict=True)
            users = tuple(replace(user, id=name) for user, name in renamed)
            yield replace(scenario, users=users)


def _shorten(names: list[str]) -> Iterator[list[str]]:
    shortest = min(map(len, names), default=0)
    for length in (shortest - 1, shortest // 2, shortest // 4, 1):
        if length > 0:
            yield [name[length:] for name in names]
            yield [name[:-length] for name in names]
    for index, name in enumerate(names):
        for place in range(len(name) if len(name) <= _MOST_LETTERS else 0):
            cut = name[:place] + name[place + 1 :]
            yield [*names[:index], cut, *names[index + 1 :]]


_MOST_LETTERS = 24
"""Longer names lose no single letters, as each letter is one more run."""
