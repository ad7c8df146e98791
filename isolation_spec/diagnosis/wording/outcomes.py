"""The text of the outcome of an operation."""

from __future__ import annotations

from isolation_spec.model.history.states import Outcome

__all__ = ["describe_outcome"]

_WORDS = {
    Outcome.RETURNED: "returned",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "was cancelled",
    Outcome.REFUSED: "was refused",
    Outcome.UNAVAILABLE: "was unavailable",
    Outcome.UNFINISHED: "never ended",
}


def describe_outcome(outcome: Outcome) -> str:
    """Returns the end of an operation as a verb in the past tense."""
    return _WORDS[outcome]
