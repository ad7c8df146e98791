"""The text of a violation."""

from __future__ import annotations

from collections.abc import Sequence

from isolation_spec.claims import Violation
from isolation_spec.diagnosis.wording import (
    event_facts,
    request_facts,
    resource_facts,
    value_facts,
)
from isolation_spec.diagnosis.wording.contradiction import (
    Contradiction,
    Names,
    describe_fact,
)
from isolation_spec.model.scenario import User

__all__ = ["Contradiction", "describe_violation", "summarize_violation"]

FAMILIES = (value_facts, event_facts, request_facts, resource_facts)
"""The modules that register the text of each type of fact."""


def describe_violation(violation: Violation, users: Sequence[User]) -> Contradiction:
    """Returns the text of a violation; `users` are those of its scenario."""
    return describe_fact(violation.fact, Names(users))


def summarize_violation(violation: Violation, users: Sequence[User]) -> str:
    """Returns a violation in one line: claim, clause and observation."""
    however = describe_violation(violation, users).however
    return f"{violation.claim} ({violation.clause}): {however}"
