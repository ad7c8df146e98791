"""Passes that move a cancellation to another step or another operation.

A cancellation names a step of a task by its number. A deletion that makes a run
shorter, or lets it wait less, therefore moves the await site at which it is delivered.
So these passes delete something and move the cancellation in one candidate.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from isolation_spec.diagnosis.shrink.edits import replace_operation
from isolation_spec.diagnosis.shrink.observation import Observe
from isolation_spec.diagnosis.shrink.passes.deletion import (
    with_fewer_contexts,
    with_shorter_scripts,
    without_one_operation,
    without_operations,
)
from isolation_spec.model.scenario import Cancellation, Scenario

__all__ = [
    "with_cancellations_elsewhere",
    "with_cancellations_nearby",
    "with_one_more_cancellation",
    "without_one_cancellation",
]

Deletions: TypeAlias = tuple[Callable[[Scenario], Iterator[Scenario]], ...]

replace = msgspec.structs.replace


def without_one_cancellation(scenario: Scenario) -> Iterator[Scenario]:
    """Removes each cancellation."""
    for index, operation in enumerate(scenario.operations):
        if operation.cancel is not None:
            uncancelled: Any = replace(operation, **{"cancel": None})
            yield replace_operation(scenario, index, uncancelled)


def with_one_more_cancellation(
    scenario: Scenario, steps: Mapping[int, int]
) -> Iterator[Scenario]:
    """Cancels each operation that is not cancelled yet, at each of its steps.

    Arguments:
        steps: operation id -> how many steps its task makes.
    """
    for index, operation in enumerate(scenario.operations):
        if not operation.is_world and operation.cancel is None:
            yield from _with_cancelled_steps(scenario, index, steps)


def _with_cancelled_steps(
    scenario: Scenario, index: int, steps: Mapping[int, int]
) -> Iterator[Scenario]:
    operation = scenario.operations[index]
    made = steps.get(operation.id, 0)
    for step in range(1, made + 1):
        # After its last step a task has ended.
        for after_step in (False, True)[: 1 + (step < made)]:
            cancel = Cancellation(step=step, after_step=after_step)
            cancelled: Any = replace(operation, **{"cancel": cancel})
            yield replace_operation(scenario, index, cancelled)


def _with_fewer_turns(
    scenario: Scenario, index: int, cancel: Cancellation
) -> Iterator[Scenario]:
    """Cancels it during the same wait, after as many turns or after fewer."""
    operation: Any = scenario.operations[index]
    for turns in range(min(cancel.turns, _MOST_TURNS), 0, -1):
        sooner = replace(cancel, turns=turns)
        yield replace_operation(scenario, index, replace(operation, cancel=sooner))


_MOST_TURNS = 40
"""Turns of the loop; each of them is one more candidate to run."""


def with_cancellations_nearby(
    scenario: Scenario, observe: Observe
) -> Iterator[Scenario]:
    """Deletes something and cancels the same operation at another step."""
    for cancelled, operation in enumerate(scenario.operations):
        cancel = operation.cancel
        if cancel is None:
            continue
        uncancelled: Any = replace(operation, **{"cancel": None})
        deletions = (without_operations, with_fewer_contexts, with_shorter_scripts)
        for fewer in _delete(
            replace_operation(scenario, cancelled, uncancelled), deletions
        ):
            for index, left in enumerate(fewer.operations):
                if left.id == operation.id:
                    yield from _with_fewer_turns(fewer, index, cancel)
                    yield from _with_cancelled_steps(fewer, index, observe(fewer).steps)


def with_cancellations_elsewhere(
    scenario: Scenario, observe: Observe
) -> Iterator[Scenario]:
    """Deletes something and moves a cancellation to any step of any operation."""
    deletions = (without_one_operation, with_fewer_contexts, with_shorter_scripts)
    for uncancelled in without_one_cancellation(scenario):
        for fewer in _delete(uncancelled, deletions):
            yield from with_one_more_cancellation(fewer, observe(fewer).steps)


def _delete(scenario: Scenario, deletions: Deletions) -> Iterator[Scenario]:
    return itertools.chain.from_iterable(delete(scenario) for delete in deletions)
