"""Advice: the declaration that is missing where an engine is right by design."""

import pytest

from isolation_spec.claims.facts import OperationFailed, OperationStalled, Shown
from isolation_spec.diagnosis.wording import describe_advice
from isolation_spec.model.history.states import Outcome


def failed(ending: Outcome) -> OperationFailed:
    return OperationFailed(user=0, operation=1, ending=ending, error=Shown("503"))


def test_who_is_kept_waiting_may_be_told_to_declare_a_limit() -> None:
    """A fair pool lets its users wait for one another."""
    stalled = OperationStalled(user=0, operation=1, own=0.0, allowed=2.5, took=4.0)

    assert "Limit(3, beyond='waits')" in describe_advice(stalled)


def test_a_refusal_may_be_for_want_of_room() -> None:
    """A service with so many places refuses the next request."""
    assert "beyond='refused'" in describe_advice(failed(Outcome.REFUSED))


@pytest.mark.parametrize("ending", [Outcome.FAILED, Outcome.CANCELLED])
def test_no_declaration_makes_a_failure_right(ending: Outcome) -> None:
    """A failure is no design."""
    assert "" == describe_advice(failed(ending))
