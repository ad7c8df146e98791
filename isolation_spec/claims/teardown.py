"""After cleanup nothing of the user is alive; after shutdown nothing at all."""

from __future__ import annotations

from collections.abc import Iterator

from isolation_spec.claims.claim import Claim, IsolationViolated, Opportunity, Violation
from isolation_spec.claims.history_index import HistoryIndex
from isolation_spec.model.history.entries import (
    ExceptionUnhandled,
    GaugeRead,
    OperationEnded,
    PhaseStarted,
    ResourceAlive,
)
from isolation_spec.model.scenario import (
    CancelRun,
    CleanupEngine,
    CleanupUser,
    OpenContext,
    RunAgent,
    Shutdown,
    Write,
)

__all__ = ["TEARDOWN", "TeardownViolated"]


class TeardownViolated(IsolationViolated):
    """Something outlived its owner or the engine."""


_ID = "teardown"


def _check(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    violated: set[int | None] = set()
    torn_down = False
    for index, entry in enumerate(observed.entries):
        if isinstance(entry, PhaseStarted):
            torn_down = torn_down or entry.phase == "teardown"
            continue
        violation = _outlived(observed, index, entry, torn_down)
        if violation is not None:
            violated.add(entry.user)
            yield violation
    for violation in (*_failed_cleanups(observed), *_served_after(observed)):
        violated.update(violation.users)
        yield violation
    worked = {e.user for e in observed.entries if _worked(e)}
    if observed.history.settled and (times := len(worked - violated)):
        yield Opportunity(times)


def _worked(entry: object) -> bool:
    """A user for whom the engine did something has something to clean up."""
    return (
        isinstance(entry, OperationEnded)
        and entry.user is not None
        and entry.outcome in ("returned", "failed", "cancelled")
    )


_NAMED_BY_ENGINE = ("thread", "file descriptor")


def _outlived(
    observed: HistoryIndex, index: int, entry: object, torn_down: bool
) -> Violation | None:
    if isinstance(entry, ResourceAlive):
        let, then = _given(observed, entry.user, torn_down)
        return _violation(
            f"alive-{entry.kind.replace(' ', '-')}",
            index,
            entry.user,
            let=let,
            then=then,
            however=f"{_a(entry.kind)} was still alive ({entry.what})",
            # Tasks, timers and generators are called by the name of their code.
            shown=(entry.what,) if entry.kind in _NAMED_BY_ENGINE else (),
        )
    if isinstance(entry, GaugeRead) and entry.value:
        let, then = _given(observed, entry.user, torn_down)
        return _violation(
            f"gauge-{entry.gauge}",
            index,
            entry.user,
            let=let,
            then=then,
            however=f"the engine's own {entry.gauge} read {entry.value:g}",
        )
    if isinstance(entry, ExceptionUnhandled):
        return _violation(
            "unhandled",
            index,
            entry.user,
            let=("every operation, cleanup and shutdown come to its end",),
            then="none of them leaves an exception that nobody handles",
            however=entry.message,
            shown=(entry.message,),
        )
    if not isinstance(entry, OperationEnded) or entry.user is None:
        return None
    if entry.outcome == "unfinished":
        return _violation(
            "unfinished",
            index,
            entry.user,
            let=(f"operation {entry.operation} be started",),
            then="it ends within a bounded time",
            however="it was still under way when the time of the run was up"
            + (f": {entry.error}" if entry.error else ""),
        )
    return None


_LONGEST = 60.0


def _failed_cleanups(observed: HistoryIndex) -> Iterator[Violation]:
    """A cleanup succeeds within bounded time, unless the outside itself stood still."""
    if observed.stalled:
        return
    for span in observed.spans.values():
        operation = span.operation
        if not isinstance(operation, CleanupEngine | CleanupUser):
            continue
        entry = observed.entries[min(span.ended, len(observed.entries) - 1)]
        took = entry.time - observed.entries[span.started].time
        if span.outcome == "failed":
            clause, however = "cleanup-failed", f"it failed: {_error(entry)}"
        elif span.outcome == "cancelled" and not _cancels(observed):
            clause, however = (
                "cleanup-failed",
                "it was cancelled by nothing in the scenario",
            )
        elif took > _LONGEST:
            clause, however = "cleanup-unbounded", f"it took {took:g} s"
        else:
            continue
        yield _violation(
            clause,
            span.ended,
            operation.user,
            let=(f"operation {operation.id} clean up, with nothing stalled",),
            then=f"it succeeds within {_LONGEST:g} s, however often it is asked for",
            however=however,
            shown=(_error(entry),) if span.outcome == "failed" else (),
        )


def _cancels(observed: HistoryIndex) -> bool:
    """Whether the scenario has anything that may cancel a cleanup, of anybody."""
    return any(
        isinstance(operation, CancelRun | Shutdown)
        or getattr(operation, "cancel", None) is not None
        for operation in observed.history.scenario.operations
    )


def _error(entry: object) -> str:
    return entry.error if isinstance(entry, OperationEnded) else "?"


def _served_after(observed: HistoryIndex) -> Iterator[Violation]:
    """A context that was cleaned up with its user does no more work."""
    spans = observed.spans.values()
    opened = {
        (span.operation.user, span.operation.context): span.ended
        for span in spans
        if isinstance(span.operation, OpenContext)
    }
    cleanups = [
        span
        for span in spans
        if isinstance(span.operation, CleanupUser) and span.outcome == "returned"
    ]
    for span in spans:
        work = span.operation
        if not isinstance(work, RunAgent | Write) or span.outcome != "returned":
            continue
        for cleanup in cleanups:
            since = opened.get((work.user, work.context), len(observed.entries))
            mine = cleanup.operation.user == work.user
            if mine and since < cleanup.started and cleanup.ended < span.started:
                yield _violation(
                    "served-after-cleanup",
                    span.ended,
                    work.user,
                    let=(f"context {work.context} be cleaned up with its user",),
                    then="it does no more work",
                    however=f"operation {work.id} was carried out in it",
                )
                break


def _given(
    observed: HistoryIndex, user: int | None, torn_down: bool
) -> tuple[tuple[str, ...], str]:
    if torn_down:
        return ("the engine be shut down",), "nothing of it is alive"
    name = observed.label(user)
    return (f"{name} be cleaned up",), f"nothing of {name} is alive"


def _violation(
    clause: str,
    index: int,
    user: int | None,
    *,
    let: tuple[str, ...],
    then: str,
    however: str,
    shown: tuple[str, ...] = (),
) -> Violation:
    return Violation(
        claim=_ID,
        clause=clause,
        let=let,
        then=then,
        however=however,
        entry=index,
        users=() if user is None else (user,),
        shown=shown,
    )


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeio' else 'a'} {noun}"


TEARDOWN = Claim(
    id=_ID,
    statement=(
        "After a user's cleanup nothing of the user is alive, after shutdown nothing "
        "at all, and everything asked for has ended."
    ),
    situation="a user for whom the engine had done something was cleaned up",
    clauses={
        "alive-*": (
            "nothing of a user is alive after their cleanup, nothing at all in the end"
        ),
        "gauge-*": "the engine's own gauges read zero then",
        "unhandled": "no exception is left that nobody handles",
        "unfinished": "every operation ends within a bounded time",
        "cleanup-failed": "a cleanup succeeds, however often it is asked for",
        "cleanup-unbounded": "a cleanup takes a bounded time",
        "served-after-cleanup": "a context that was cleaned up does no more work",
    },
    exception=TeardownViolated,
    needs=frozenset(),
    check=_check,
)
