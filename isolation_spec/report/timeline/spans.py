"""What lasts in a history: operations, connections, database sessions and tools."""

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
    """What an entry is drawn on: a tool has a track of its own, all else shares the
    one of its operation."""
    if isinstance(entry, ToolRan):
        return entry.operation, entry.tool, entry.argument
    return entry.operation


def spans(entries: Sequence[Entry]) -> tuple[Span, ...]:
    """Everything that lasts, in the order in which it begins; what never ends lasts
    until after the last entry."""
    found: list[Span] = []
    under_way: dict[object, int] = {}
    for index, entry in enumerate(entries):
        (kind, key), moment, outcome = _moment(entry)
        at = under_way.get((kind, key))
        if moment == "begin" or (moment == "on" and at is None):
            under_way[kind, key] = len(found)
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
            del under_way[kind, key]
    return tuple(found)


def _moment(entry: Entry) -> tuple[tuple[str, object], str, str]:
    """(what lasts, whether it begins, goes on or ends here, and how)."""
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
            ends = entry.move == "closed"
            return ("database", entry.session), "end" if ends else "on", entry.move
        case ToolRan():
            moment = {"began": "begin", "ended": "end"}.get(entry.moment, "")
            return ("tool", bar_of(entry)), moment, ""
        case _:
            return ("", None), "", ""


def lasting(found: Iterable[Span]) -> dict[object, Span]:
    """Key -> one span over all that is drawn on the same track."""
    whole: dict[object, Span] = {}
    for span in found:
        known = whole.get(span.key, span)
        end = max(known.end, span.end)
        whole[span.key] = msgspec.structs.replace(known, end=end)
    return whole
