"""The arrivals and steps of a run, at which the shrinker may place new decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from isolation_spec.model.scenario import Scenario

__all__ = ["Observe", "RunObservation"]


class RunObservation(NamedTuple):
    """The places for decisions in one run.

    Attributes:
        order: the chain of each arrival, in order.
        steps: operation id -> how many steps its task made.
    """

    order: tuple[str, ...] = ()
    steps: Mapping[int, int] = {}


Observe: TypeAlias = Callable[[Scenario], RunObservation]
"""Runs a scenario and returns its observation."""
