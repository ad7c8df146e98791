"""A user's failure, cancellation or slowness never fails or stalls another."""

from __future__ import annotations

from collections.abc import Iterator

from isolation_spec.claims.claim import (
    Claim,
    IsolationViolated,
    Situation,
    Violation,
)
from isolation_spec.claims.observed import Observed, Span
from isolation_spec.scenario import (
    AdvanceTime,
    CallTool,
    CancelRun,
    CleanupEngine,
    CleanupUser,
    Connect,
    Disconnect,
    Fail,
    OpenContext,
    Reconnect,
    RunAgent,
    Shutdown,
    Sleep,
    Transact,
    UserOperation,
    walk,
)

__all__ = ["ERROR_CONTAINMENT", "ErrorContainmentViolated"]


class ErrorContainmentViolated(IsolationViolated):
    """Somebody who did nothing wrong failed, was cancelled, or had to wait."""


_ID = "error-containment"
PATIENCE = 2.5
"""Virtual seconds that an operation may take beyond its own sleeping. Waiting for a
lock of the database took at most 0.2 s for three writers; an agent's long sleep is 5
s."""


def _check(observed: Observed) -> Iterator[Situation | Violation]:
    if _is_adverse_for_all(observed):
        return
    for user in observed.users():
        spans = [s for s in observed.spans.values() if s.operation.user == user]
        if not spans or _has_own_trouble(observed, user, spans):
            continue
        for span in spans:
            violation = _failed(observed, span) or _stalled(observed, span)
            if violation is not None:
                yield violation
            elif _others_in_trouble(observed, span):
                yield Situation()


def _is_adverse_for_all(observed: Observed) -> bool:
    """True if the world itself may fail anybody: a shutdown, a stall of the outside."""
    return any(
        isinstance(operation, Shutdown)
        or (isinstance(operation, AdvanceTime) and operation.stalled)
        for operation in observed.history.scenario.operations
    )


def _has_own_trouble(observed: Observed, user: int, spans: list[Span]) -> bool:
    """True if the user did anything that may fail or delay what the user does."""
    contexts = sum(isinstance(span.operation, OpenContext) for span in spans)
    return contexts > 1 or any(_is_trouble(span.operation) for span in spans)


_TROUBLE = (CancelRun, CleanupEngine, CleanupUser, Disconnect, Reconnect)


def _is_trouble(operation: UserOperation) -> bool:
    if operation.cancel is not None or isinstance(operation, _TROUBLE):
        return True
    if getattr(operation, "victim", None) is not None:
        return True
    if isinstance(operation, Connect):
        return operation.forged
    if not isinstance(operation, RunAgent):
        return False
    return any(
        isinstance(step, Fail) or (isinstance(step, Transact) and step.fails)
        for _, step in walk(operation.script)
    )


def _failed(observed: Observed, span: Span) -> Violation | None:
    if span.outcome in ("returned", "unavailable"):
        return None
    name = observed.label(span.operation.user)
    entry = observed.entries[min(span.ended, len(observed.entries) - 1)]
    error = getattr(entry, "error", "")
    return Violation(
        claim=_ID,
        clause="failed",
        let=(f"{name} ask for nothing wrong, and cancel and clean up nothing",),
        then=f"operation {span.operation.id} of {name} succeeds, whatever others do",
        however=f"it {_ended(span.outcome)}{f': {_brief(error)}' if error else ''}",
        entry=span.ended,
        users=(span.operation.user,),
    )


_LONGEST = 100


def _brief(error: str) -> str:
    return error if len(error) <= _LONGEST else f"{error[:_LONGEST].rstrip()}..."


def _ended(outcome: str) -> str:
    verbs = {"failed": "failed", "unfinished": "never ended"}
    return verbs.get(outcome, f"was {outcome}")


def _stalled(observed: Observed, span: Span) -> Violation | None:
    if span.ended >= len(observed.entries):
        return None
    took = observed.entries[span.ended].time - observed.entries[span.started].time
    own = _own_sleep(observed, span.operation)
    if took <= own + PATIENCE:
        return None
    name = observed.label(span.operation.user)
    return Violation(
        claim=_ID,
        clause="stalled",
        let=(f"{name}'s own runs sleep for {own:g} s in all",),
        then=f"it takes at most {own + PATIENCE:g} s, however slow others are",
        however=f"it took {took:g} s",
        entry=span.ended,
        users=(span.operation.user,),
    )


def _own_sleep(observed: Observed, operation: UserOperation) -> float:
    """Seconds that the user's own runs sleep, as they may wait for one another."""
    if not isinstance(operation, RunAgent):
        return 0.0
    runs = [
        span.operation
        for span in observed.spans.values()
        if isinstance(span.operation, RunAgent)
        and span.operation.user == operation.user
    ]
    return sum(
        step.seconds
        for run in runs
        for _, step in walk(run.script)
        if isinstance(step, Sleep)
    )


def _others_in_trouble(observed: Observed, span: Span) -> bool:
    """True if somebody else failed, was cancelled, cleaned up or slept meanwhile."""
    return any(
        other.operation.user != span.operation.user
        and other.started < span.ended
        and span.started < other.ended
        and (
            other.outcome in ("failed", "cancelled", "refused")
            or _is_trouble(other.operation)
            or _is_slow(other.operation)
        )
        for other in observed.spans.values()
    )


def _is_slow(operation: UserOperation) -> bool:
    return isinstance(operation, RunAgent) and any(
        isinstance(step, Sleep) or (isinstance(step, CallTool) and step.tool == "slow")
        for _, step in walk(operation.script)
    )


ERROR_CONTAINMENT = Claim(
    id=_ID,
    statement=(
        "A user's failure, cancellation, cleanup or slowness never fails or stalls an "
        "operation of another."
    ),
    situation="an operation overlapped with another user's trouble or slowness",
    exception=ErrorContainmentViolated,
    needs=frozenset(),
    check=_check,
)
