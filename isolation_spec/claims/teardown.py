"""After cleanup nothing of the user is alive; after shutdown nothing at all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import msgspec

from isolation_spec.claims.claim import (
    Claim,
    ControlRuns,
    IsolationViolated,
    Opportunity,
    Ruling,
    Violation,
)
from isolation_spec.claims.facts import (
    AnyFact,
    CleanupCancelled,
    CleanupFailed,
    CleanupTooLong,
    ExceptionNotHandled,
    GaugeNotZero,
    OperationUnfinished,
    ResourceLeftAlive,
    ServedAfterCleanup,
    Shown,
)
from isolation_spec.claims.history_index import HistoryIndex
from isolation_spec.model.history.entries import (
    ExceptionUnhandled,
    GaugeRead,
    OperationEnded,
    PhaseStarted,
    ResourceAlive,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.history.states import Outcome, Phase
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
            torn_down = torn_down or entry.phase == Phase.TEARDOWN
            continue
        violation = _outlived(index, entry, torn_down)
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
    """Whether the engine did something for a user, which a cleanup must end."""
    return (
        isinstance(entry, OperationEnded)
        and entry.user is not None
        and entry.outcome in (Outcome.RETURNED, Outcome.FAILED, Outcome.CANCELLED)
    )


_NAMED_BY_ENGINE = ("thread", "file descriptor")


def _outlived(index: int, entry: object, torn_down: bool) -> Violation | None:
    if isinstance(entry, ResourceAlive):
        # Tasks, timers and generators are called by the name of their code.
        named = entry.kind in _NAMED_BY_ENGINE
        return _violation(
            f"alive-{entry.kind.replace(' ', '-')}",
            index,
            entry.user,
            ResourceLeftAlive(
                user=entry.user,
                shut_down=torn_down,
                kind=entry.kind,
                name=Shown(entry.what) if named else entry.what,
            ),
        )
    if isinstance(entry, GaugeRead) and entry.value:
        return _violation(
            f"gauge-{entry.gauge}",
            index,
            entry.user,
            GaugeNotZero(
                user=entry.user,
                shut_down=torn_down,
                gauge=entry.gauge,
                value=entry.value if math.isfinite(entry.value) else None,
            ),
        )
    if isinstance(entry, ExceptionUnhandled):
        return _violation(
            "unhandled",
            index,
            entry.user,
            ExceptionNotHandled(message=Shown(entry.message)),
        )
    if not isinstance(entry, OperationEnded) or entry.user is None:
        return None
    if entry.outcome == Outcome.UNFINISHED:
        return _violation(
            "unfinished",
            index,
            entry.user,
            OperationUnfinished(operation=entry.operation or 0, waits=entry.error),
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
        fact: AnyFact
        if span.outcome == Outcome.FAILED and isinstance(entry, OperationEnded):
            error = Shown(entry.error)
            clause = "cleanup-failed"
            fact = CleanupFailed(operation=operation.id, allowed=_LONGEST, error=error)
        elif span.outcome == Outcome.CANCELLED and not _cancels(observed):
            clause = "cleanup-failed"
            fact = CleanupCancelled(operation=operation.id, allowed=_LONGEST)
        elif took > _LONGEST:
            clause = "cleanup-unbounded"
            fact = CleanupTooLong(operation=operation.id, allowed=_LONGEST, took=took)
        else:
            continue
        yield _violation(clause, span.ended, operation.user, fact)


def _cancels(observed: HistoryIndex) -> bool:
    """Whether some operation of the scenario may cancel a cleanup."""
    return any(
        isinstance(operation, CancelRun | Shutdown) or operation.cancel is not None
        for operation in observed.history.scenario.operations
    )


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
        if isinstance(span.operation, CleanupUser) and span.outcome == Outcome.RETURNED
    ]
    for span in spans:
        work = span.operation
        if not isinstance(work, RunAgent | Write) or span.outcome != Outcome.RETURNED:
            continue
        for cleanup in cleanups:
            since = opened.get((work.user, work.context), len(observed.entries))
            mine = cleanup.operation.user == work.user
            if mine and since < cleanup.started and cleanup.ended < span.started:
                yield _violation(
                    "served-after-cleanup",
                    span.ended,
                    work.user,
                    ServedAfterCleanup(context=work.context, operation=work.id),
                )
                break


_SLEEP = "_set_result_unless_cancelled"
"""The timer of a sleep, which ends with the task that sleeps: at the moment between two
sleeps there is a task without a timer, so the tasks are counted."""
_ANY = Shown("")
_FURTHER = (1, 2, 4)
"""Further users who do as the suspect did."""


def _review(
    observed: HistoryIndex, violation: Violation, controls: ControlRuns
) -> Ruling:
    """Excuses a resource of the server's own, which the first request for it starts.

    A leak grows with each further user; the server has as many as before.
    """
    fact = violation.fact
    if not isinstance(fact, ResourceLeftAlive) or fact.shut_down or fact.user is None:
        return Ruling.STANDS
    name = fact.name.text if isinstance(fact.name, Shown) else fact.name
    before = _count_alike(observed.history, fact)
    if before <= controls.constants.get((fact.kind, name), 0):
        return Ruling.HOLDS
    further = (controls.with_further_users(fact.user, count) for count in _FURTHER)
    counts = [before, *(_count_alike(one, fact) for one in further)]
    if len(set(counts)) == 1:
        controls.constants[fact.kind, name] = before
        return Ruling.HOLDS
    grows = all(one < other for one, other in itertools.pairwise(counts))
    return Ruling.STANDS if grows else Ruling.UNSETTLED


def _count_alike(history: History, fact: ResourceLeftAlive) -> int:
    """The resources of the kind, and of the same code, that outlived the cleanups."""
    if fact.name == _SLEEP:
        fact = msgspec.structs.replace(fact, kind="task", name=_ANY)
    count = 0
    for entry in history.entries:
        if isinstance(entry, PhaseStarted) and entry.phase == Phase.TEARDOWN:
            break
        if isinstance(entry, ResourceAlive) and entry.kind == fact.kind:
            # The name of a connection or a thread is a number, or one of each user.
            count += isinstance(fact.name, Shown) or entry.what == fact.name
    return count


def _violation(clause: str, index: int, user: int | None, fact: AnyFact) -> Violation:
    return Violation(
        claim=_ID,
        clause=clause,
        fact=fact,
        entry=index,
        users=() if user is None else (user,),
    )


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
        "unhandled": "no exception reaches the event loop's exception handler",
        "unfinished": "every operation ends within a bounded time",
        "cleanup-failed": "a cleanup succeeds, however often it is called",
        "cleanup-unbounded": "a cleanup takes a bounded time",
        "served-after-cleanup": "a context that was cleaned up does no more work",
    },
    exception=TeardownViolated,
    needs=frozenset(),
    check=_check,
    review=_review,
)
