"""What a search tells while it runs and when it ends, and the faces that show it."""

from isolation_spec.report.events import (
    Event,
    FailureFound,
    FailureSaved,
    Listener,
    Progressed,
    SearchEnded,
    SearchStarted,
    Shrinking,
    Shrunk,
)
from isolation_spec.report.result import ClaimResult, Result, WorldKind

__all__ = [
    "ClaimResult",
    "Event",
    "FailureFound",
    "FailureSaved",
    "Listener",
    "Progressed",
    "Result",
    "SearchEnded",
    "SearchStarted",
    "Shrinking",
    "Shrunk",
    "WorldKind",
]
