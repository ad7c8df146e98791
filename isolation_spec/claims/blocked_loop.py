"""Finds callbacks that hold the loop under the operations of other users."""

from __future__ import annotations

from collections.abc import Iterator

from isolation_spec.claims.facts import LoopHeld
from isolation_spec.claims.history_index import HistoryIndex, OperationSpan
from isolation_spec.model.history.entries import LoopBlocked

__all__ = ["held_loops"]

_ALLOWED = 0.1
"""Virtual seconds that the waits of one callback may take in all: `asyncio` in debug
mode calls a callback slow from this figure on."""


def held_loops(observed: HistoryIndex) -> Iterator[tuple[int, LoopHeld]]:
    """Yields (entry, fact) for each callback that waits for 0.1 s or more.

    That a user's callback waits in their solo run, too, is no excuse: alone, there is
    no other user to harm.
    """
    held: dict[int, float] = {}
    for index, entry in enumerate(observed.entries):
        if not isinstance(entry, LoopBlocked):
            continue
        before = held.get(entry.callback, 0.0)
        now = before + (float("inf") if entry.seconds is None else entry.seconds)
        held[entry.callback] = now
        harmed = _in_flight(observed, index, entry.user)
        if before < _ALLOWED <= now and harmed is not None:
            yield index, _fact(entry, harmed, now)


def _in_flight(
    observed: HistoryIndex, index: int, blocking: int | None
) -> OperationSpan | None:
    """The first operation of another user that is under way at an entry."""
    for span in observed.spans.values():
        if span.started < index < span.ended and span.operation.user != blocking:
            return span
    return None


def _fact(entry: LoopBlocked, harmed: OperationSpan, seconds: float) -> LoopHeld:
    return LoopHeld(
        user=harmed.operation.user,
        operation=harmed.operation.id,
        blocking=entry.operation,
        call=entry.call,
        place=entry.place,
        seconds=None if entry.seconds is None else seconds,
    )
