"""What a search tells while it runs and when it ends, and the faces that show it."""

from isolation_spec.report.events import (
    Event,
    FailureFound,
    FailureSaved,
    Listener,
    NotSaved,
    Progressed,
    SearchEnded,
    SearchStarted,
    Shrunk,
)
from isolation_spec.report.result import ClaimResult, Result, WorldKind

__all__ = [
    "ClaimResult",
    "Event",
    "FailureFound",
    "FailureSaved",
    "Listener",
    "NotSaved",
    "Progressed",
    "Result",
    "SearchEnded",
    "SearchStarted",
    "Shrunk",
    "WorldKind",
]
