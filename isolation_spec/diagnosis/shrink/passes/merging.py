"""Runs of agents in place of other operations: of two, or of one that comes later."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TypeGuard

import msgspec

from isolation_spec.diagnosis.shrink.passes.deletion import with_operations
from isolation_spec.model.scenario import (
    Operation,
    Read,
    Recall,
    Remember,
    RunAgent,
    Scenario,
    Sleep,
    Spawn,
    Step,
    Write,
)

__all__ = [
    "LONG",
    "later",
    "script_of",
    "sleeping",
    "with_joined_runs",
]

replace = msgspec.structs.replace
LONG = 5.0
"""Seconds: longer than an engine needs for anything, and shorter than its limits."""


def with_joined_runs(scenario: Scenario) -> Iterator[Scenario]:
    """Lets one run do what a user asks for in two operations of one context."""
    operations = scenario.operations
    for first, second in itertools.combinations(range(len(operations)), 2):
        one, other = operations[first], operations[second]
        if not _is_scripted(one) or not _is_scripted(other):
            continue
        if (one.user, one.context) != (other.user, other.context):
            continue
        doing, then = script_of(one), script_of(other)
        scripts = (
            (*doing, *then),
            (*then, *doing),
            (Spawn(script=doing), Spawn(script=then)),
            (*doing, Sleep(seconds=LONG), *then),
        )
        for place, script in itertools.product((first, second), scripts):
            run = RunAgent(
                id=operations[place].id,
                user=one.user,
                context=one.context,
                script=script,
            )
            gone = second if place == first else first
            kept = (o for i, o in enumerate(operations) if i != gone)
            joined = tuple(run if o.id == run.id else o for o in kept)
            yield with_operations(scenario, joined)


def _is_scripted(operation: Operation) -> TypeGuard[RunAgent | Read | Write]:
    """True if a script can do what a user asks for in a context of their own."""
    return isinstance(operation, RunAgent | Read | Write) and operation.victim is None


def script_of(operation: Operation) -> tuple[Step, ...]:
    """What a run does that does the same, for a run, a write or a read."""
    match operation:
        case RunAgent(script=script):
            return script
        case Write(key=key, value=value):
            return (Remember(key=key, value=value),)
    return (Recall(key="k"),)


def sleeping(operation: Operation, place: int) -> Operation:
    """A run that sleeps before one of its steps, and else does what the operation
    does; the operation itself if no run does that."""
    script = script_of(operation)
    slower = (*script[:place], Sleep(seconds=LONG), *script[place:])
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


def later(operation: Operation) -> Operation:
    """All runs sleep first: whenever they began, they go on at the same moment."""
    return sleeping(operation, 0)
