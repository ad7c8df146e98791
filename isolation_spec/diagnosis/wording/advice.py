"""Advice beside a violation: the declaration that is missing if all is by design."""

from __future__ import annotations

from isolation_spec.claims.facts import AnyFact, OperationFailed, OperationStalled
from isolation_spec.model.history.states import Outcome

__all__ = ["describe_advice"]


def describe_advice(fact: AnyFact) -> str:
    """Returns the code to write where the engine is right, "" without such code."""
    match fact:
        case OperationStalled():
            return (
                "If users share its capacity by design, declare the limit in the "
                "adapter, as limits = {'runs_per_service': Limit(3, beyond='waits')}, "
                "or a longer patience."
            )
        case OperationFailed(ending=Outcome.REFUSED):
            return (
                "If it was refused for want of room by design, declare the limit in "
                "the adapter, as limits = {'runs_per_service': Limit(4, "
                "beyond='refused')}."
            )
        case _:
            return ""
