"""Compares the events of one run with the fields that `event_names` declares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isolation_spec.model.event_names import EventNames, fields_of

__all__ = ["find_contradiction", "find_unnamed"]


def find_contradiction(
    names: EventNames, run: str, user: str, received: Sequence[str]
) -> str | None:
    """Returns the first difference from the declaration in words, None if none exists.

    `received` holds the messages on the user's one connection during one of their runs.
    """
    events = [fields_of(text) for text in received]
    if names.run:
        events = [event for event in events if event.get(names.run) == run]
        if not events:
            return f"no message names {run!r} in its field {names.run!r}"
    return (
        _values(events, names.user, [user] * len(events))
        or _values(events, names.number, list(range(1, len(events) + 1)))
        or _type(events[:1], names.type, names.begun, "first")
        or _type(events[-1:], names.type, names.ended, "last")
    )


def _values(events: Sequence[Any], field: str, expected: list[Any]) -> str | None:
    found = [event.get(field) for event in events]
    if not field or found == expected:
        return None
    return f"their fields {field!r} are {found}, not {expected}"


def _type(
    events: Sequence[Any], field: str, types: tuple[str, ...], which: str
) -> str | None:
    found = events[0].get(field) if events else None
    if not types or found in types:
        return None
    return f"the {which} one has the type {found!r}, not {' or '.join(types)}"


def find_unnamed(run: str, user: str, received: Sequence[str]) -> str | None:
    """Returns a hint at undeclared names, None if the default names fit."""
    wrong = find_contradiction(EventNames(), run, user, received)
    if wrong is None:
        return None
    return (
        f"the events are not judged in full, as {wrong}: declare event_names = "
        "EventNames(...), with the names that the engine uses"
    )
