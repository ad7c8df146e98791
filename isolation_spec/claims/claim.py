"""Claims, and the judgements of histories by them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from isolation_spec.claims.facts import AnyFact
from isolation_spec.claims.history_index import HistoryIndex
from isolation_spec.contract.capabilities import Capability
from isolation_spec.model.history.history import History

__all__ = [
    "LASTING",
    "Claim",
    "ControlRuns",
    "IsolationViolated",
    "Judgement",
    "Opportunity",
    "Reason",
    "ReasonKind",
    "Ruling",
    "Verdict",
    "Violation",
    "judge_claim",
    "with_violations",
]


class IsolationViolated(AssertionError):
    """A claim is violated; each claim raises a subclass of its own.

    Hypothesis distinguishes bugs by type and line, so no two claims look like one bug.
    """

    def __init__(self, violation: Violation, explanation: str = "") -> None:
        super().__init__(explanation or f"{violation.claim}: {violation.clause}")
        self.violation = violation


class Verdict(enum.StrEnum):
    """The verdict on a claim."""

    HOLDS = "holds"
    """It had opportunities to fail, and held each time."""
    VIOLATED = "violated"
    """It failed at least once."""
    INCONCLUSIVE = "inconclusive"
    """It had no opportunity to fail, or its check crashed. Never green."""
    NOT_APPLICABLE = "not applicable"
    """The engine declares no capability for it."""


class Violation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One failure of a claim: the clause that failed, and the fact that shows it."""

    claim: Annotated[str, Meta(description="The id of the claim.")]
    clause: Annotated[str, Meta(description="The part of the claim that failed.")]
    fact: Annotated[AnyFact, Meta(description="The observation, in typed fields.")]
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


class Opportunity(msgspec.Struct, frozen=True):
    """The claim could have failed here, and did not."""

    times: int = 1


class Ruling(enum.Enum):
    """The ruling of control runs on a violation."""

    STANDS = enum.auto()
    """They show that it is one."""
    EXCUSED = enum.auto()
    """They show that it says nothing of other users."""
    HOLDS = enum.auto()
    """They show that the claim could have failed here, and did not."""
    UNSETTLED = enum.auto()
    """They show neither."""


class ControlRuns(Protocol):
    """Further runs of the engine, each made once a violation gives reason to.

    Attributes:
        constants: (kind, name) of a resource -> how many of them the server has, as
            control runs of the same workload showed.
    """

    constants: dict[tuple[str, str], int]

    def alone(self, user: int) -> Iterable[History]:
        """Yields runs of the user's own operations alone, overlapping as before.

        The first one follows the order of arrivals of the run that is judged.
        """

    def beside_own(self, user: int, operation: int) -> Iterable[History]:
        """Yields the user's operation alone, beside those that it overlapped."""

    def with_further_users(self, user: int, count: int) -> History:
        """The run in which so many further users do as the user did, afterwards."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that must hold.

    Attributes:
        id: stable, for files and machines.
        statement: the claim in one sentence.
        situation: an opportunity to fail, in one clause.
        clauses: the clause of a violation -> the part of the claim. A star
            stands for the kind of resource, or the gauge, that a violation names.
        exception: raised by a test that finds it violated.
        needs: capabilities without which the claim is not applicable.
        check: yields an opportunity or a violation for each place in a history where
            the claim could fail; pure.
        compares: True if it compares with solo runs, and is not applicable without.
        on_values: True if it judges the values that are shown to users, and so needs
            to see them.
        review: takes a violation, and rules on it by control runs; None for a claim
            that no further run can excuse.
    """

    id: str
    statement: str
    situation: str
    clauses: Mapping[str, str]
    exception: type[IsolationViolated]
    needs: frozenset[Capability]
    check: Callable[[HistoryIndex], Iterable[Opportunity | Violation]]
    compares: bool = False
    on_values: bool = False
    review: Callable[[HistoryIndex, Violation, ControlRuns], Ruling] | None = None


class ReasonKind(enum.StrEnum):
    """Why a claim has no evidence, or is not applicable."""

    UNDECLARED = "undeclared"
    """The engine lacks capabilities that the claim needs; details: their names."""
    NO_SOLO_RUN = "no solo run"
    """The claim compares with solo runs, and no solo run was made."""
    NOT_REACHED = "not reached"
    """No run reached the claim's situation."""
    CHECK_CRASHED = "check crashed"
    """The check raised an exception; details: the exception."""
    UNSETTLED = "unsettled"
    """A violation was neither shown nor excused by control runs; details: clauses."""
    OPAQUE = "opaque"
    """No value of some kind of operation was seen whole; details: kinds and parts."""
    NEVER_JUDGED = "never judged"
    """No run came to its end."""


LASTING = (ReasonKind.CHECK_CRASHED, ReasonKind.UNSETTLED)
"""The reasons that keep a claim from holding, however many other runs hold."""


class Reason(msgspec.Struct, frozen=True):
    """Why a claim has no evidence, or is not applicable."""

    kind: ReasonKind
    details: tuple[str, ...] = ()


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one claim after one history."""

    claim: str
    verdict: Verdict
    evidence: int = 0
    violations: tuple[Violation, ...] = ()
    reason: Reason | None = None


def with_violations(
    judgement: Judgement,
    violations: tuple[Violation, ...],
    *,
    unsettled: tuple[Violation, ...] = (),
    opportunities: int = 0,
) -> Judgement:
    """The judgement with these violations of its own alone, and those left open.

    So many of the others were opportunities.
    """
    evidence, reason = judgement.evidence + opportunities, None
    if unsettled and not violations:
        clauses = dict.fromkeys(violation.clause for violation in unsettled)
        evidence, reason = 0, Reason(ReasonKind.UNSETTLED, tuple(clauses))
    elif not evidence and not violations:
        reason = Reason(ReasonKind.NOT_REACHED)
    return msgspec.structs.replace(
        judgement,
        violations=violations,
        evidence=evidence,
        verdict=_verdict(evidence, violations),
        reason=reason,
    )


def judge_claim(
    claim: Claim, observed: HistoryIndex, capabilities: frozenset[Capability]
) -> Judgement:
    """Judges one claim; a check that crashes makes it inconclusive, never green."""
    missing = sorted(claim.needs - capabilities)
    if missing:
        reason = Reason(ReasonKind.UNDECLARED, tuple(missing))
        return Judgement(claim=claim.id, verdict=Verdict.NOT_APPLICABLE, reason=reason)
    if claim.compares and observed.solos is None:
        reason = Reason(ReasonKind.NO_SOLO_RUN)
        return Judgement(claim=claim.id, verdict=Verdict.NOT_APPLICABLE, reason=reason)
    try:
        evidence, violations = _count(claim.check(observed))
    except Exception as error:
        crash = f"{type(error).__name__}: {error}"
        reason = Reason(ReasonKind.CHECK_CRASHED, (crash,))
        return Judgement(claim=claim.id, verdict=Verdict.INCONCLUSIVE, reason=reason)
    return Judgement(
        claim=claim.id,
        verdict=_verdict(evidence, violations),
        evidence=evidence,
        violations=violations,
        reason=None if evidence or violations else Reason(ReasonKind.NOT_REACHED),
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
