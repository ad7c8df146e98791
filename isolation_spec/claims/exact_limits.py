"""Limits are exact under concurrency: never exceeded, and never refused too early."""

from __future__ import annotations

from collections.abc import Iterator

from isolation_spec.claims.claim import Claim, IsolationViolated, Opportunity, Violation
from isolation_spec.claims.facts import (
    ContextRefused,
    TooManyContexts,
    TooManyRuns,
)
from isolation_spec.claims.history_index import HistoryIndex, OperationSpan
from isolation_spec.contract.capabilities import Capability
from isolation_spec.model.history.entries import (
    AgentStepped,
    OperationEnded,
    OperationStarted,
)
from isolation_spec.model.history.states import Outcome
from isolation_spec.model.scenario import (
    CleanupEngine,
    CleanupUser,
    OpenContext,
    RunAgent,
    Shutdown,
)

__all__ = ["EXACT_LIMITS", "ExactLimitsViolated"]


class ExactLimitsViolated(IsolationViolated):
    """More was allowed than the engine's limit, or less."""


_ID = "exact-limits"


def _check(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    limits = observed.history.limits
    if "contexts_per_user" in limits:
        yield from _contexts(observed, limits["contexts_per_user"])
    if "runs_per_context" in limits:
        yield from _runs(observed, limits["runs_per_context"])


# Contexts


def _contexts(observed: HistoryIndex, limit: int) -> Iterator[Opportunity | Violation]:
    for user in observed.users():
        opens = [
            span
            for span in observed.spans.values()
            if isinstance(span.operation, OpenContext) and span.operation.user == user
        ]
        if len(opens) <= limit:
            continue
        violation = _too_many(observed, user, opens, limit)
        if violation is not None:
            yield violation
            continue
        for span in opens:
            if span.outcome == Outcome.REFUSED:
                yield (
                    _refused_early(observed, user, span, opens, limit) or Opportunity()
                )
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
    observed: HistoryIndex, user: int, opens: list[OperationSpan], limit: int
) -> Violation | None:
    """Counts contexts that are surely held: opened, and no cleanup has begun."""
    held: list[tuple[int, int]] = []
    for span in opens:
        if span.outcome == Outcome.RETURNED:
            name = span.operation.context
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
                fact=TooManyContexts(user=user, limit=limit, held=count),
                entry=index,
                users=(user,),
            )
    return None


def _refused_early(
    observed: HistoryIndex,
    user: int,
    refused: OperationSpan,
    opens: list[OperationSpan],
    limit: int,
) -> Violation | None:
    """Counts contexts that may be held: requested, and not surely released yet."""
    if any(at < refused.ended for at in _shutdowns(observed)):
        return None
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
            for cleanup in _released(observed, user, name)
        )
        maybe += not gone
    if maybe >= limit:
        return None
    return Violation(
        claim=_ID,
        clause="refused-early",
        fact=ContextRefused(
            user=user, limit=limit, held=maybe, operation=refused.operation.id
        ),
        entry=refused.ended,
        users=(user,),
    )


def _shutdowns(observed: HistoryIndex) -> list[int]:
    operations = observed.history.operations()
    return [
        index
        for index, entry in enumerate(observed.entries)
        if isinstance(entry, OperationStarted)
        and entry.operation is not None
        and isinstance(operations[entry.operation], Shutdown)
    ]


# Runs


def _runs(observed: HistoryIndex, limit: int) -> Iterator[Opportunity | Violation]:
    """Counts agents at work: from their first sign of life to their last, or to the
    end of their run.

    A place is free before its user has the answer. A cancelled run has given it back,
    while its agent may be cancelled a little later.
    """
    last = _last_signs(observed)
    working: dict[tuple[int, str], set[int]] = {}
    most: dict[tuple[int, str], int] = {}
    for index, entry in enumerate(observed.entries):
        span = observed.spans.get(entry.operation or 0)
        if span is None or not isinstance(span.operation, RunAgent):
            continue
        where = (span.operation.user, span.operation.context)
        at_work = working.setdefault(where, set())
        begins = isinstance(entry, AgentStepped) and entry.step == "begin"
        if begins and index < span.ended:
            at_work.add(span.operation.id)
            most[where] = max(most.get(where, 0), len(at_work))
            if len(at_work) == limit + 1:
                yield Violation(
                    claim=_ID,
                    clause="exceeded-runs",
                    fact=TooManyRuns(
                        user=span.operation.user,
                        limit=limit,
                        operations=tuple(sorted(at_work)),
                    ),
                    entry=index,
                    users=(span.operation.user,),
                )
        ended = isinstance(entry, OperationEnded)
        if ended or last.get(span.operation.id, index) <= index:
            at_work.discard(span.operation.id)
    yield from (Opportunity() for count in most.values() if count == limit)


def _last_signs(observed: HistoryIndex) -> dict[int, int]:
    """Returns run -> the last entry of its agent; unfinished runs work to the end."""
    last = {
        entry.operation: index
        for index, entry in enumerate(observed.entries)
        if isinstance(entry, AgentStepped) and entry.operation is not None
    }
    for number, span in observed.spans.items():
        if span.outcome == Outcome.UNFINISHED:
            last[number] = len(observed.entries)
    return last


EXACT_LIMITS = Claim(
    id=_ID,
    statement=(
        "A user never holds more contexts, nor a context more runs at work, than the "
        "engine's limits, and nobody is refused before a limit is reached."
    ),
    situation="a user asked for as much as a limit allows, or more",
    clauses={
        "exceeded-contexts": "a user never holds more contexts than are allowed",
        "refused-early": (
            "a user who holds fewer contexts than are allowed gets another one"
        ),
        "exceeded-runs": "no more runs are at work in a context than are allowed",
    },
    exception=ExactLimitsViolated,
    needs=frozenset({Capability.LIMITS}),
    check=_check,
)
