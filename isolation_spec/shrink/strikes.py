"""The same with a cancellation that strikes elsewhere.

A cancellation is counted in steps of a task, so whatever makes a run shorter, or lets
it wait for less, moves what it strikes: what is removed and where it then strikes have
to be found together.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from isolation_spec.scenario import Cancellation, Scenario
from isolation_spec.shrink.places import Look
from isolation_spec.shrink.removals import (
    exchanged,
    with_fewer_contexts,
    with_shorter_scripts,
    without_one,
)

__all__ = ["calm", "struck", "struck_elsewhere"]

replace = msgspec.structs.replace


def calm(scenario: Scenario) -> Iterator[Scenario]:
    """Yields the scenario without one of its cancellations, for each."""
    for index, operation in enumerate(scenario.operations):
        if getattr(operation, "cancel", None) is not None:
            undisturbed: Any = replace(operation, **{"cancel": None})
            yield exchanged(scenario, index, undisturbed)


def struck(scenario: Scenario, steps: Mapping[int, int]) -> Iterator[Scenario]:
    """Yields the scenario with one more cancellation, for each step that was made."""
    for index, operation in enumerate(scenario.operations):
        if getattr(operation, "cancel", "none") is not None:
            continue
        made = steps.get(operation.id, 0)
        for step in range(1, made + 1):
            # After its last step a task has ended.
            for early in (False, True)[: 1 + (step < made)]:
                cancel = Cancellation(step=step, early=early)
                changed: Any = replace(operation, **{"cancel": cancel})
                yield exchanged(scenario, index, changed)


def struck_elsewhere(scenario: Scenario, look: Look) -> Iterator[Scenario]:
    """Removes something, and lets a cancellation strike at any other step instead."""
    for undisturbed in calm(scenario):
        removals = (without_one, with_fewer_contexts, with_shorter_scripts)
        for fewer in itertools.chain.from_iterable(r(undisturbed) for r in removals):
            yield from struck(fewer, look(fewer).steps)
