"""Facts about resources: database sessions, and everything that outlives its owner."""

from __future__ import annotations

import sys
from typing import Annotated, TypeAlias

from msgspec import Meta

from isolation_spec.claims.facts.base import (
    ContextName,
    Fact,
    OperationId,
    Owner,
    Seconds,
    Shown,
    Text,
    UserIndex,
)
from isolation_spec.model.scenario.fields import LARGEST, MOST_USERS

__all__ = [
    "CleanupCancelled",
    "CleanupFailed",
    "CleanupTooLong",
    "ExceptionNotHandled",
    "GaugeNotZero",
    "OperationUnfinished",
    "ResourceLeftAlive",
    "ServedAfterCleanup",
    "SessionNeverClosed",
    "SessionOfTwoUsers",
    "TransactionKept",
]

_Session: TypeAlias = Annotated[
    int, Meta(ge=0, le=LARGEST, description="The number of the database session.")
]


# Database sessions


class SessionNeverClosed(Fact, frozen=True, kw_only=True):
    """A database session was open when the engine was shut down."""

    session: _Session
    user: Owner


class SessionOfTwoUsers(Fact, frozen=True, kw_only=True):
    """Operations of two users used one database session."""

    session: _Session
    owner: Owner
    user: UserIndex


class TransactionKept(Fact, frozen=True, kw_only=True):
    """Rows of a transaction are stored that raised or was cancelled."""

    values: Annotated[
        tuple[str, ...],
        Meta(min_length=1, max_length=10_000, description="The values stored of it."),
    ]
    user: Owner
    operation: OperationId
    cancelled: Annotated[
        bool, Meta(description="Whether it was cancelled half-way; else it raised.")
    ]


# Teardown

_FINITE = sys.float_info.max

_Outlived: TypeAlias = Annotated[
    Annotated[int, Meta(ge=0, lt=MOST_USERS)] | None,
    Meta(description="The user that was cleaned up; null for the engine."),
]


class ResourceLeftAlive(Fact, frozen=True, kw_only=True):
    """A resource outlived the cleanup of its user, or the engine."""

    user: _Outlived
    shut_down: Annotated[bool, Meta(description="Whether the engine was shut down.")]
    kind: Annotated[str, Meta(description="The kind of resource.")]
    name: Annotated[Text, Meta(description="Its code, or the name it was given.")]


class GaugeNotZero(Fact, frozen=True, kw_only=True):
    """A gauge of the engine read more than zero after a cleanup.

    The name of a gauge is code of the adapter, and part of the clause.
    """

    user: _Outlived
    shut_down: Annotated[bool, Meta(description="Whether the engine was shut down.")]
    gauge: Annotated[str, Meta(description="The name of the gauge.")]
    value: Annotated[
        Annotated[float, Meta(ge=-_FINITE, le=_FINITE)] | None,
        Meta(description="The number that it read; null if it is not finite."),
    ]


class ExceptionNotHandled(Fact, frozen=True, kw_only=True):
    """An exception reached the exception handler of the event loop."""

    message: Annotated[Shown, Meta(description="The exception.")]


class OperationUnfinished(Fact, frozen=True, kw_only=True):
    """An operation was under way when the time of the run was up."""

    operation: OperationId
    waits: Annotated[str, Meta(description="Where its task waits, if it is known.")]


class CleanupFailed(Fact, frozen=True, kw_only=True):
    """A cleanup raised an exception while nothing stalled."""

    operation: OperationId
    allowed: Annotated[Seconds, Meta(description="Seconds that it may take.")]
    error: Annotated[Shown, Meta(description="The exception.")]


class CleanupCancelled(Fact, frozen=True, kw_only=True):
    """A cleanup was cancelled, although the scenario cancels nothing."""

    operation: OperationId
    allowed: Annotated[Seconds, Meta(description="Seconds that it may take.")]


class CleanupTooLong(Fact, frozen=True, kw_only=True):
    """A cleanup took too long while nothing stalled."""

    operation: OperationId
    allowed: Annotated[Seconds, Meta(description="Seconds that it may take.")]
    took: Annotated[Seconds, Meta(description="Seconds that it took.")]


class ServedAfterCleanup(Fact, frozen=True, kw_only=True):
    """A context that was cleaned up with its user did more work."""

    context: ContextName
    operation: OperationId
