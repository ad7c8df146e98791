"""The result of a search."""

import msgspec
import pytest

from isolation_spec.claims import Verdict
from isolation_spec.claims.claim import Reason, ReasonKind
from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.search.result import ClaimResult, Result, not_reached


def result(verdict: Verdict, *claims: ClaimResult) -> Result:
    return Result(
        engine="reference",
        profile="quick",
        verdict=verdict,
        examples=1,
        interleavings=4,
        seconds=0.5,
        peak_memory_mb=100.0,
        claims=claims,
        reached=ActivityCounters(users=2),
        failures=(),
        reasons=(),
        seed=0,
    )


def claim(verdict: Verdict, reason: Reason | None = None) -> ClaimResult:
    return ClaimResult(id="teardown", verdict=verdict, evidence=0, reason=reason)


NOT_REACHED = Reason(ReasonKind.NOT_REACHED)
CRASHED = Reason(ReasonKind.CHECK_CRASHED, ("IndexError: x",))


def test_json_is_read_back_as_the_same_result() -> None:
    """The file `result.json` holds the whole result, with a line feed at its end."""
    one = result(Verdict.HOLDS, claim(Verdict.HOLDS))

    assert one == msgspec.json.decode(one.to_json(), type=Result)
    assert one.to_json().endswith(b"}\n")


@pytest.mark.parametrize(
    ("whole", "one", "expected"),
    [
        (Verdict.VIOLATED, claim(Verdict.INCONCLUSIVE, NOT_REACHED), True),
        (Verdict.VIOLATED, claim(Verdict.INCONCLUSIVE, CRASHED), False),
        (Verdict.VIOLATED, claim(Verdict.VIOLATED), False),
        (Verdict.INCONCLUSIVE, claim(Verdict.INCONCLUSIVE, NOT_REACHED), False),
    ],
)
def test_a_finding_excuses_claims_that_were_not_reached(
    whole: Verdict, one: ClaimResult, expected: bool
) -> None:
    """After a violation the search stops, so a claim without a situation is no news."""
    assert expected == not_reached(result(whole, one), one)
