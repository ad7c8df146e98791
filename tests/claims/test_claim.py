"""Properties of every claim, and of every judgement."""

import dataclasses
import re
from collections.abc import Iterator

import pytest

from isolation_spec.claims import (
    CLAIMS,
    Claim,
    IsolationViolated,
    Opportunity,
    Reason,
    ReasonKind,
    Verdict,
    Violation,
    find_claim,
    judge,
)
from isolation_spec.claims.facts import RecordedText
from isolation_spec.contract.capabilities import Capability
from tests.claims.histories import ALICE, history, started

ALL = frozenset(Capability)
VIOLATION = Violation(
    claim="some-claim",
    clause="some-clause",
    fact=RecordedText(let=("a be b",), then="c", however="not c"),
    entry=0,
    users=(0,),
)

every_claim = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)


def yielding(*found: Opportunity | Violation | Exception) -> Claim:
    """A claim whose check yields these, and raises where one is an exception."""

    def check(_: object) -> Iterator[Opportunity | Violation]:
        for one in found:
            if isinstance(one, Exception):
                raise one
            yield one

    return dataclasses.replace(CLAIMS[0], needs=frozenset(), check=check)


def test_ids_are_unique() -> None:
    """No two claims have one id."""
    assert len(CLAIMS) == len({claim.id for claim in CLAIMS})


def test_each_claim_has_an_exception_of_its_own() -> None:
    """No two claims raise one class, nor one a subclass of another's."""
    classes = [claim.exception for claim in CLAIMS]

    assert len(CLAIMS) == len(set(classes))
    assert [(IsolationViolated,)] * len(CLAIMS) == [one.__bases__ for one in classes]


@every_claim
def test_ids_are_short_words(claim: Claim) -> None:
    """An id is lower-case words joined by hyphens, as it names files."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", claim.id)


@every_claim
def test_statements_are_one_sentence(claim: Claim) -> None:
    """The claim is said in one sentence, and its opportunities in one clause."""
    assert re.fullmatch(r"[A-Z][^.\n]*\.", claim.statement)
    assert re.fullmatch(r"[a-z][^.\n]*", claim.situation)


@every_claim
def test_a_claim_is_found_by_its_id(claim: Claim) -> None:
    """The id finds the claim."""
    assert claim is find_claim(claim.id)


def test_an_unknown_claim_lists_those_that_there_are() -> None:
    """An unknown id is refused with a list of all ids."""
    with pytest.raises(KeyError) as caught:
        find_claim("teardwon")

    assert "'teardwon'" in caught.value.args[0]
    assert all(claim.id in caught.value.args[0] for claim in CLAIMS)


@every_claim
def test_an_empty_history_is_inconclusive(claim: Claim) -> None:
    """Nothing observed is never green, and the reason is that it was not reached."""
    (judgement,) = judge(history(), ALL, (claim,), solos={})

    assert Verdict.INCONCLUSIVE is judgement.verdict
    assert Reason(ReasonKind.NOT_REACHED) == judgement.reason


@every_claim
def test_a_check_that_crashes_is_inconclusive(claim: Claim) -> None:
    """A bug of the specification is never green, and the reason names the exception."""

    def crash(_: object) -> Iterator[Opportunity]:
        raise IndexError("off the end")

    broken = dataclasses.replace(claim, check=crash)
    (judgement,) = judge(history(), ALL, (broken,), solos={})

    assert Verdict.INCONCLUSIVE is judgement.verdict
    reason = Reason(ReasonKind.CHECK_CRASHED, ("IndexError: off the end",))
    assert reason == judgement.reason
    assert 0 == judgement.evidence


@every_claim
@pytest.mark.parametrize("capability", sorted(Capability))
def test_a_claim_needs_its_capabilities(claim: Claim, capability: Capability) -> None:
    """Without one that it needs it is not applicable; any other makes no difference."""
    (judgement,) = judge(history(), ALL - {capability}, (claim,), solos={})

    needed = capability in claim.needs
    assert needed == (Verdict.NOT_APPLICABLE is judgement.verdict)
    undeclared = Reason(ReasonKind.UNDECLARED, (capability.value,))
    assert needed == (undeclared == judgement.reason)


def test_a_crash_after_situations_is_inconclusive() -> None:
    """Opportunities before the check crashed are not reported as evidence."""
    (judgement,) = judge(
        history(), ALL, (yielding(Opportunity(), Opportunity(), ValueError("x")),)
    )

    assert (Verdict.INCONCLUSIVE, 0) == (judgement.verdict, judgement.evidence)


def test_situations_make_it_hold() -> None:
    """Evidence is the sum of the situations."""
    (judgement,) = judge(history(), ALL, (yielding(Opportunity(), Opportunity(3)),))

    assert (Verdict.HOLDS, 4, None) == (
        judgement.verdict,
        judgement.evidence,
        judgement.reason,
    )


def test_one_violation_outweighs_all_situations() -> None:
    """A violation among many situations is violated, with both counted."""
    (judgement,) = judge(
        history(), ALL, (yielding(Opportunity(9), VIOLATION, Opportunity()),)
    )

    assert (Verdict.VIOLATED, 10, (VIOLATION,)) == (
        judgement.verdict,
        judgement.evidence,
        judgement.violations,
    )


def test_a_crashed_check_does_not_hide_the_other_claims() -> None:
    """Each claim is judged for itself, in the order asked."""
    claims = (yielding(ValueError("x")), yielding(Opportunity()))
    verdicts = [j.verdict for j in judge(history(), ALL, claims)]

    assert [Verdict.INCONCLUSIVE, Verdict.HOLDS] == verdicts


def test_the_order_of_the_claims_decides_nothing() -> None:
    """Asked backwards, every claim judges the same."""
    seen = history(started(3, ALICE))

    assert judge(seen, ALL) == judge(seen, ALL, CLAIMS[::-1])[::-1]


def test_an_exception_says_what_happened() -> None:
    """A test that fails shows claim and clause, or the explanation that it is given."""
    error = CLAIMS[0].exception(VIOLATION)

    assert isinstance(error, AssertionError)
    assert "some-claim: some-clause" == str(error)
    assert "the whole explanation" == str(
        CLAIMS[0].exception(VIOLATION, "the whole explanation")
    )
    assert VIOLATION is error.violation
