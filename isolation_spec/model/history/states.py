"""The states that entries name: outcomes, phases, moves of sessions, moments of tools.

Each is a string, so JSON holds its value.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Outcome", "Phase", "SessionMove", "StepOutcome", "ToolMoment"]


class Outcome(StrEnum):
    """How an operation ended."""

    RETURNED = "returned"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    """By one of the exceptions by which the engine refuses."""
    UNAVAILABLE = "unavailable"
    """It names a context, run or connection that was never opened: no call was made."""
    UNFINISHED = "unfinished"
    """It was still under way when the time of the run was up."""


class StepOutcome(StrEnum):
    """How one step of a scripted agent ended."""

    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"


class Phase(StrEnum):
    """The phases of a run, in order."""

    OPERATIONS = "operations"
    CLEANUP = "cleanup"
    TEARDOWN = "teardown"
    OBSERVED = "observed"


class SessionMove(StrEnum):
    """The moves of a database session."""

    BEGAN = "began"
    USED = "used"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"
    CLOSED = "closed"


class ToolMoment(StrEnum):
    """The moments at which the body of a tool reports its user."""

    BEGAN = "began"
    """At its beginning."""
    WENT_ON = "went on"
    """Between two awaits."""
    ENDED = "ended"
    """At its end."""
