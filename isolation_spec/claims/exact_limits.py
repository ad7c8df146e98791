"""Limits are exact under concurrency: never exceeded, and never refused too early."""

from __future__ import annotations

from collections.abc import Iterator

from isolation_spec.claims.capacity import (
    declared,
    opens_beside,
    shares,
    surely_at_work,
    takers,
)
from isolation_spec.claims.claim import Claim, IsolationViolated, Opportunity, Violation
from isolation_spec.claims.expected_runs import (
    begun_operations,
    expected_runs,
    is_served,
)
from isolation_spec.claims.facts import (
    AnyFact,
    ContextRefused,
    RunRefused,
    RunWaited,
    Shown,
    TooManyCalls,
    TooManyContexts,
    TooManyRuns,
    TooManyStarts,
)
from isolation_spec.claims.history_index import HistoryIndex, OperationSpan
from isolation_spec.contract.capabilities import Capability
from isolation_spec.model.history.entries import ToolRan
from isolation_spec.model.history.states import Outcome, ToolMoment
from isolation_spec.model.limits import Limit, Scope, Subject
from isolation_spec.model.scenario import (
    CleanupEngine,
    CleanupUser,
    OpenContext,
    Shutdown,
)

__all__ = ["EXACT_LIMITS", "ExactLimitsViolated"]


class ExactLimitsViolated(IsolationViolated):
    """More was allowed than the engine's limit, or less."""


_ID = "exact-limits"


