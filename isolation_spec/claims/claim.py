"""What a claim is, and what judging one gives."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from isolation_spec.claims.history_index import HistoryIndex
from isolation_spec.contract.capabilities import Capability

__all__ = [
    "Claim",
    "IsolationViolated",
    "Judgement",
    "Opportunity",
    "Verdict",
    "Violation",
    "judge_claim",
]


class IsolationViolated(AssertionError):
    """A claim is violated; each claim raises a subclass of its own.

    Hypothesis tells bugs apart by type and line, so two claims never look like one bug.
    """

    def __init__(self, violation: Violation, story: str = "") -> None:
        super().__init__(story or violation.sentence())
        self.violation = violation


class Verdict(enum.StrEnum):
    """How a claim stands."""

    HOLDS = "holds"
    """It was put to the test, and held each time."""
    VIOLATED = "violated"
    """It failed at least once."""
    INCONCLUSIVE = "inconclusive"
    """It was never put to the test, or its check crashed. Never green."""
    NOT_APPLICABLE = "not applicable"
    """The engine declares no such surface."""


class Violation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One failure of a claim, with the facts from which it is explained."""

    claim: Annotated[str, Meta(description="The id of the claim.")]
    clause: Annotated[str, Meta(description="The part of the claim that failed.")]
    let: Annotated[
        tuple[str, ...], Meta(description="What was given, a sentence each.")
    ]
    then: Annotated[str, Meta(description="What follows from the claim.")]
    however: Annotated[str, Meta(description="What was observed instead.")]
    entry: Annotated[
        int,
        Meta(
            ge=0,
            le=2**31 - 1,
            description="Index into the entries of the history at which it shows.",
        ),
    ]
    users: Annotated[
        tuple[Annotated[int, Meta(ge=0, lt=64)], ...],
        Meta(description="Indices of the users concerned, the harmed one first."),
    ] = ()
    shown: Annotated[
        tuple[str, ...],
        Meta(
            description="What an engine showed, as far as the facts repeat it; empty "
            "in a file, where it is redacted."
        ),
    ] = ()

    def sentence(self) -> str:
        """The violation in one line."""
        return f"{self.claim} ({self.clause}): {self.however}"


class Opportunity(msgspec.Struct, frozen=True):
    """The claim could have failed here, and did not."""

    times: int = 1


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that must hold.

    Attributes:
        id: stable, for files and machines.
        statement: what must hold, in one sentence.
        situation: when it is put to the test, in one clause.
        clauses: what it consists of: clause of a violation -> what must hold. A star
            stands for the kind of resource, or the gauge, that a violation names.
        exception: what a test raises when it is violated.
        needs: capabilities without which the claim is not applicable.
        check: yields a situation or a violation for each place in a history where the
            claim could fail; pure.
        compares: True if it compares with solo runs, and is not applicable without.
    """

    id: str
    statement: str
    situation: str
    clauses: Mapping[str, str]
    exception: type[IsolationViolated]
    needs: frozenset[Capability]
    check: Callable[[HistoryIndex], Iterable[Opportunity | Violation]]
    compares: bool = False


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """How one claim stands after one history, or after many."""

    claim: str
    verdict: Verdict
    evidence: int = 0
    violations: tuple[Violation, ...] = ()
    reason: str = ""


def judge_claim(
    claim: Claim, observed: HistoryIndex, capabilities: frozenset[Capability]
) -> Judgement:
    """Judges one claim; a check that crashes makes it inconclusive, never green."""
    missing = sorted(claim.needs - capabilities)
    if missing:
        reason = f"the engine declares no {', '.join(missing)}"
        return Judgement(claim=claim.id, verdict=Verdict.NOT_APPLICABLE, reason=reason)
    if claim.compares and observed.solos is None:
        reason = "no user's solo run was made"
        return Judgement(claim=claim.id, verdict=Verdict.NOT_APPLICABLE, reason=reason)
    try:
        evidence, violations = _count(claim.check(observed))
    except Exception as error:
        reason = f"its check crashed: {type(error).__name__}: {error}"
        return Judgement(claim=claim.id, verdict=Verdict.INCONCLUSIVE, reason=reason)
    return Judgement(
        claim=claim.id,
        verdict=_verdict(evidence, violations),
        evidence=evidence,
        violations=violations,
        reason="" if evidence or violations else f"never reached: {claim.situation}",
    )


def _count(
    found: Iterable[Opportunity | Violation],
) -> tuple[int, tuple[Violation, ...]]:
    evidence, violations = 0, []
    for one in found:
        if isinstance(one, Violation):
            violations.append(one)
        else:
            evidence += one.times
    return evidence, tuple(violations)


def _verdict(evidence: int, violations: tuple[Violation, ...]) -> Verdict:
    if violations:
        return Verdict.VIOLATED
    return Verdict.HOLDS if evidence else Verdict.INCONCLUSIVE
