"""Facts about connections and the events that they receive."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from isolation_spec.claims.facts.base import (
    Canary,
    ConnectionName,
    Fact,
    Harmed,
    OperationId,
    Owner,
    Shown,
    UserIndex,
)
from isolation_spec.model.history.states import Outcome

__all__ = [
    "DuplicateStart",
    "EventAfterEnd",
    "EventLabel",
    "EventMissing",
    "EventNumber",
    "EventOfForeignRun",
    "EventOfForeignUser",
    "EventOutOfOrder",
    "EventWithForeignValue",
    "ForgedTokenAccepted",
    "RunWithoutEnd",
    "RunWithoutStart",
    "ToolEndedUnbegun",
    "ToolNeverEnded",
    "representable",
]

EventNumber: TypeAlias = Annotated[
    Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None,
    Meta(description="The number of the event within its run, if it has one."),
]


def representable(number: int | None) -> int | None:
    """Returns the number of an event, or None if it does not fit into 64 bits."""
    fits = number is not None and -(2**63) <= number < 2**63
    return number if fits else None


class EventLabel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The names that an event carries."""

    run: Annotated[
        Shown, Meta(description="The run that the event names, or an empty text.")
    ]
    type: Annotated[Shown, Meta(description="The type of the event, or an empty text.")]
    number: EventNumber = None


Received: TypeAlias = Annotated[
    EventLabel, Meta(description="The event that a client received.")
]


# Event routing


class EventWithForeignValue(Fact, frozen=True, kw_only=True):
    """A connection received a value of another user."""

    value: Canary
    owner: Owner
    reader: Harmed
    event: Received


class EventOfForeignUser(Fact, frozen=True, kw_only=True):
    """A connection received an event that names another user."""

    reader: Harmed
    named: Annotated[Shown, Meta(description="The user that the event names.")]
    event: Received


class EventOfForeignRun(Fact, frozen=True, kw_only=True):
    """A connection received an event of another user's run."""

    reader: Harmed
    owner: Owner
    event: Received


class ForgedTokenAccepted(Fact, frozen=True, kw_only=True):
    """A connection with a forged token stayed open, or received events."""

    user: UserIndex
    connection: ConnectionName
    heard: Annotated[bool, Meta(description="Whether it received events.")]


class EventOutOfOrder(Fact, frozen=True, kw_only=True):
    """A connection received an event after one with the same or a higher number."""

    reader: Harmed
    run: Annotated[Shown, Meta(description="The run that both events name.")]
    latest: EventNumber
    number: EventNumber


class EventMissing(Fact, frozen=True, kw_only=True):
    """A connection never received an event of a run.

    The event is known by its number or by a value in it; with neither, the connection
    received no event of the run at all.
    """

    value: Annotated[
        str | None, Meta(description="A value in the missing event, if it has one.")
    ]
    number: EventNumber
    reader: Harmed
    connection: ConnectionName
    operation: OperationId
    ending: Annotated[Outcome, Meta(description="How the run ended.")]


# Event lifecycle


class EventAfterEnd(Fact, frozen=True, kw_only=True):
    """An event of a run followed the event that ends the run."""

    ending: Annotated[str, Meta(description="The declared type of the end.")]
    number: EventNumber
    event: Received


class DuplicateStart(Fact, frozen=True, kw_only=True):
    """A run started a second time."""

    event: Received


class RunWithoutStart(Fact, frozen=True, kw_only=True):
    """The first event of a run is not its start."""

    event: Received
    starts: Annotated[
        tuple[str, ...],
        Meta(max_length=100, description="The declared types of a start."),
    ]


class RunWithoutEnd(Fact, frozen=True, kw_only=True):
    """The last event of a run that has ended is not its end."""

    event: Received


class ToolEndedUnbegun(Fact, frozen=True, kw_only=True):
    """A tool call was completed that had not begun."""

    event: Received
    begins: Annotated[str, Meta(description="The declared type of a tool's start.")]


class ToolNeverEnded(Fact, frozen=True, kw_only=True):
    """A tool call that had begun was never completed."""

    event: Received
    begun: Annotated[Shown, Meta(description="The type of the tool's start.")]
    ends: Annotated[str, Meta(description="The declared type of a tool's end.")]