def _check(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    for _, limit, scope in declared(observed, Subject.CONTEXTS):
        yield from _contexts(observed, limit.most, scope)
    for _, limit, scope in declared(observed, Subject.RUNS):
        yield from _runs(observed, limit.most, scope)
    for _, limit, scope in declared(observed, Subject.STARTS):
        yield from _starts(observed, limit, scope)
    for name, limit, _ in declared(observed, Subject.CALLS):
        if name == "calls_per_tool":
            yield from _calls(observed, limit.most)
    yield from _refused_runs(observed)
    yield from _late_runs(observed)


# Contexts


def _contexts(
    observed: HistoryIndex, limit: int, scope: Scope
) -> Iterator[Opportunity | Violation]:
    found = [
        span
        for span in observed.spans.values()
        if isinstance(span.operation, OpenContext)
    ]
    groups: dict[int | None, list[OperationSpan]] = {}
    for span in found:
        group = span.operation.user if scope is Scope.USER else None
        groups.setdefault(group, []).append(span)
    for opens in groups.values():
        if len(opens) > limit:
            yield from _contexts_of(observed, opens, limit, scope)


def _contexts_of(
    observed: HistoryIndex, opens: list[OperationSpan], limit: int, scope: Scope
) -> Iterator[Opportunity | Violation]:
    """Judges the requests for contexts that count against one limit."""
    violation = _too_many(observed, opens, limit, scope)
    if violation is not None:
        yield violation
        return
    for span in opens:
        if span.outcome == Outcome.REFUSED:
            yield _refused_early(observed, span, opens, limit, scope) or Opportunity()
    yield Opportunity()


def _released(
    observed: HistoryIndex, user: int, name: str | None
) -> Iterator[OperationSpan]:
    """Yields the cleanups that may have released the user's context of that name."""
    for span in observed.spans.values():
        operation = span.operation
        if operation.user != user:
            continue
        named = isinstance(operation, CleanupEngine) and operation.context == name
        if named or isinstance(operation, CleanupUser):
            yield span


def _too_many(
    observed: HistoryIndex, opens: list[OperationSpan], limit: int, scope: Scope
) -> Violation | None:
    """Counts contexts that are surely held: opened, and no cleanup has begun."""
    held: list[tuple[int, int]] = []
    users: dict[int, int] = {}
    for span in opens:
        if span.outcome == Outcome.RETURNED:
            name, user = span.operation.context, span.operation.user
            users[span.ended] = user
            released = [
                cleanup.started
                for cleanup in _released(observed, user, name)
                if cleanup.ended > span.started
            ]
            end = min([*released, *_shutdowns(observed), observed.end])
            held.append((span.ended, end))
    for index, _ in held:
        count = sum(begin <= index < end for begin, end in held)
        if count > limit:
            return Violation(
                claim=_ID,
                clause="exceeded-contexts",
                fact=TooManyContexts(
                    user=users[index], limit=limit, held=count, scope=scope
                ),
                entry=index,
                users=(users[index],),
            )
    return None


def _refused_early(
    observed: HistoryIndex,
    refused: OperationSpan,
    opens: list[OperationSpan],
    limit: int,
    scope: Scope,
) -> Violation | None:
    """Counts contexts that may be held: requested, and not surely released yet."""
    if any(at < refused.ended for at in _shutdowns(observed)):
        return None
    if _another_is_full(observed, refused, scope):
        return None
    user = refused.operation.user
    maybe = 0
    for span in opens:
        if span is refused or span.started > refused.ended:
            continue
        if span.outcome in (Outcome.REFUSED, Outcome.FAILED, Outcome.UNAVAILABLE) and (
            span.ended < refused.started
        ):
            continue
        name = span.operation.context
        gone = any(
            cleanup.outcome == Outcome.RETURNED
            and cleanup.started > span.ended
            and cleanup.ended < refused.started
            for cleanup in _released(observed, span.operation.user, name)
        )
        maybe += not gone
    if maybe >= limit:
        return None
    return Violation(
        claim=_ID,
        clause="refused-early",
        fact=ContextRefused(
            user=user,
            limit=limit,
            held=maybe,
            operation=refused.operation.id,
            scope=scope,
        ),
        entry=refused.ended,
        users=(user,),
    )


def _another_is_full(
    observed: HistoryIndex, refused: OperationSpan, scope: Scope
) -> bool:
    """Whether the limit of another scope may explain that a context was refused."""
    return any(
        other is not scope and len(opens_beside(observed, refused, other)) >= limit.most
        for _, limit, other in declared(observed, Subject.CONTEXTS)
    )


def _shutdowns(observed: HistoryIndex) -> list[int]:
    begun = begun_operations(observed)
    return [index for index, operation in begun if isinstance(operation, Shutdown)]


# Runs: no more than allowed


def _runs(
    observed: HistoryIndex, limit: int, scope: Scope
) -> Iterator[Opportunity | Violation]:
    work = surely_at_work(observed)
    reached: set[tuple[object, ...]] = set()
    exceeded: set[tuple[object, ...]] = set()
    for one in work:
        beside = [
            other.span.operation.id
            for other in work
            if shares(scope, one.span, other.span)
            and (other is one or other.begin < one.begin < other.end)
        ]
        if len(beside) == limit:
            reached.add(_key(scope, one.span))
        elif len(beside) > limit:
            exceeded.add(_key(scope, one.span))
        if len(beside) == limit + 1:
            yield _violation(
                "exceeded-runs",
                one.begin,
                one.span,
                TooManyRuns(
                    user=one.span.operation.user,
                    limit=limit,
                    operations=tuple(sorted(beside)),
                    scope=scope,
                ),
            )
    yield from (Opportunity() for _ in reached - exceeded)


def _key(scope: Scope, span: OperationSpan) -> tuple[object, ...]:
    """The same for all operations that count against one limit of the scope."""
    operation = span.operation
    if scope is Scope.CONTEXT:
        return operation.user, operation.context
    return (operation.user,) if scope is Scope.USER else ()


def _starts(
    observed: HistoryIndex, limit: Limit, scope: Scope
) -> Iterator[Opportunity | Violation]:
    """Counts the runs that began in the time before each beginning, itself included."""
    begun = sorted(surely_at_work(observed), key=lambda work: work.begin)
    for one in begun:
        now = observed.entries[one.begin].time
        counted = [
            other.span.operation.id
            for other in begun
            if other.begin <= one.begin
            and shares(scope, one.span, other.span)
            and now - observed.entries[other.begin].time < (limit.within or 0.0)
        ]
        if len(counted) == limit.most:
            yield Opportunity()
        elif len(counted) == limit.most + 1:
            yield _violation(
                "exceeded-starts",
                one.begin,
                one.span,
                TooManyStarts(
                    user=one.span.operation.user,
                    limit=limit.most,
                    within=limit.within or 0.0,
                    operations=tuple(counted),
                    scope=scope,
                ),
            )


def _calls(observed: HistoryIndex, limit: int) -> Iterator[Opportunity | Violation]:
    """Counts the bodies of each tool between their first and their last entry."""
    working: dict[str, dict[str, None]] = {}
    for index, entry in enumerate(observed.entries):
        span = observed.spans.get(entry.operation or 0)
        if not isinstance(entry, ToolRan) or span is None:
            continue
        calls = working.setdefault(entry.tool, {})
        if entry.moment == ToolMoment.ENDED:
            calls.pop(entry.argument, None)
        elif entry.argument not in calls:
            calls[entry.argument] = None
            if len(calls) == limit:
                yield Opportunity()
            elif len(calls) == limit + 1:
                fact = TooManyCalls(
                    tool=Shown(entry.tool), limit=limit, user=span.operation.user
                )
                yield _violation("exceeded-calls", index, span, fact)


# Runs: no less than allowed, and not too late


def _refused_runs(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    """A run that no limit explains is not refused, nor before its time of waiting."""
    limits = [*declared(observed, Subject.RUNS, Subject.STARTS)]
    for span in expected_runs(observed) if limits else ():
        if span.outcome != Outcome.REFUSED or not is_served(observed, span):
            continue
        full = [
            (limit, scope)
            for _, limit, scope in limits
            if len(takers(observed, span, limit, scope)) >= limit.most
        ]
        took = observed.entries[span.ended].time - observed.entries[span.started].time
        if any(_may_refuse_after(limit, took) for limit, _ in full):
            yield Opportunity()
            continue
        yield _violation(
            "refused-run",
            span.ended,
            span,
            RunRefused(
                user=span.operation.user,
                operation=span.operation.id,
                limits=tuple(name for name, _, _ in limits),
                took=took,
                full=bool(full),
            ),
        )


def _may_refuse_after(limit: Limit, seconds: float) -> bool:
    if limit.beyond == "waits":
        return limit.seconds is not None and seconds >= limit.seconds
    return True


def _late_runs(observed: HistoryIndex) -> Iterator[Violation]:
    """A run that finds no room is let in, or refused, once its time is up."""
    limits = [*declared(observed, Subject.RUNS)]
    work = surely_at_work(observed) if limits else ()
    own = {span.operation.id for span in expected_runs(observed)} if limits else set()
    for one in work:
        span = one.span
        asked, begun = (observed.entries[i].time for i in (span.started, one.begin))
        for name, limit, scope in limits if span.operation.id in own else ():
            longest = limit.seconds if limit.may_wait else 0.0
            if longest is None:
                continue
            deadline = asked + longest + observed.history.patience
            full = [
                other
                for other in work
                if shares(scope, span, other.span)
                and other.begin < span.started
                and deadline < _time(observed, other.end)
            ]
            if begun > deadline and len(full) >= limit.most:
                fact = RunWaited(
                    user=span.operation.user,
                    operation=span.operation.id,
                    limits=(name,),
                    allowed=longest,
                    took=begun - asked,
                )
                yield _violation("waited", one.begin, span, fact)


def _time(observed: HistoryIndex, index: int) -> float:
    return observed.entries[min(index, len(observed.entries) - 1)].time


def _violation(
    clause: str, index: int, span: OperationSpan, fact: AnyFact
) -> Violation:
    user = span.operation.user
    return Violation(claim=_ID, clause=clause, fact=fact, entry=index, users=(user,))


EXACT_LIMITS = Claim(
    id=_ID,
    statement=(
        "No more contexts are held and no more runs are at work than the engine's "
        "limits allow, and no request is refused or kept waiting below a limit."
    ),
    situation="users asked for as much as a limit allows, or more",
    clauses={
        "exceeded-contexts": "no more contexts are held than are allowed",
        "refused-early": "a context is refused only where as many as allowed are held",
        "exceeded-runs": "no more runs are at work than are allowed",
        "exceeded-starts": "no more runs begin within a time than are allowed",
        "exceeded-calls": "no more calls of a tool are at work than are allowed",
        "refused-run": "a run is refused only where as many as allowed are at work",
        "waited": "a run waits no longer than the engine says",
    },
    exception=ExactLimitsViolated,
    needs=frozenset({Capability.LIMITS}),
    check=_check,
)
