"""The same said more plainly: simpler operations, common names, short waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from isolation_spec.diagnosis.shrink.passes.deletion import exchanged, with_operations
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
    "plainness",
    "with_another_operation",
    "with_labels_for_names",
    "with_shorter_names",
    "with_simpler_operations",
]

replace = msgspec.structs.replace
_PLAIN = (Read, Write, Connect, OpenContext)
"""What is understood at a glance, the plainest first."""
_SECONDS = (0.1, 1.0, 6.0, 31.0)


def plainness(scenario: Scenario) -> tuple[float, ...]:
    """Smaller for a scenario that is read more easily; the first number counts most."""
    operations, schedule = scenario.operations, scenario.schedule
    cancels = [c for o in operations if (c := o.cancel) is not None]
    odd = [user.id for user in scenario.users if user.id != user.label]
    text = scenario.to_json()
    return (
        sum(operation.background for operation in operations),
        sum(map(_rank, operations)),
        sum(cancel.after_step for cancel in cancels),
        sum(cancel.step + cancel.turns for cancel in cancels)
        + sum(schedule.classes.values()),
        len(scenario.users),
        text.count(b'"call_tool"') - text.count(b'"echo"'),
        text.count(b'"key":') - sum(map(text.count, (b'"key":"k"', b'"key":"s"'))),
        sum(map(_waiting, operations)),
        len(odd),
        sum(map(len, odd)),
        len(text) - sum(len(user.id) for user in scenario.users),
    )


def _rank(operation: Operation) -> int:
    kinds = (rank for rank, kind in enumerate(_PLAIN) if isinstance(operation, kind))
    return next(kinds, len(_PLAIN))


def _waiting(operation: Operation) -> float:
    """Seconds, and one more for an outside that stands still."""
    sleeping = sum(
        step.seconds
        for _, step in walk(operation.script)
        if isinstance(step, Sleep | Think)
    )
    return sleeping + operation.seconds + operation.stalled


def with_simpler_operations(scenario: Scenario) -> Iterator[Scenario]:
    """Asks for something simpler in place of each operation, and for shorter waits."""
    for index, operation in enumerate(scenario.operations):
        for simpler in _simpler(operation, scenario):
            yield exchanged(scenario, index, simpler)
        if isinstance(operation, RunAgent):
            for place, step in enumerate(operation.script):
                for plain in _plainer(step):
                    script: list[Step] = list(operation.script)
                    script[place] = plain
                    changed = replace(operation, script=tuple(script))
                    yield exchanged(scenario, index, changed)


def with_another_operation(scenario: Scenario) -> Iterator[Scenario]:
    """Removes an operation, and asks for something else in place of another one."""
    operations = scenario.operations
    for gone in range(len(operations) - 1 if len(operations) <= _FEW else -1, -1, -1):
        smaller = with_operations(scenario, operations[:gone] + operations[gone + 1 :])
        for index, operation in enumerate(smaller.operations):
            for other in _others(operation, scenario):
                if type(other) is not type(operation):
                    yield exchanged(smaller, index, other)


_FEW = 8
"""Operations; of more there are too many pairs."""


def _others(operation: Operation, scenario: Scenario) -> Iterator[Operation]:
    """Everything that can be asked in the context of the operation."""
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


def _simpler(operation: Operation, scenario: Scenario) -> Iterator[Operation]:
    match operation:
        case RunAgent() | Mutate() | Erase() | CleanupEngine() | Write():
            named = _in_context(operation)
            yield Read(**named)
            stored = tuple(_stored(operation))
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


def _stored(operation: Operation) -> Iterator[tuple[str, str]]:
    """The (key, value) pairs that it stores."""
    if isinstance(operation, Write):
        yield "k", operation.value
    if isinstance(operation, RunAgent):
        for _, step in walk(operation.script):
            if isinstance(step, Remember):
                yield step.key, step.value
            elif isinstance(step, Transact):
                yield from step.items


def _plainer(step: Step) -> Iterator[Step]:
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
    """Calls users by their labels, and threads `t`."""
    users = tuple(User(label=user.label, id=user.label) for user in scenario.users)
    yield replace(scenario, users=users)
    for index, operation in enumerate(scenario.operations):
        if isinstance(operation, OpenContext) and operation.thread != "t":
            yield exchanged(scenario, index, replace(operation, thread="t"))


def with_shorter_names(scenario: Scenario) -> Iterator[Scenario]:
    """Cuts from the names of users what they have in common, and then letter by
    letter."""
    names = [user.id for user in scenario.users]
    for shorter in _shortened(names):
        if all(shorter) and len(set(shorter)) == len(names):
            renamed = zip(scenario.users, shorter, strict=True)
            users = tuple(replace(user, id=name) for user, name in renamed)
            yield replace(scenario, users=users)


def _shortened(names: list[str]) -> Iterator[list[str]]:
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
"""Of longer names no single letters are cut: that would be as many runs."""
