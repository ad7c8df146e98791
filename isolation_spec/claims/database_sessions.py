"""A database session has one owner, ends, and leaves nothing of failed work."""

from __future__ import annotations

from collections.abc import Iterator

from isolation_spec.claims.claim import Claim, IsolationViolated, Opportunity, Violation
from isolation_spec.claims.facts import (
    SessionNeverClosed,
    SessionOfTwoUsers,
    TransactionKept,
)
from isolation_spec.claims.history_index import HistoryIndex
from isolation_spec.contract.capabilities import Capability
from isolation_spec.model.history.entries import AgentStepped, RowStored, SessionMoved
from isolation_spec.model.history.states import SessionMove, StepOutcome
from isolation_spec.model.scenario import (
    Erase,
    Remember,
    RunAgent,
    Step,
    Transact,
    Write,
    walk,
)

__all__ = ["DATABASE_SESSIONS", "DatabaseSessionsViolated"]


class DatabaseSessionsViolated(IsolationViolated):
    """A session served two users, never ended, or kept the rows of failed work."""


_ID = "database-sessions"


def _check(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    yield from _shared_or_open(observed)
    yield from _kept_after_failure(observed)


def _shared_or_open(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    """A session is a situation if another user's session was open at the same time."""
    owners: dict[int, int] = {}
    open_sessions: dict[int, int] = {}
    crowded: set[int] = set()
    shared: set[int] = set()
    for index, entry in enumerate(observed.entries):
        if not isinstance(entry, SessionMoved) or entry.user is None:
            continue
        number, user = entry.session, entry.user
        owner = owners.setdefault(number, user)
        if owner != user and number not in shared:
            shared.add(number)
            yield _shared(index, number, owner, user)
        if entry.move == SessionMove.BEGAN:
            open_sessions[number] = index
            if any(owners[other] != user for other in open_sessions):
                crowded.update(open_sessions)
        elif entry.move == SessionMove.CLOSED:
            open_sessions.pop(number, None)
    for number, index in open_sessions.items():
        yield Violation(
            claim=_ID,
            clause="never-closed",
            fact=SessionNeverClosed(session=number, user=owners[number]),
            entry=index,
            users=(owners[number],),
        )
    if times := len(crowded - shared):
        yield Opportunity(times)


def _shared(index: int, number: int, owner: int, user: int) -> Violation:
    return Violation(
        claim=_ID,
        clause="two-owners",
        fact=SessionOfTwoUsers(session=number, owner=owner, user=user),
        entry=index,
        users=(user, owner),
    )


def _kept_after_failure(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    """A transaction that raised left no row; one that was cut short left all or
    none."""
    stored = {e.value for e in observed.entries if isinstance(e, RowStored)}
    last = len(observed.entries) - 1
    for operation, step, ended in _transactions(observed):
        kept = [value for _, value in step.items if value in stored]
        if step.fails and ended is not None:
            if kept:
                yield _kept(operation, kept, last, cancelled=False)
            else:
                yield Opportunity()
        elif (
            0 < len(kept) < len(step.items)
            and ended is None
            and _written_once(observed, step)
        ):
            yield _kept(operation, kept, last, cancelled=True)


def _written_once(observed: HistoryIndex, step: Transact) -> bool:
    """False if a row of the transaction may have been overwritten or erased since."""
    keys = {key for key, _ in step.items}
    if len(keys) < len(step.items):
        return False
    for other in observed.history.user_operations().values():
        if isinstance(other, Erase):
            return False
        for _, found in walk(other.script):
            if found is not step and keys & _written_by(found):
                return False
        if isinstance(other, Write) and other.key in keys:
            return False
    return True


def _written_by(step: Step) -> set[str]:
    if isinstance(step, Transact):
        return {key for key, _ in step.items}
    return {step.key} if isinstance(step, Remember) else set()


def _kept(
    operation: RunAgent, kept: list[str], index: int, *, cancelled: bool
) -> Violation:
    return Violation(
        claim=_ID,
        clause="not-rolled-back",
        fact=TransactionKept(
            values=tuple(kept),
            user=operation.user,
            operation=operation.id,
            cancelled=cancelled,
        ),
        entry=index,
        users=(operation.user,),
    )


def _transactions(
    observed: HistoryIndex,
) -> Iterator[tuple[RunAgent, Transact, AgentStepped | None]]:
    """Yields (run, step, how it ended); None if cancelled in the middle of it."""
    ended = {
        (entry.operation, entry.path): entry
        for entry in observed.entries
        if isinstance(entry, AgentStepped) and entry.step == "transact"
    }
    for span in observed.spans.values():
        operation = span.operation
        if not isinstance(operation, RunAgent):
            continue
        for path, step in walk(operation.script):
            entry = ended.get((operation.id, path))
            if isinstance(step, Transact) and entry is not None:
                cut_short = entry.outcome in (
                    StepOutcome.CANCELLED,
                    StepOutcome.REFUSED,
                )
                yield operation, step, None if cut_short else entry


DATABASE_SESSIONS = Claim(
    id=_ID,
    statement=(
        "Each database session has one owner, is closed, and is rolled back when its "
        "work fails or is cancelled."
    ),
    situation="sessions of two users were open at once, or a transaction raised",
    clauses={
        "two-owners": "a database session serves one user",
        "never-closed": "a database session is closed before the engine is shut down",
        "not-rolled-back": (
            "of a transaction that raised or was cut short nothing is stored"
        ),
    },
    exception=DatabaseSessionsViolated,
    needs=frozenset({Capability.TRANSACTIONS}),
    check=_check,
)
