"""Limits that an adapter declares: their forms, and their contradictions."""

from typing import Any, cast

import pytest

from isolation_spec.contract.limits import limit_problems, limits_of
from isolation_spec.model.limits import LIMITS, Limit, Scope, Subject

WRONG: dict[str, tuple[Any, str]] = {
    "no mapping": (3, "must be a mapping of limits to whole numbers or Limit"),
    "a text": (
        {"runs_per_user": "3"},
        "must give runs_per_user as a whole number or a Limit",
    ),
    "zero": (
        {"runs_per_user": 0},
        "must allow at least one in runs_per_user",
    ),
    "an unknown fate": (
        {"runs_per_user": Limit(1, beyond=cast(Any, "queues"))},
        "must state the fate of requests beyond runs_per_user",
    ),
    "no time": (
        {"runs_per_user": Limit(1, seconds=0.0)},
        "must give seconds of runs_per_user as a positive number",
    ),
    "waits and refuses": (
        {"runs_per_user": Limit(1, beyond="refused", seconds=5.0)},
        "must not refuse beyond runs_per_user at once and let requests wait as well",
    ),
    "a rate without time": (
        {"starts_per_user": 5},
        "must give within for starts, and for nothing else",
    ),
    "a time without rate": (
        {"runs_per_user": Limit(5, within=60.0)},
        "must give within for starts, and for nothing else",
    ),
    "never reached": (
        {"runs_per_context": 5, "runs_per_service": 3},
        "must not allow more in runs_per_context than in runs_per_service",
    ),
}
RIGHT: tuple[dict[str, int | Limit], ...] = (
    {},
    {"runs_per_context": 3, "runs_per_user": 3, "runs_per_service": 9},
    {"contexts_per_user": 2, "contexts_per_service": 2},
    {
        "starts_per_user": Limit(9, within=1.0),
        "starts_per_service": Limit(5, within=60),
    },
    {"calls_per_tool": 5, "calls_per_service": Limit(3, beyond="waits", seconds=5.0)},
)


@pytest.mark.parametrize("why", WRONG)
def test_limits_that_cannot_be_meant_are_refused(why: str) -> None:
    """Each problem names its rule, and one is all there is."""
    declared, rule = WRONG[why]

    assert [rule] == [problem[0] for problem in limit_problems(declared)]


@pytest.mark.parametrize("declared", RIGHT)
def test_limits_that_can_be_meant_are_taken(declared: dict[str, int | Limit]) -> None:
    """A narrow limit may be as large as a wide one, and rates of other times differ."""
    assert [] == list(limit_problems(declared))


def test_a_number_says_nothing_of_the_rest() -> None:
    """A request beyond a plain number may wait, and may be refused."""
    (limit,) = limits_of({"runs_per_user": 3}).values()

    assert Limit(3) == limit
    assert (True, True) == (limit.may_wait, limit.may_refuse)


@pytest.mark.parametrize(
    ("limit", "waits", "refuses"),
    [
        (Limit(1, beyond="refused"), False, True),
        (Limit(1, beyond="waits"), True, False),
        (Limit(1, beyond="waits", seconds=5.0), True, True),
    ],
)
def test_a_limit_states_the_fate_of_requests_beyond_it(
    limit: Limit, waits: bool, refuses: bool
) -> None:
    """A wait with an end is a refusal in the end."""
    assert (waits, refuses) == (limit.may_wait, limit.may_refuse)


def test_a_limit_is_named_after_its_subject_and_scope() -> None:
    """No two limits have one name, and each names subject and scope."""
    assert (Subject.RUNS, Scope.SERVICE) == LIMITS["runs_per_service"]
    assert 10 == len(LIMITS)
