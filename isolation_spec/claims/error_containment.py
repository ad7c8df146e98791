"""A user's failure, cancellation or slowness never fails or stalls another user."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import msgspec

from isolation_spec.claims.blocked_loop import held_loops
from isolation_spec.claims.capacity import may_be_beyond, seconds_of_waiting
from isolation_spec.claims.claim import (
    Claim,
    ControlRuns,
    IsolationViolated,
    Opportunity,
    Ruling,
    Violation,
)
from isolation_spec.claims.facts import (
    ConnectionCutOff,
    OperationFailed,
    OperationStalled,
    Shown,
)
from isolation_spec.claims.history_index import (
    ConnectionSpan,
    HistoryIndex,
    OperationSpan,
)
from isolation_spec.model.history.entries import ConnectionClosed, OperationEnded
from isolation_spec.model.history.states import Outcome
from isolation_spec.model.scenario import (
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
    Remember,
    RunAgent,
    Shutdown,
    Sleep,
    Step,
    Think,
    Transact,
    UserOperation,
    walk,
)

__all__ = ["ERROR_CONTAINMENT", "ErrorContainmentViolated"]


class ErrorContainmentViolated(IsolationViolated):
    """A user in no trouble failed, was cancelled, or had to wait."""


_ID = "error-containment"


def _check(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    """Yields the suspicions at which another user had begun an operation."""
    # A blocked loop makes operations slow, so it is named before its consequence.
    yield from _blocked(observed)
    for one in _suspicions(observed):
        if isinstance(one, Opportunity) or _has_company(observed, one):
            yield one


def _has_company(observed: HistoryIndex, violation: Violation) -> bool:
    return any(
        span.operation.user not in violation.users
        and span.started < violation.entry
        and span.outcome != Outcome.UNAVAILABLE
        for span in observed.spans.values()
    )


def _review(_: HistoryIndex, violation: Violation, controls: ControlRuns) -> Ruling:
    """Excuses the others where the user fares no better alone."""
    if violation.clause == "blocked-loop":
        return Ruling.STANDS
    (user,) = violation.users
    operation: int = getattr(violation.fact, "operation", 0)
    runs = chain(controls.alone(user), controls.beside_own(user, operation))
    alone = any(
        _is_same(violation, one)
        for history in runs
        for one in _suspicions(HistoryIndex(history))
    )
    return Ruling.EXCUSED if alone else Ruling.STANDS


def _is_same(one: Violation, other: Opportunity | Violation) -> bool:
    """Whether both are of one clause, user and operation."""
    return isinstance(other, Violation) and _subject(one) == _subject(other)


def _subject(violation: Violation) -> tuple[object, ...]:
    operation = getattr(violation.fact, "operation", None)
    return violation.clause, violation.users, operation


def _suspicions(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    world = _adverse_for_all(observed)
    for user in observed.users():
        spans = [s for s in observed.spans.values() if s.operation.user == user]
        # Later trouble cannot be the cause of a failure.
        first = min(world, _first_own_trouble(observed, spans))
        for span in spans:
            if span.outcome == Outcome.REFUSED and may_be_beyond(observed, span):
                continue
            violation = None
            if span.ended < first:
                violation = _failed(observed, span) or _stalled(observed, span)
            elif span.ended < min(world, _first_own_trouble(observed, spans, span)):
                violation = _stalled(observed, span)
            else:
                continue
            if violation is not None:
                yield violation
            elif _others_in_trouble(observed, span):
                yield Opportunity()
        yield from _cut_off(observed, user, first)


def _blocked(observed: HistoryIndex) -> Iterator[Violation]:
    for index, fact in held_loops(observed):
        by = observed.entries[index].user
        yield Violation(
            claim=_ID,
            clause="blocked-loop",
            fact=fact,
            entry=index,
            users=(fact.user,) if by is None else (fact.user, by),
        )


def _adverse_for_all(observed: HistoryIndex) -> int:
    """Returns the entry of the first shutdown or stall, which may fail any user."""
    operations = observed.history.operations()
    for index, entry in enumerate(observed.entries):
        operation = operations.get(entry.operation or 0)
        if isinstance(operation, Shutdown) or (
            isinstance(operation, AdvanceTime) and operation.stalled
        ):
            return index
    return len(observed.entries) + 1


def _first_own_trouble(
    observed: HistoryIndex,
    spans: list[OperationSpan],
    waiting: OperationSpan | None = None,
) -> int:
    """Returns the entry of the user's first trouble, which may fail or delay the user.

    More contexts than the engine allows are trouble; so is a second one if it declares
    no limit. A `waiting` operation does not wait for an own run that failed and was
    over before.
    """
    limit = observed.history.limits.get("contexts_per_user")
    allowed = 1 if limit is None else limit.most
    opens = [s.started for s in spans if isinstance(s.operation, OpenContext)]
    trouble = [
        s.started
        for s in spans
        if _is_trouble(s.operation)
        and not (waiting and s.ended < waiting.started and _only_fails(s.operation))
    ]
    later = sorted(opens)[allowed:]
    return min([*trouble, *later, len(observed.entries) + 1])


_TROUBLE = (CancelRun, CleanupEngine, CleanupUser, Disconnect, Reconnect)


def _is_trouble(operation: UserOperation) -> bool:
    if operation.cancel is not None or isinstance(operation, _TROUBLE):
        return True
    if operation.victim is not None:
        return True
    if isinstance(operation, Connect):
        return operation.forged or operation.unread
    if not isinstance(operation, RunAgent):
        return False
    return any(
        _fails(step)
        or (isinstance(step, Think) and step.seconds > 0)
        or (isinstance(step, Remember) and step.broken)
        for _, step in walk(operation.script)
    )


def _fails(step: Step) -> bool:
    return isinstance(step, Fail) or (isinstance(step, Transact) and step.fails)


def _only_fails(operation: UserOperation) -> bool:
    """True for a run that is in trouble for no more than an exception of its agent."""
    if not isinstance(operation, RunAgent):
        return False
    calm = tuple(step for step in operation.script if not _fails(step))
    return not _is_trouble(msgspec.structs.replace(operation, script=calm))


def _failed(observed: HistoryIndex, span: OperationSpan) -> Violation | None:
    if span.outcome in (Outcome.RETURNED, Outcome.UNAVAILABLE):
        return None
    entry = observed.entries[min(span.ended, len(observed.entries) - 1)]
    error = entry.error if isinstance(entry, OperationEnded) else ""
    return Violation(
        claim=_ID,
        clause="failed",
        fact=OperationFailed(
            user=span.operation.user,
            operation=span.operation.id,
            ending=Outcome(span.outcome),
            error=Shown(_brief(error)),
        ),
        entry=span.ended,
        users=(span.operation.user,),
    )


_LONGEST = 100


def _brief(error: str) -> str:
    return error if len(error) <= _LONGEST else f"{error[:_LONGEST].rstrip()}..."


def _stalled(observed: HistoryIndex, span: OperationSpan) -> Violation | None:
    if span.ended >= len(observed.entries):
        return None
    took = observed.entries[span.ended].time - observed.entries[span.started].time
    own = _own_sleep(observed, span.operation)
    allowed = own + observed.history.patience + seconds_of_waiting(observed, span)
    if took <= allowed:
        return None
    return Violation(
        claim=_ID,
        clause="stalled",
        fact=OperationStalled(
            user=span.operation.user,
            operation=span.operation.id,
            own=own,
            allowed=allowed,
            took=took,
        ),
        entry=span.ended,
        users=(span.operation.user,),
    )


_ENDED_BY_NOBODY = (None, 1000, 1001, 1005, 1006, 1011)
"""Close codes by which an engine does not say that it refuses the user."""
_IDLE = 10.0
"""Virtual seconds after which an engine may close an idle connection."""


def _cut_off(observed: HistoryIndex, user: int, first: int) -> Iterator[Violation]:
    """A user's one connection stays open while the user does nothing against it."""
    connects = [
        number
        for number, span in observed.spans.items()
        if span.operation.user == user and isinstance(span.operation, Connect)
    ]
    for link in observed.accepted_links:
        if [link.operation] != connects or link.closed >= min(first, observed.end):
            continue
        closed = observed.entries[link.closed]
        code = closed.code if isinstance(closed, ConnectionClosed) else None
        idle = closed.time - _last_used(observed, link)
        if code not in _ENDED_BY_NOBODY or idle > _IDLE:
            continue
        yield Violation(
            claim=_ID,
            clause="cut-off",
            fact=ConnectionCutOff(user=user, code=code),
            entry=link.closed,
            users=(user,),
        )


