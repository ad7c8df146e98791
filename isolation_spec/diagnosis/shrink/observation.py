"""What the run of a scenario had places for: decisions that were not made in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from isolation_spec.model.scenario import Scenario

__all__ = ["Look", "RunObservation"]


class RunObservation(NamedTuple):
    """What a run had a place for: the chain of each arrival, in order, and how many
    steps the task of each operation made."""

    order: tuple[str, ...] = ()
    steps: Mapping[int, int] = {}


Look: TypeAlias = Callable[[Scenario], RunObservation]
