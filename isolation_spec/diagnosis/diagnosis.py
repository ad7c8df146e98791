"""The diagnosis of a violation, as data."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from isolation_spec.claims import Violation
from isolation_spec.diagnosis.provenance import ProvenanceStep
from isolation_spec.model.history.history import History

__all__ = ["ChoiceKind", "Diagnosis", "PassingRun", "ScheduleChoice"]


class ChoiceKind(StrEnum):
    """The forms of a choice: a field of the schedule, or a cancellation."""

    CLASS = "class"
    DEMOTION = "demotion"
    BURST = "burst"
    SPLIT = "split"
    CANCELLATION = "cancellation"


class ScheduleChoice(msgspec.Struct, frozen=True, kw_only=True):
    """One choice of the schedule, or one cancellation.

    Attributes:
        kind: the form of the choice.
        operation: id of the operation that it concerns, None for all or the world.
        text: what it does, in words.
        needed: True if without it, all else equal, the claim is not violated.
        tried: False if nobody ran the scenario without it.
    """

    kind: ChoiceKind
    operation: int | None
    text: str
    needed: bool
    tried: bool = True


class PassingRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is like the failing one but for one choice, and passes.

    Attributes:
        without: what it goes without, as a noun: a decision, or this order.
        history: all that was observed in it.
        step: index of the first entry that differs from the failing run.
    """

    without: str
    history: History
    step: int


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """All that is to be told of one violation.

    Attributes:
        history: the failing run.
        decisions: every choice that the run followed, in the order of the scenario.
        neighbour: a passing run beside it, None if none was found.
        hops: the way of the foreign canary, or else of what the violation is about.
    """

    history: History
    violation: Violation
    decisions: tuple[ScheduleChoice, ...]
    neighbour: PassingRun | None
    hops: tuple[ProvenanceStep, ...]
