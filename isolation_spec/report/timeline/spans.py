"""The time spans of a history: operations, connections, sessions and tools."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from isolation_spec.model.history.entries import (
    ConnectionClosed,
    ConnectionOpened,
    Entry,
    OperationEnded,
    OperationStarted,
    SessionMoved,
    ToolRan,
)
from isolation_spec.model.history.states import SessionMove

__all__ = ["Span", "bar_of", "lasting", "spans"]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """From one entry to another; `key` names the track on which it is drawn."""

    kind: str
    key: object
    user: int | None
    operation: int | None
    begin: int
    end: int
    outcome: str = ""


def bar_of(entry: Entry) -> object:
    """Returns the key of the bar of an entry: a tool has its own, and every other
    entry is drawn on the bar of its operation."""
    if isinstance(entry, ToolRan):
        return entry.operation, entry.tool, entry.argument
    return entry.operation


def spans(entries: Sequence[Entry]) -> tuple[Span, ...]:
    """Returns the spans in the order of their beginnings; a span without an end lasts
    until after the last entry."""
    found: list[Span] = []
    in_flight: dict[object, int] = {}
    for index, entry in enumerate(entries):
        (kind, key), moment, outcome = _moment(entry)
        at = in_flight.get((kind, key))
        if moment == "begin" or (moment == "on" and at is None):
            in_flight[kind, key] = len(found)
            found.append(
                Span(
                    kind=kind,
                    key=bar_of(entry),
                    user=entry.user,
                    operation=entry.operation,
                    begin=index,
                    end=len(entries),
                )
            )
        elif moment == "end" and at is not None:
            ended = msgspec.structs.replace(found[at], end=index, outcome=outcome)
            found[at] = ended
            del in_flight[kind, key]
    return tuple(found)


def _moment(entry: Entry) -> tuple[tuple[str, object], str, str]:
    """Returns the kind and key of the span, the moment in it, and the outcome."""
    match entry:
        case OperationStarted():
            return ("operation", entry.operation), "begin", ""
        case OperationEnded():
            return ("operation", entry.operation), "end", entry.outcome
        case ConnectionOpened():
            return ("connection", entry.operation), "begin", ""
        case ConnectionClosed():
            return ("connection", entry.operation), "end", ""
        case SessionMoved():
            ends = entry.move == SessionMove.CLOSED
            return ("database", entry.session), "end" if ends else "on", entry.move
        case ToolRan():
            moment = {"began": "begin", "ended": "end"}.get(entry.moment, "")
            return ("tool", bar_of(entry)), moment, ""
        case _:
            return ("", None), "", ""


def lasting(found: Iterable[Span]) -> dict[object, Span]:
    """Returns one span for each key, over all spans with that key."""
    whole: dict[object, Span] = {}
    for span in found:
        known = whole.get(span.key, span)
        end = max(known.end, span.end)
        whole[span.key] = msgspec.structs.replace(known, end=end)
    return whole
