"""Limits are positive."""

import math

import pytest

from isolation_spec.engines.reference import Limits


def test_defaults() -> None:
    """The documented limits are the defaults."""
    limits = Limits()
    assert (limits.engines_per_user, limits.engine_age) == (2, 300.0)
    assert (limits.runs_per_engine, limits.run_seconds) == (3, 30.0)
    assert (limits.dispatchers_per_user, limits.queued_events) == (10, 50)
    assert (limits.run_history, limits.child_depth) == (100, 10)


@pytest.mark.parametrize("value", [0, -1, True, math.inf, math.nan])
def test_a_limit_is_a_positive_number(value: float) -> None:
    """Zero, negative, infinite and non-numeric limits are refused."""
    with pytest.raises(ValueError, match="engine_age"):
        Limits(engine_age=value)