def _last_used(observed: HistoryIndex, link: ConnectionSpan) -> float:
    """The virtual time at which the connection was opened, or last brought an event."""
    times = [observed.entries[link.opened].time]
    for event in observed.events:
        if event.entry.operation == link.operation and event.index < link.closed:
            times.append(event.entry.time)
    return max(times)


def _own_sleep(observed: HistoryIndex, operation: UserOperation) -> float:
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


def _others_in_trouble(observed: HistoryIndex, span: OperationSpan) -> bool:
    """True if somebody else failed, was cancelled, cleaned up or slept meanwhile."""
    return any(
        other.operation.user != span.operation.user
        and other.started < span.ended
        and span.started < other.ended
        and (
            other.outcome in (Outcome.FAILED, Outcome.CANCELLED, Outcome.REFUSED)
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
        "operation of another, nor cuts their connection off."
    ),
    situation="an operation overlapped with another user's trouble or slowness",
    clauses={
        "failed": "an operation of a user in no trouble succeeds, whatever others do",
        "stalled": "it is not kept waiting by others",
        "blocked-loop": "no callback waits for 0.1 s under another user's operation",
        "cut-off": "the connection of a user who does not leave stays open",
    },
    exception=ErrorContainmentViolated,
    needs=frozenset(),
    check=_check,
    review=_review,
)
