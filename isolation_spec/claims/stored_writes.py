"""Acknowledged writes are stored, erased rows stay away, and no other user changes
either."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from isolation_spec.claims.claim import Claim, IsolationViolated, Opportunity, Violation
from isolation_spec.claims.facts import (
    AliasedObject,
    ForeignRow,
    Shown,
    WriteCameBack,
    WriteLost,
    WriteUnseen,
)
from isolation_spec.claims.history_index import HistoryIndex, OperationSpan
from isolation_spec.contract.capabilities import Capability
from isolation_spec.model.history.entries import OperationEnded, RowStored
from isolation_spec.model.history.states import Outcome, StepOutcome
from isolation_spec.model.scenario import (
    Erase,
    Mutate,
    Read,
    Recall,
    Remember,
    RunAgent,
    Step,
    Transact,
    UserOperation,
    Write,
    walk,
)

__all__ = ["STORED_WRITES", "StoredWritesViolated"]


class StoredWritesViolated(IsolationViolated):
    """A write was lost, came back, or was changed by another user."""


_ID = "stored-writes"
Place = tuple[int, str, str]
"""(user, thread, key)."""


@dataclass(frozen=True, slots=True)
class _Written:
    """One write of a value, between two indices of entries."""

    place: Place
    value: str
    operation: int
    started: int
    ended: int
    acknowledged: bool


def _check(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    written = _written(observed)
    stored = _stored(observed)
    erased = _erased(observed)
    yield from _foreign_rows(observed)
    by_place: dict[Place, list[_Written]] = {}
    for one in written:
        by_place.setdefault(one.place, []).append(one)
    for place, writes in by_place.items():
        erasures = [span for span, thread in erased if (place[0], place[1]) == thread]
        found = list(_misplaced(observed, place, writes, stored.get(place), erasures))
        yield from found
        acknowledged = sum(one.acknowledged for one in writes)
        if not found and acknowledged and _crowded(written, erased, place[0]):
            yield Opportunity(acknowledged)
        yield from _unseen(observed, place, writes, erasures)
    yield from _aliased(observed)


def _crowded(
    written: list[_Written],
    erased: list[tuple[OperationSpan, tuple[int, str]]],
    user: int,
) -> bool:
    """Whether another user wrote or erased, and could have interfered."""
    owners = {one.place[0] for one in written} | {owner for _, (owner, _) in erased}
    return bool(owners - {user})


# Writes and erasures


def _written(observed: HistoryIndex) -> list[_Written]:
    found: list[_Written] = []
    for span in observed.spans.values():
        operation = span.operation
        if isinstance(operation, Write):
            place = _place(observed, operation, operation.key)
            if place is not None:
                found.append(_of_operation(span, place, operation.value))
        elif isinstance(operation, RunAgent):
            found.extend(_of_run(observed, span, operation))
    return found


def _place(
    observed: HistoryIndex, operation: Write | RunAgent | Erase, key: str
) -> Place | None:
    """Returns the place that an operation may write for its user.

    An engine may take an intruder's request as their own on a thread of that name.
    """
    owner = operation.user if operation.victim is None else operation.victim
    thread = observed.threads.get((owner, operation.context))
    return None if thread is None else (operation.user, thread, key)


def _of_operation(span: OperationSpan, place: Place, value: str) -> _Written:
    return _Written(
        place,
        value,
        span.operation.id,
        span.started,
        span.ended,
        span.outcome == Outcome.RETURNED and not _intrudes(span.operation),
    )


def _intrudes(operation: UserOperation) -> bool:
    return operation.victim is not None


def _of_run(
    observed: HistoryIndex, span: OperationSpan, run: RunAgent
) -> Iterator[_Written]:
    steps = observed.steps.get(run.id, {})
    for path, step in walk(run.script):
        entry = steps.get(path)
        if entry is None:
            if span.outcome == Outcome.UNAVAILABLE:
                continue
            started, ended, acknowledged = span.started, span.ended, False
        else:
            index, said = entry
            started, ended = span.started, index
            acknowledged = said.outcome == StepOutcome.OK and not _intrudes(run)
        for key, value in _items(step):
            place = _place(observed, run, key)
            if place is not None:
                yield _Written(place, value, run.id, started, ended, acknowledged)


def _items(step: Step) -> tuple[tuple[str, str], ...]:
    if isinstance(step, Remember):
        return ((step.key, step.value),)
    return step.items if isinstance(step, Transact) else ()


def _erased(observed: HistoryIndex) -> list[tuple[OperationSpan, tuple[int, str]]]:
    found = []
    for span in observed.spans.values():
        if isinstance(span.operation, Erase):
            # An intruder's own rows may go, if the engine takes it as theirs.
            place = _place(observed, span.operation, "")
            if place is not None and span.outcome != Outcome.UNAVAILABLE:
                found.append((span, place[:2]))
    return found


# Rows of the independent observer


def _stored(observed: HistoryIndex) -> dict[Place, tuple[int, str]]:
    users = {user.id: i for i, user in enumerate(observed.history.scenario.users)}
    return {
        (users[entry.owner], entry.thread, entry.key): (index, entry.value)
        for index, entry in enumerate(observed.entries)
        if isinstance(entry, RowStored) and entry.owner in users
    }


def _foreign_rows(observed: HistoryIndex) -> Iterator[Violation]:
    users = {user.id: i for i, user in enumerate(observed.history.scenario.users)}
    for index, entry in enumerate(observed.entries):
        if not isinstance(entry, RowStored):
            continue
        user = users.get(entry.owner)
        for value, writer in observed.foreign(entry.value, user):
            yield Violation(
                claim=_ID,
                clause="foreign-row",
                fact=ForeignRow(
                    value=value,
                    writer=writer,
                    user=user,
                    owner=Shown(entry.owner),
                    key=Shown(entry.key),
                    thread=Shown(entry.thread),
                ),
                entry=index,
                users=(writer,) if user is None else (user, writer),
            )


def _misplaced(
    observed: HistoryIndex,
    place: Place,
    writes: list[_Written],
    stored: tuple[int, str] | None,
    erasures: list[OperationSpan],
) -> Iterator[Violation]:
    """Judges the final value of one place against all writes to it."""
    end = len(observed.entries) - 1
    if stored is None:
        sure = [one for one in writes if _stays(one, erasures)]
        if sure:
            yield _lost(sure[0], end, held=None)
        return
    index, value = stored
    holder = next((one for one in writes if one.value == value), None)
    if holder is None:
        return
    for span in erasures:
        if _sure(span) and holder.ended < span.started:
            yield _resurrected(holder, span, index)
            return
    for later in writes:
        if later.acknowledged and later.started > holder.ended:
            yield _lost(later, index, held=holder.value)
            return


def _stays(one: _Written, erasures: list[OperationSpan]) -> bool:
    """True if it was acknowledged, and each erasure was over before it began: one that
    was broken off may still be at work."""
    return one.acknowledged and all(
        span.outcome == Outcome.RETURNED and span.ended < one.started
        for span in erasures
    )


def _sure(erasure: OperationSpan) -> bool:
    return erasure.outcome == Outcome.RETURNED and not _intrudes(erasure.operation)


def _lost(one: _Written, index: int, *, held: str | None) -> Violation:
    user, thread, key = one.place
    return Violation(
        claim=_ID,
        clause="lost",
        fact=WriteLost(
            held=held,
            value=one.value,
            user=user,
            operation=one.operation,
            key=key,
            thread=thread,
        ),
        entry=index,
        users=(user,),
    )


def _resurrected(one: _Written, erased: OperationSpan, index: int) -> Violation:
    user, thread, key = one.place
    return Violation(
        claim=_ID,
        clause="came-back",
        fact=WriteCameBack(
            value=one.value,
            user=user,
            operation=one.operation,
            key=key,
            thread=thread,
            erasure=erased.operation.id,
        ),
        entry=index,
        users=(user,),
    )


# Reads


def _unseen(
    observed: HistoryIndex,
    place: Place,
    writes: list[_Written],
    erasures: list[OperationSpan],
) -> Iterator[Opportunity | Violation]:
    """A value that its owner wrote once, and that no erasure followed, is in each later
    read."""
    if len(writes) != 1 or not _stays(writes[0], erasures):
        return
    (one,) = writes
    for index, operation, text in _reads(observed, place, one.ended):
        if one.value in text:
            yield Opportunity()
            continue
        yield Violation(
            claim=_ID,
            clause="unseen",
            fact=WriteUnseen(
                value=one.value,
                user=place[0],
                operation=one.operation,
                key=place[2],
                thread=place[1],
                reading=operation,
            ),
            entry=index,
            users=(place[0],),
        )


def _reads(
    observed: HistoryIndex, place: Place, after: int
) -> Iterator[tuple[int, int, str]]:
    """Yields (entry, operation, text) of reads of the place that began later."""
    user, thread, key = place
    for span in observed.spans.values():
        operation = span.operation
        if operation.user != user or span.started <= after:
            continue
        if not isinstance(operation, Read | RunAgent):
            continue
        if observed.threads.get((user, operation.context)) != thread:
            continue
        if isinstance(operation, Read):
            ended = observed.entries[min(span.ended, len(observed.entries) - 1)]
            if span.outcome == Outcome.RETURNED and isinstance(ended, OperationEnded):
                yield span.ended, operation.id, ended.value
            continue
        steps = observed.steps.get(operation.id, {})
        for path, step in walk(operation.script):
            said = steps.get(path)
            if isinstance(step, Recall) and step.key == key and said is not None:
                index, entry = said
                if entry.outcome == StepOutcome.OK:
                    yield index, operation.id, entry.seen


def _aliased(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    """A user's mutation of an object that they were given changes nothing stored."""
    for span in observed.spans.values():
        operation = span.operation
        if not isinstance(operation, Mutate) or span.outcome != Outcome.RETURNED:
            continue
        ended = observed.entries[span.ended]
        assert isinstance(ended, OperationEnded)
        if operation.value not in ended.value:
            yield Opportunity()
            continue
        yield Violation(
            claim=_ID,
            clause="aliased",
            fact=AliasedObject(value=operation.value, user=operation.user),
            entry=span.ended,
            users=(operation.user,),
        )


STORED_WRITES = Claim(
    id=_ID,
    statement=(
        "What was acknowledged is stored and seen by its owner, what was erased never "
        "comes back, and nobody else changes it."
    ),
    situation=(
        "a user's acknowledged write shared the database with writes or erasures of "
        "another user"
    ),
    clauses={
        "lost": "what was acknowledged is stored until its owner erases or replaces it",
        "came-back": "what was erased never comes back",
        "unseen": "each later read of a place shows what was acknowledged there",
        "foreign-row": "no row of a user holds what another wrote",
        "aliased": (
            "writing into what was handed out or in changes nothing that is stored"
        ),
    },
    exception=StoredWritesViolated,
    needs=frozenset({Capability.MEMORY}),
    check=_check,
    on_values=True,
)
