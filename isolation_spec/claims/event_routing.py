"""Each event reaches all connections of its owner, once, and no other connection."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any

from isolation_spec.claims.claim import Claim, IsolationViolated, Opportunity, Violation
from isolation_spec.claims.facts import (
    AnyFact,
    EventMissing,
    EventOfForeignRun,
    EventOfForeignUser,
    EventOutOfOrder,
    EventWithForeignValue,
    ForgedTokenAccepted,
    Shown,
    representable,
)
from isolation_spec.claims.history_index import (
    ConnectionSpan,
    Event,
    HistoryIndex,
    OperationSpan,
)
from isolation_spec.contract.capabilities import Capability
from isolation_spec.model.history.entries import (
    ConnectionClosed,
    ConnectionOpened,
    OperationStarted,
)
from isolation_spec.model.history.states import Outcome, StepOutcome
from isolation_spec.model.run_name import named_run, run_name
from isolation_spec.model.scenario import (
    CleanupEngine,
    CleanupUser,
    Connect,
    Disconnect,
    Emit,
    Operation,
    Reconnect,
    RunAgent,
    Shutdown,
    canaries_in,
    walk,
)

__all__ = ["EVENT_ROUTING", "EventRoutingViolated", "attended_runs"]


class EventRoutingViolated(IsolationViolated):
    """An event reached another user, or not, twice or out of order its owner."""


_ID = "event-routing"


def _check(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    for event in observed.events:
        violations = tuple(_misrouted(observed, event))
        yield from violations
        if not violations and _others_connected(observed, event):
            yield Opportunity()
    yield from _unheard(observed)
    yield from _forged(observed)
    yield from _out_of_order(observed)
    yield from _missing(observed)


def _unheard(observed: HistoryIndex) -> Iterator[Opportunity]:
    """Yields an opportunity for each run whose events reached no connection."""
    heard = {event.run for event in observed.events}
    for span in observed.spans.values():
        run = span.operation
        if not isinstance(run, RunAgent) or span.outcome not in (
            Outcome.RETURNED,
            Outcome.FAILED,
        ):
            continue
        if run_name(run.id) not in heard and any(
            link.user != run.user and link.opened < span.ended < link.closed
            for link in observed.accepted_links
        ):
            yield Opportunity()


def _forged(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    """The engine closes a connection with a forged token, which receives no event.

    A client that left by itself may have left before the engine knew it.
    """
    for link in observed.links:
        span = observed.spans.get(link.operation)
        if span is None or not span.operation.forged:
            continue
        heard = any(e.entry.operation == link.operation for e in observed.events)
        closed = observed.entries[min(link.closed, len(observed.entries) - 1)]
        code = closed.code if isinstance(closed, ConnectionClosed) else None
        if not heard and code not in (None, 1000):
            yield Opportunity()
            continue
        if not heard and _left(observed, link):
            continue
        yield Violation(
            claim=_ID,
            clause="forged-token",
            fact=ForgedTokenAccepted(
                user=link.user, connection=_name(observed, link), heard=heard
            ),
            entry=link.opened,
            users=(link.user,),
        )


def _left(observed: HistoryIndex, link: ConnectionSpan) -> bool:
    """True if the user closed the connection, or replaced it."""
    name = _name(observed, link)
    return any(
        span.operation.user == link.user and name == _closed_by(span.operation)
        for span in observed.spans.values()
    )


def _closed_by(operation: Operation) -> str | None:
    """The connection that the operation closes."""
    if isinstance(operation, Reconnect):
        return operation.replaces
    return operation.connection if isinstance(operation, Disconnect) else None


def _others_connected(observed: HistoryIndex, event: Event) -> bool:
    return any(
        link.user != event.entry.user and link.opened < event.index < link.closed
        for link in observed.links
    )


def _misrouted(observed: HistoryIndex, event: Event) -> Iterator[Violation]:
    """The id and the canary must agree: a real fix once hid a leak by overwriting
    ids."""
    user = event.entry.user or 0
    own = observed.history.scenario.users[user].id
    for value, owner in observed.foreign(event.entry.text, user):
        foreign = EventWithForeignValue(
            value=value, owner=owner, reader=user, event=event.label
        )
        yield _violation("foreign-value", event, foreign, owner)
    named = event.user
    owner_by_run = _owner_by_run(observed, event)
    if named is not None and named != own and _is_user(observed, named):
        fact = EventOfForeignUser(
            reader=user, named=Shown(str(named)), event=event.label
        )
        yield _violation("foreign-user", event, fact)
    elif owner_by_run is not None and owner_by_run != user:
        run = EventOfForeignRun(reader=user, owner=owner_by_run, event=event.label)
        yield _violation("foreign-run", event, run, owner_by_run)


def _is_user(observed: HistoryIndex, named: Any) -> bool:
    """True if it surely names a user: an engine may have ids of its own for them."""
    return observed.promised or any(
        named == user.id for user in observed.history.scenario.users
    )


def _owner_by_run(observed: HistoryIndex, event: Event) -> int | None:
    # An id of the engine's own may contain the name of a run; only the start counts.
    run = named_run(event.run) if event.run.startswith("run-") else None
    span = None if run is None else observed.spans.get(run)
    return span.operation.user if span else None


def _out_of_order(observed: HistoryIndex) -> Iterator[Violation]:
    for (_, run), events in observed.events_by_run.items():
        latest = 0
        for event in events:
            number = event.sequence
            if number is None:
                continue
            if number <= latest:
                clause = "twice" if number == latest else "order"
                fact = EventOutOfOrder(
                    reader=event.entry.user or 0,
                    run=Shown(run),
                    latest=representable(latest),
                    number=representable(number),
                )
                yield _violation(clause, event, fact)
            latest = max(latest, number)


def attended_runs(
    observed: HistoryIndex,
) -> Iterator[tuple[OperationSpan, ConnectionSpan]]:
    """Yields (run, connection) where the owner was connected before, while and after.

    Runs that the engine refused, or that overlap a cleanup or shutdown that may end
    them without a word, are left out.
    """
    stops = _stops(observed)
    for span in observed.spans.values():
        run = span.operation
        if not isinstance(run, RunAgent) or span.ended > observed.end:
            continue
        if span.outcome not in (Outcome.RETURNED, Outcome.FAILED, Outcome.CANCELLED):
            continue
        stopped = [at for at, user in stops if user in (None, run.user)]
        if any(at < span.ended for at in stopped):
            continue
        for link in observed.accepted_links:
            at_hand = link.opened < span.started and link.closed > observed.end
            if link.user != run.user or not at_hand or _timed_out(observed, link):
                continue
            if _known(observed, link, span) or (
                not stopped and _is_only_one(observed, link)
            ):
                yield span, link


def _timed_out(observed: HistoryIndex, link: ConnectionSpan) -> bool:
    """True if a stall ended the connection, as nothing answered its keepalive."""
    closed = observed.entries[min(link.closed, len(observed.entries) - 1)]
    lost = isinstance(closed, ConnectionClosed) and closed.code == 1011
    return observed.stalled and lost


def _known(observed: HistoryIndex, link: ConnectionSpan, span: OperationSpan) -> bool:
    """True if the engine surely knew of the connection when the run began.

    The client's handshake ends before an engine has identified the user. An event shows
    that it has, and so does time that passed: without a stall, time passes only when
    nothing is pending.
    """
    if any(
        event.entry.operation == link.operation and event.index < span.started
        for event in observed.events
    ):
        return True
    later = observed.entries[span.started].time > observed.entries[link.opened].time
    return later and not observed.stalled_between(link.opened, span.started)


def _is_only_one(observed: HistoryIndex, link: ConnectionSpan) -> bool:
    """Whether events that are sent early can only wait for this connection."""
    return all(
        number == link.operation
        for number, span in observed.spans.items()
        if isinstance(span.operation, Connect | Reconnect)
        and span.operation.user == link.user
    )


def _stops(observed: HistoryIndex) -> tuple[tuple[int, int | None], ...]:
    """(index, user) of every cleanup of a user, and of a shutdown (user None)."""
    operations = observed.history.operations()
    return tuple(
        (index, entry.user)
        for index, entry in enumerate(observed.entries)
        if isinstance(entry, OperationStarted)
        and entry.operation is not None
        and isinstance(
            operations[entry.operation], CleanupEngine | CleanupUser | Shutdown
        )
    )


def _missing(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    """Every connection that is open for a whole run receives all of its events.

    It receives them before clients that read nothing are made to read.
    """
    for span, link in attended_runs(observed):
        missing = _first_missing(observed, span, link)
        if isinstance(missing, EventMissing):
            yield Violation(
                claim=_ID,
                clause="missing",
                fact=missing,
                entry=span.ended,
                users=(link.user,),
            )
        elif missing is None:
            yield Opportunity()


class _Unknown(enum.Enum):
    """A connection of which the history does not say whether it misses an event."""

    UNKNOWN = enum.auto()


def _first_missing(
    observed: HistoryIndex, span: OperationSpan, link: ConnectionSpan
) -> EventMissing | _Unknown | None:
    """Returns the first event of the run that the connection missed, if any."""

    def missing(number: int | None = None, value: str | None = None) -> EventMissing:
        return EventMissing(
            value=value,
            number=representable(number),
            reader=link.user,
            connection=_name(observed, link),
            operation=span.operation.id,
            ending=Outcome(span.outcome),
        )

    run, due = run_name(span.operation.id), _due(observed, link.user)
    events = observed.events_by_run.get((link.operation, run), [])
    numbers = [e.sequence for e in events if e.index < due]
    known = sorted({number for number in numbers if number is not None})
    if known and observed.counts_in_runs:
        gap = next((n for n, m in enumerate(known, 1) if n != m), None)
        if gap is not None:
            return missing(number=gap)
    elif not numbers and span.outcome != Outcome.CANCELLED and _tells_all(observed):
        return missing()
    values = _emitted(observed, span)
    for value in values:
        if not _received(observed, link, value, due):
            return missing(value=value)
    return None if known or values else _Unknown.UNKNOWN


def _tells_all(observed: HistoryIndex) -> bool:
    """Whether the engine surely sends an event for the start of each run."""
    names = observed.names
    return observed.promised or not observed.types.isdisjoint(names.begun)


def _emitted(observed: HistoryIndex, span: OperationSpan) -> tuple[str, ...]:
    """Returns the values that the agent surely emitted in an uncancelled run."""
    if not isinstance(span.operation, RunAgent) or span.outcome == Outcome.CANCELLED:
        return ()
    steps = observed.steps.get(span.operation.id, {})
    return tuple(
        value
        for path, step in walk(span.operation.script)
        if isinstance(step, Emit)
        and path in steps
        and steps[path][1].outcome == StepOutcome.OK
        for _, value in canaries_in(step.payload)
    )


def _due(observed: HistoryIndex, user: int) -> int:
    """Returns the index before which the user's events must come.

    A connection whose client reads nothing may delay the other connections of its user.
    """
    unread = any(
        isinstance(span.operation, Connect)
        and span.operation.unread
        and span.operation.user == user
        for span in observed.spans.values()
    )
    return len(observed.entries) if unread else observed.end


def _received(
    observed: HistoryIndex, link: ConnectionSpan, value: str, due: int
) -> bool:
    return any(
        event.entry.operation == link.operation
        and event.index < due
        and value in event.entry.text
        for event in observed.events
    )


def _name(observed: HistoryIndex, link: ConnectionSpan) -> str:
    opened = observed.entries[link.opened]
    return opened.connection if isinstance(opened, ConnectionOpened) else "?"


def _violation(clause: str, event: Event, fact: AnyFact, *owners: int) -> Violation:
    return Violation(
        claim=_ID,
        clause=clause,
        fact=fact,
        entry=event.index,
        users=(event.entry.user or 0, *owners),
    )


EVENT_ROUTING = Claim(
    id=_ID,
    statement=(
        "Each event reaches its owner's connections, all of them, exactly once and in "
        "order, and nobody else's."
    ),
    situation="an event was sent while another user was connected",
    clauses={
        "foreign-value": "no connection receives a value of another user",
        "foreign-user": "no connection receives an event that names another user",
        "foreign-run": "no connection receives an event of another user's run",
        "forged-token": (
            "a connection with a forged token is closed and receives no event"
        ),
        "twice": "no event reaches a connection twice",
        "order": "the events of a run reach a connection in their order",
        "missing": (
            "a connection that is there for a whole run receives all of its events"
        ),
    },
    exception=EventRoutingViolated,
    needs=frozenset({Capability.CONNECTIONS}),
    check=_check,
)
