"""Facts about values: the users that they are shown to, and the rows that hold them."""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from isolation_spec.claims.facts.base import (
    Canary,
    Fact,
    Harmed,
    Key,
    OperationId,
    Owner,
    Place,
    Shown,
    Step,
    Text,
    Thread,
    UserIndex,
)
from isolation_spec.model.scenario.fields import MOST_USERS

__all__ = [
    "AliasedObject",
    "Cause",
    "DiffersFromAlone",
    "ForeignAwait",
    "ForeignIdentity",
    "ForeignRow",
    "ForeignValue",
    "Observation",
    "StaleState",
    "Surface",
    "WriteCameBack",
    "WriteLost",
    "WriteUnseen",
]


# Context ownership


class Surface(enum.StrEnum):
    """Where a user's operation is shown a value."""

    STEP = "step"
    """The result of a step of its agent."""
    TOOL_INPUT = "tool input"
    """The argument with which a tool was called."""
    ANSWER = "answer"
    """The value that the operation returned."""
    ERROR = "error"
    """The exception that the operation raised."""


class ForeignValue(Fact, frozen=True, kw_only=True):
    """A user's operation was shown a value of another user."""

    value: Canary
    owner: Owner
    reader: Harmed
    operation: OperationId
    surface: Annotated[Surface, Meta(description="Where the value was shown.")]
    name: Annotated[Text, Meta(description="The kind of the step, or the tool.")] = ""


class ForeignIdentity(Fact, frozen=True, kw_only=True):
    """At a step of a user's agent the engine worked for another identity."""

    user: UserIndex
    operation: OperationId
    step: Step
    identity: Annotated[
        Shown, Meta(description="The identity that the engine worked for.")
    ]


class ForeignAwait(Fact, frozen=True, kw_only=True):
    """At an await of a user's operation the engine worked for another identity."""

    user: UserIndex
    operation: OperationId
    place: Place
    identity: Annotated[
        Shown, Meta(description="The identity that the engine worked for.")
    ]


class StaleState(Fact, frozen=True, kw_only=True):
    """A run read state that another run wrote."""

    value: Canary
    user: UserIndex
    operation: OperationId


# Stored writes


class ForeignRow(Fact, frozen=True, kw_only=True):
    """A row of one owner holds a value that another user wrote."""

    value: Canary
    writer: Harmed
    user: Annotated[
        Annotated[int, Meta(ge=0, lt=MOST_USERS)] | None,
        Meta(description="The owner of the row, if it is a user of the scenario."),
    ]
    owner: Annotated[Shown, Meta(description="The identity that owns the row.")]
    key: Annotated[Shown, Meta(description="The key of the row.")]
    thread: Annotated[Shown, Meta(description="The thread of the row.")]


class WriteLost(Fact, frozen=True, kw_only=True):
    """An acknowledged write is not stored."""

    held: Annotated[
        str | None, Meta(description="The older value in its row, if there is a row.")
    ]
    value: Canary
    user: Owner
    operation: OperationId
    key: Key
    thread: Thread


class WriteCameBack(Fact, frozen=True, kw_only=True):
    """A row is stored that an erasure removed."""

    value: Canary
    user: Owner
    operation: OperationId
    key: Key
    thread: Thread
    erasure: OperationId


class WriteUnseen(Fact, frozen=True, kw_only=True):
    """A later read did not show an acknowledged write."""

    value: Canary
    user: Owner
    operation: OperationId
    key: Key
    thread: Thread
    reading: OperationId


class AliasedObject(Fact, frozen=True, kw_only=True):
    """Mutating an object that the engine handed out or took in changed the engine."""

    value: Canary
    user: UserIndex


# Noninterference


class Observation(enum.StrEnum):
    """Kinds of observations that a shared run and a solo run have in common."""

    ANSWER = "answer"
    """The outcome of an operation."""
    STEP = "step"
    """The result of a step of an agent; details: kind and path of the step."""
    TOOL = "tool"
    """The identity of a tool; details: its argument and the moment."""
    EVENT = "event"
    """An event; details: run and number."""
    CONNECTION = "connection"
    """The end of a connection."""
    ROW = "row"
    """A stored value; details: thread and key."""
    GAUGE = "gauge"
    """A gauge after cleanup; details: its name."""


class Cause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last operation of another user before an observation."""

    user: Owner
    operation: OperationId


class DiffersFromAlone(Fact, frozen=True, kw_only=True):
    """A user observed something that no solo run of theirs shows.

    Both excerpts surround the first difference; None where nothing was observed.
    """

    together: Annotated[Shown | None, Meta(description="The shared run's excerpt.")]
    alone: Annotated[Shown | None, Meta(description="A solo run's excerpt.")]
    user: Harmed
    observation: Annotated[Observation, Meta(description="The kind of observation.")]
    operation: Annotated[
        OperationId | None,
        Meta(description="The id of the user's operation, if it has one."),
    ] = None
    details: Annotated[
        tuple[Shown, ...],
        Meta(max_length=8, description="Further names of the observation."),
    ] = ()
    cause: Annotated[
        Cause | None, Meta(description="The other user's last operation before it.")
    ] = None
