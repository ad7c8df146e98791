"""The pass that merges two operations of one context into one run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TypeGuard

from isolation_spec.diagnosis.shrink.edits import (
    LONG_SLEEP,
    as_script,
    keep_operations,
)
from isolation_spec.model.scenario import (
    Operation,
    Read,
    RunAgent,
    Scenario,
    Sleep,
    Spawn,
    Write,
)

__all__ = ["with_merged_operations"]


def with_merged_operations(scenario: Scenario) -> Iterator[Scenario]:
    """Replaces two operations of one context by one run.

    The run performs both in either order, both at once as its children, or the second
    one after a long sleep. It stands where either operation stood.
    """
    operations = scenario.operations
    for first, second in itertools.combinations(range(len(operations)), 2):
        one, other = operations[first], operations[second]
        if not _is_scripted(one) or not _is_scripted(other):
            continue
        if (one.user, one.context) != (other.user, other.context):
            continue
        first_script, second_script = as_script(one), as_script(other)
        scripts = (
            (*first_script, *second_script),
            (*second_script, *first_script),
            (Spawn(script=first_script), Spawn(script=second_script)),
            (*first_script, Sleep(seconds=LONG_SLEEP), *second_script),
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
            merged = tuple(run if o.id == run.id else o for o in kept)
            yield keep_operations(scenario, merged)


def _is_scripted(operation: Operation) -> TypeGuard[RunAgent | Read | Write]:
    """Whether a script can have the effect of the operation, which is no attack."""
    return isinstance(operation, RunAgent | Read | Write) and operation.victim is None
