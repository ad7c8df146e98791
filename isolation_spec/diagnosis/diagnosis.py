"""The diagnosis of a violation, as data; `wording` turns it into text."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from isolation_spec.claims import Violation
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Cancellation, Demotion

__all__ = [
    "ArrivalOrder",
    "Birth",
    "BurstChoice",
    "CancellationChoice",
    "Choice",
    "ClassChoice",
    "DemotionChoice",
    "Diagnosis",
    "Difference",
    "OtherUsers",
    "PassingRun",
    "ProvenanceStep",
    "ScheduleChoice",
    "SplitChoice",
]


# Choices


class CancellationChoice(msgspec.Struct, frozen=True, tag=True):
    """The cancellation of an operation, delivered at a place in the engine."""

    operation: int
    cancellation: Cancellation
    place: str


class ClassChoice(msgspec.Struct, frozen=True, tag=True):
    """The lower priority class of a chain: its arrivals wait for all others."""

    chain: str


class DemotionChoice(msgspec.Struct, frozen=True, tag=True):
    """A demotion of a chain, from some arrival on."""

    demotion: Demotion


class BurstChoice(msgspec.Struct, frozen=True, tag=True):
    """The number of further arrivals that come in before ready callbacks run."""

    arrivals: int


class SplitChoice(msgspec.Struct, frozen=True, tag=True):
    """Delivery of adjacent data piece by piece."""


Choice: TypeAlias = (
    CancellationChoice | ClassChoice | DemotionChoice | BurstChoice | SplitChoice
)


class ScheduleChoice(msgspec.Struct, frozen=True, kw_only=True):
    """One choice of a failing run, and whether the violation needs it.

    Attributes:
        needed: whether the claim is not violated without it, all else equal.
        tried: whether the scenario was run without it.
    """

    choice: Choice
    needed: bool
    tried: bool = True


# The passing run


class ArrivalOrder(msgspec.Struct, frozen=True, tag=True):
    """The order of two adjacent arrivals, by their chains."""

    first: str
    second: str


class OtherUsers(msgspec.Struct, frozen=True, tag=True):
    """The operations of all users but one."""


Difference: TypeAlias = Choice | ArrivalOrder | OtherUsers
"""The one part of the failing run that a passing run goes without."""


class PassingRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that differs from the failing one in one respect, and passes.

    Attributes:
        without: the part of the failing run that it goes without.
        history: its history.
        step: index of the first entry that differs from the failing run.
    """

    without: Difference
    history: History
    step: int


# Provenance


class Birth(msgspec.Struct, frozen=True):
    """The place at which a value enters the engine.

    `path` is the step of the operation's script that writes it, empty if the operation
    itself does.
    """

    operation: int
    path: tuple[int, ...] = ()


class ProvenanceStep(msgspec.Struct, frozen=True, kw_only=True):
    """One entry that shows the value, or that concerns the resource.

    The first step is where the value is born, the last where the violation shows.

    Attributes:
        entry: index into the entries of the history.
        user: index of the user that the entry shows it to, None for the world.
        operation: id of the operation of the entry.
        birth: where the value enters the engine, None for every other step.
        brief: whether the answer of an operation that returned is left out.
    """

    entry: int
    user: int | None
    operation: int | None
    birth: Birth | None = None
    brief: bool = False


# All together


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The diagnosis of one violation.

    Attributes:
        history: the failing run.
        choices: every choice that the run followed, in the order of the scenario.
        passing_run: a passing run that differs in one respect, if there is one.
        provenance: the steps of the foreign canary, or else of the resource.
    """

    history: History
    violation: Violation
    choices: tuple[ScheduleChoice, ...]
    passing_run: PassingRun | None
    provenance: tuple[ProvenanceStep, ...]
