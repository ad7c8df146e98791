"""The same with a cancellation that strikes elsewhere.

A cancellation is counted in steps of a task, so whatever makes a run shorter, or lets
it wait for less, moves what it strikes: what is removed and where it then strikes have
to be found together.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from isolation_spec.diagnosis.shrink.observation import Look
from isolation_spec.diagnosis.shrink.passes.deletion import (
    exchanged,
    with_fewer_contexts,
    with_shorter_scripts,
    without_one,
    without_operations,
)
from isolation_spec.model.scenario import Cancellation, Scenario

__all__ = [
    "calm",
    "with_cancellations",
    "with_cancellations_elsewhere",
    "with_cancellations_nearby",
]

Removals: TypeAlias = tuple[Callable[[Scenario], Iterator[Scenario]], ...]

replace = msgspec.structs.replace


def calm(scenario: Scenario) -> Iterator[Scenario]:
    """Yields the scenario without one of its cancellations, for each."""
    for index, operation in enumerate(scenario.operations):
        if operation.cancel is not None:
            undisturbed: Any = replace(operation, **{"cancel": None})
            yield exchanged(scenario, index, undisturbed)


def with_cancellations(
    scenario: Scenario, steps: Mapping[int, int]
) -> Iterator[Scenario]:
    """Yields the scenario with one more cancellation, for each step that was made."""
    for index, operation in enumerate(scenario.operations):
        if not operation.is_world and operation.cancel is None:
            yield from _struck_in(scenario, index, steps)


def _struck_in(
    scenario: Scenario, index: int, steps: Mapping[int, int]
) -> Iterator[Scenario]:
    operation = scenario.operations[index]
    made = steps.get(operation.id, 0)
    for step in range(1, made + 1):
        # After its last step a task has ended.
        for after_step in (False, True)[: 1 + (step < made)]:
            cancel = Cancellation(step=step, after_step=after_step)
            cancelled: Any = replace(operation, **{"cancel": cancel})
            yield exchanged(scenario, index, cancelled)


def _struck_sooner(
    scenario: Scenario, index: int, cancel: Cancellation
) -> Iterator[Scenario]:
    """In the midst of the same wait, so many turns later or fewer."""
    operation: Any = scenario.operations[index]
    for turns in range(min(cancel.turns, _MOST_TURNS), 0, -1):
        sooner = replace(cancel, turns=turns)
        yield exchanged(scenario, index, replace(operation, cancel=sooner))


_MOST_TURNS = 40
"""Turns of the loop: each is one more scenario to try."""


def with_cancellations_nearby(scenario: Scenario, look: Look) -> Iterator[Scenario]:
    """Removes something, and lets a cancellation strike the same operation at another
    step."""
    for struck_at, operation in enumerate(scenario.operations):
        cancel = operation.cancel
        if cancel is None:
            continue
        undisturbed: Any = replace(operation, **{"cancel": None})
        removals = (without_operations, with_fewer_contexts, with_shorter_scripts)
        for fewer in _removed(exchanged(scenario, struck_at, undisturbed), removals):
            for index, left in enumerate(fewer.operations):
                if left.id == operation.id:
                    yield from _struck_sooner(fewer, index, cancel)
                    yield from _struck_in(fewer, index, look(fewer).steps)


def with_cancellations_elsewhere(scenario: Scenario, look: Look) -> Iterator[Scenario]:
    """Removes something, and lets a cancellation strike anywhere else instead."""
    removals = (without_one, with_fewer_contexts, with_shorter_scripts)
    for undisturbed in calm(scenario):
        for fewer in _removed(undisturbed, removals):
            yield from with_cancellations(fewer, look(fewer).steps)


def _removed(scenario: Scenario, removals: Removals) -> Iterator[Scenario]:
    return itertools.chain.from_iterable(remove(scenario) for remove in removals)
