"""Searches as events tell them: one that holds, one that found something, and so on."""

import msgspec

from isolation_spec.claims import CLAIMS, Reason, ReasonKind, Verdict, Violation
from isolation_spec.claims.facts import ResourceLeftAlive
from isolation_spec.diagnosis.explanation import Explanation
from isolation_spec.diagnosis.wording import describe_reason
from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.scenario import OpenContext, Scenario, User
from isolation_spec.search.events import (
    Event,
    FailureSaved,
    Progressed,
    SearchEnded,
    SearchFailed,
    SearchStarted,
)
from isolation_spec.search.result import ClaimResult, Result

HOSTILE = "evil \x00\x1b[31m\ufffe\ud800 ]]> </failure> & \u202e 漢"
"""A text of an engine that no XML file can hold as it is."""
NOT_REACHED = Reason(ReasonKind.NOT_REACHED)
UNREACHED_LIMITS = describe_reason("exact-limits", NOT_REACHED)


def started(engine: str = "reference") -> SearchStarted:
    return SearchStarted(engine=engine, profile="ci", seed=7, processes=2)


def ended(
    verdict: Verdict,
    reasons: tuple[str, ...] = (),
    **claims: tuple[Verdict, Reason | None],
) -> SearchEnded:
    """All claims hold, but those that are named, with verdict and reason."""
    standing = {name.replace("_", "-"): how for name, how in claims.items()}
    return SearchEnded(
        result=Result(
            engine="reference",
            profile="ci",
            verdict=verdict,
            examples=5,
            interleavings=40,
            seconds=1.5,
            peak_memory_mb=100.0,
            claims=tuple(
                ClaimResult(
                    id=claim.id,
                    verdict=standing.get(claim.id, (Verdict.HOLDS, None))[0],
                    evidence=0 if claim.id in standing else 3,
                    reason=standing.get(claim.id, (Verdict.HOLDS, None))[1],
                )
                for claim in CLAIMS
            ),
            reached=ActivityCounters(users=4),
            failures=(),
            reasons=reasons,
            seed=7,
        )
    )


def saved(path: str = ".isolation-spec/failures/a b.json") -> FailureSaved:
    return FailureSaved(
        scenario=Scenario(
            users=(User(label="alice", id=HOSTILE),),
            operations=(OpenContext(id=1, user=0, context="x1", thread="t"),),
        ),
        violation=Violation(
            claim="teardown",
            clause="alive-task",
            fact=ResourceLeftAlive(user=0, shut_down=False, kind="task", name=HOSTILE),
            entry=3,
        ),
        path=path,
        confirmed=True,
        explanation=Explanation(
            givens=("Let alice be cleaned up.", "Then nothing of alice is alive."),
            observation=(
                f"However, a task was still alive ({HOSTILE}): contradiction.",
            ),
        ),
    )


GREEN: tuple[Event, ...] = (
    started(),
    Progressed(examples=1, interleavings=6, of_examples=600),
    ended(Verdict.HOLDS),
)
RED: tuple[Event, ...] = (
    started(),
    saved(),
    ended(
        Verdict.VIOLATED,
        teardown=(Verdict.VIOLATED, None),
        exact_limits=(Verdict.INCONCLUSIVE, NOT_REACHED),
        tool_isolation=(
            Verdict.INCONCLUSIVE,
            Reason(ReasonKind.CHECK_CRASHED, ("KeyError: 1",)),
        ),
        event_routing=(
            Verdict.NOT_APPLICABLE,
            Reason(ReasonKind.UNDECLARED, ("connections",)),
        ),
    ),
)
UNREACHED: tuple[Event, ...] = (
    started(),
    ended(
        Verdict.INCONCLUSIVE,
        (
            f"exact-limits: {UNREACHED_LIMITS}",
            "never reached: cancellations",
        ),
        exact_limits=(Verdict.INCONCLUSIVE, NOT_REACHED),
    ),
)
INTERRUPTED: tuple[Event, ...] = (
    started(),
    msgspec.structs.replace(
        ended(Verdict.INCONCLUSIVE, ("interrupted",)),
    ),
)
BROKE: tuple[Event, ...] = (
    started(HOSTILE),
    SearchFailed(reason=f"Mine.start raised {HOSTILE}"),
)
SEARCHES = {
    "green": GREEN,
    "red": RED,
    "unreached": UNREACHED,
    "interrupted": INTERRUPTED,
    "broke": BROKE,
}
