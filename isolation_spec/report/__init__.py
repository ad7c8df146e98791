"""What a search tells while it runs and when it ends, and the faces that show it."""

from isolation_spec.report.command import replay_command
from isolation_spec.report.events import (
    BrokenOff,
    Event,
    FailureFound,
    FailureSaved,
    Listener,
    NotSaved,
    Progressed,
    SearchBroke,
    SearchEnded,
    SearchStarted,
    Shrinking,
    Shrunk,
)
from isolation_spec.report.result import ClaimResult, Result, WorldKind

__all__ = [
    "BrokenOff",
    "ClaimResult",
    "Event",
    "FailureFound",
    "FailureSaved",
    "Listener",
    "NotSaved",
    "Progressed",
    "Result",
    "SearchBroke",
    "SearchEnded",
    "SearchStarted",
    "Shrinking",
    "Shrunk",
    "WorldKind",
    "replay_command",
]
