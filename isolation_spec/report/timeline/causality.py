"""The causes and effects in a history, as far as its entries show them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from isolation_spec.model.history.entries import (
    CancellationDelivered,
    ConnectionClosed,
    Entry,
    EventReceived,
    OperationEnded,
    OperationStarted,
    ToolRan,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.history.states import Outcome, ToolMoment
from isolation_spec.model.scenario import (
    CancelRun,
    CleanupEngine,
    CleanupUser,
    Disconnect,
    Operation,
    Reconnect,
    RunAgent,
    Shutdown,
)
from isolation_spec.report.timeline.words import run_of

__all__ = ["causes"]

_MOST_TRIED = 200
"""Operations before an end that are examined; a page shows fewer."""


def causes(history: History) -> Iterator[tuple[int | None, int]]:
    """Yields (cause, effect) as indices of entries; None is the world.

    A run causes the events that name it, and its tools. An operation that ends a run,
    a context, a user, a connection or the engine causes the end of the operations and
    connections in flight there.
    """
    operations = history.operations()
    latest: dict[int, int] = {}
    started: dict[int, int] = {}
    cancelled: set[int] = set()
    for index, entry in enumerate(history.entries):
        number = entry.operation
        match entry:
            case CancellationDelivered():
                cancelled.add(number or 0)
                yield None, index
            case EventReceived():
                run = run_of(entry)
                if run in latest:
                    yield latest[run], index
            case ToolRan(moment=ToolMoment.BEGAN) if number in latest:
                yield latest[number], index
            case OperationEnded() | ConnectionClosed():
                if number not in cancelled or isinstance(entry, ConnectionClosed):
                    ender = _ender(entry, operations, started)
                    if ender is not None:
                        yield started[ender], index
            case OperationStarted() if number is not None:
                started[number] = index
        if number is not None and not isinstance(entry, EventReceived):
            latest[number] = index


def _ender(
    entry: Entry, operations: dict[int, Operation], started: dict[int, int]
) -> int | None:
    """Returns the latest operation that may have caused an end, None if none may."""
    ended = operations.get(entry.operation or -1)
    if isinstance(entry, OperationEnded) and (
        entry.outcome not in (Outcome.CANCELLED, Outcome.FAILED)
        or not isinstance(ended, RunAgent)
    ):
        return None
    since = started.get(entry.operation or -1, -1)
    for number in islice(reversed(started), _MOST_TRIED):
        if started[number] < since:
            return None
        if number != entry.operation and _ends(operations.get(number), ended, entry):
            return number
    return None


def _ends(ender: Operation | None, ended: Operation | None, entry: Entry) -> bool:
    if ender is None:
        return False
    owner = ender.owner
    match ender:
        case Shutdown():
            return True
        case CleanupUser():
            return owner == entry.user
        case CancelRun() if isinstance(ended, RunAgent):
            return ender.run == ended.id
        case CleanupEngine() if isinstance(ended, RunAgent):
            return owner == entry.user and ender.context == ended.context
        case Disconnect() if isinstance(entry, ConnectionClosed):
            return owner == entry.user and ender.connection == entry.connection
        case Reconnect() if isinstance(entry, ConnectionClosed):
            return owner == entry.user and ender.replaces == entry.connection
        case _:
            return False
