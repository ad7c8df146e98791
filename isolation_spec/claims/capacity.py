"""How full an engine surely was, and may have been, at each moment of a history.

A run is surely at work from its agent's first sign of life to the last, or to the end
of the run: a place is free before its user has the answer, and a cancelled run has
given it back, while its agent may be cancelled a little later. A run may hold a place
from its request to its answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from isolation_spec.claims.history_index import HistoryIndex, OperationSpan
from isolation_spec.model.history.entries import AgentStepped
from isolation_spec.model.history.states import Outcome
from isolation_spec.model.limits import LIMITS, Limit, Scope, Subject
from isolation_spec.model.scenario import OpenContext, RunAgent

__all__ = [
    "GRACE",
    "Work",
    "declared",
    "may_be_beyond",
    "opens_beside",
    "seconds_of_waiting",
    "shares",
    "surely_at_work",
    "takers",
]

GRACE = 0.5
"""Virtual seconds after which a cancelled run has given its place back. An engine may
do so in a task that waits for the outside; virtual time passes only once the outside
has answered, so this is the time for the engine's own timers."""


class Work(NamedTuple):
    """A run at work, between the indices of two entries."""

    span: OperationSpan
    begin: int
    end: int


def declared(
    observed: HistoryIndex, *subjects: Subject
) -> Iterator[tuple[str, Limit, Scope]]:
    """Yields (name, limit, scope) of each declared limit on one of these subjects."""
    for name, limit in observed.history.limits.items():
        subject, scope = LIMITS[name]
        if subject in subjects:
            yield name, limit, scope


def shares(scope: Scope, one: OperationSpan, other: OperationSpan) -> bool:
    """Whether two operations count against the same limit of that scope."""
    a, b = one.operation, other.operation
    if scope is Scope.CONTEXT:
        return (a.user, a.context) == (b.user, b.context)
    return scope is not Scope.USER or a.user == b.user


def surely_at_work(observed: HistoryIndex) -> tuple[Work, ...]:
    """The runs whose agents began, with the time for which each surely worked."""
    begun: dict[int, int] = {}
    last: dict[int, int] = {}
    for index, entry in enumerate(observed.entries):
        if isinstance(entry, AgentStepped) and entry.operation in observed.spans:
            last[entry.operation] = index
            if entry.step == "begin":
                begun.setdefault(entry.operation, index)
    work = []
    for number, begin in begun.items():
        span = observed.spans[number]
        if begin < span.ended:
            unfinished = span.outcome == Outcome.UNFINISHED
            end = span.ended if unfinished else min(span.ended, last[number])
            work.append(Work(span, begin, end))
    return tuple(work)


def takers(
    observed: HistoryIndex, asking: OperationSpan, limit: Limit, scope: Scope
) -> list[OperationSpan]:
    """The other runs that may hold a place of the limit while this request is made."""
    return [
        span
        for span in observed.spans.values()
        if span is not asking
        and isinstance(span.operation, RunAgent)
        and span.outcome != Outcome.UNAVAILABLE
        and (shares(scope, asking, span) or asking.operation.user in _named(span))
        and span.started < asking.ended
        and _may_hold_at(observed, span, asking.started, limit)
    ]


def _named(span: OperationSpan) -> tuple[int | None, ...]:
    """The owner of a context that another user works in may pay for the work."""
    return (span.operation.victim,)


def _may_hold_at(
    observed: HistoryIndex, span: OperationSpan, index: int, limit: Limit
) -> bool:
    if span.ended > index:
        return True
    passed = observed.entries[index].time - observed.entries[span.ended].time
    if limit.within is not None:
        began = observed.entries[index].time - observed.entries[span.started].time
        return began <= limit.within
    return span.outcome == Outcome.CANCELLED and passed <= GRACE


def may_be_beyond(
    observed: HistoryIndex,
    refused: OperationSpan,
    scopes: Collection[Scope] = tuple(Scope),
) -> bool:
    """Whether a declared limit of these scopes may explain that it was refused."""
    operation = refused.operation
    if isinstance(operation, OpenContext):
        return any(
            scope in scopes
            and len(opens_beside(observed, refused, scope)) >= limit.most
            for _, limit, scope in declared(observed, Subject.CONTEXTS)
        )
    return isinstance(operation, RunAgent) and any(
        scope in scopes
        and limit.may_refuse
        and len(takers(observed, refused, limit, scope)) >= limit.most
        for _, limit, scope in declared(observed, Subject.RUNS, Subject.STARTS)
    )


def opens_beside(
    observed: HistoryIndex, asking: OperationSpan, scope: Scope
) -> list[OperationSpan]:
    """The other requests for contexts that may count against the limit."""
    return [
        span
        for span in observed.spans.values()
        if span is not asking
        and isinstance(span.operation, OpenContext)
        and shares(scope, asking, span)
        and span.started < asking.ended
    ]


def seconds_of_waiting(observed: HistoryIndex, span: OperationSpan) -> float:
    """The virtual seconds that the request may wait by the declared limits."""
    if not isinstance(span.operation, RunAgent) or span.ended >= len(observed.entries):
        return 0.0
    took = observed.entries[span.ended].time - observed.entries[span.started].time
    longest = 0.0
    for _, limit, scope in declared(
        observed, Subject.RUNS, Subject.STARTS, Subject.CALLS
    ):
        if limit.may_wait and len(takers(observed, span, limit, scope)) >= limit.most:
            longest = max(longest, took if limit.seconds is None else limit.seconds)
    return longest
