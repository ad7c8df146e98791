"""The runs that an engine is expected to let in, unless a limit is reached."""

from __future__ import annotations

from collections.abc import Iterator

from isolation_spec.claims.capacity import surely_at_work
from isolation_spec.claims.history_index import HistoryIndex, OperationSpan
from isolation_spec.model.history.entries import OperationStarted
from isolation_spec.model.history.states import Outcome
from isolation_spec.model.scenario import (
    AdvanceTime,
    CancelRun,
    CleanupEngine,
    CleanupUser,
    Erase,
    OpenContext,
    Operation,
    RunAgent,
    Shutdown,
    UserOperation,
)

__all__ = ["begun_operations", "expected_runs", "is_served"]


def begun_operations(observed: HistoryIndex) -> Iterator[tuple[int, Operation]]:
    """Yields (index of the entry, operation) for each operation that was started."""
    operations = observed.history.operations()
    for index, entry in enumerate(observed.entries):
        if isinstance(entry, OperationStarted) and entry.operation is not None:
            yield index, operations[entry.operation]


def expected_runs(observed: HistoryIndex) -> Iterator[OperationSpan]:
    """Yields the runs of users in contexts of their own, where no other reason than a
    limit is in sight to keep them waiting or to refuse them."""
    for span in observed.spans.values():
        if isinstance(span.operation, RunAgent) and not _is_disturbed(observed, span):
            yield span


def _is_disturbed(observed: HistoryIndex, span: OperationSpan) -> bool:
    run = span.operation
    opened = [
        other
        for other in observed.spans.values()
        if isinstance(other.operation, OpenContext)
        and (other.operation.user, other.operation.context) == (run.user, run.context)
        and other.outcome == Outcome.RETURNED
        and other.ended < span.started
    ]
    return (
        not opened
        or run.victim is not None
        or any(
            index < span.ended and _disturbs(operation, run)
            for index, operation in begun_operations(observed)
        )
    )


def _disturbs(operation: Operation, run: UserOperation) -> bool:
    """Whether it may end the run's context, or the run itself, or the whole engine."""
    if isinstance(operation, Shutdown):
        return True
    if isinstance(operation, AdvanceTime):
        return operation.stalled
    if isinstance(operation, CancelRun):
        return operation.run == run.id
    closes = isinstance(operation, CleanupEngine | CleanupUser | Erase)
    return closes and run.user in (operation.user, operation.victim)


def is_served(observed: HistoryIndex, refused: OperationSpan) -> bool:
    """Whether the context is surely in use: a run in it was let in before, and a later
    request in it succeeds where the engine may have closed it meanwhile.

    It may have done so after a run that was cancelled or failed, or an idle time.
    """
    begun = {work.span.operation.id for work in surely_at_work(observed)}
    here = [
        span
        for span in observed.spans.values()
        if span is not refused
        and span.operation.context == refused.operation.context
        and refused.operation.user == span.operation.user
        and not isinstance(span.operation, OpenContext)
    ]
    before = [
        s for s in here if s.operation.id in begun and s.started < refused.started
    ]
    unhurt = all(span.outcome == Outcome.RETURNED for span in before)
    idle = observed.entries[refused.started].time > _LONG
    later = any(
        span.started > refused.ended and span.outcome == Outcome.RETURNED
        for span in here
    )
    return bool(before) and (later or (unhurt and not idle))


_LONG = 10.0
"""Virtual seconds after which an engine may close a context that is not in use."""
