"""The names by which an engine's events give their run, user, type and number."""

from __future__ import annotations

import json
from typing import Any

import msgspec

__all__ = ["EventNames", "fields_of"]


class EventNames(msgspec.Struct, frozen=True, kw_only=True):
    """The fields and types of an engine's events, which are JSON objects.

    An adapter that declares them promises that every event of a run names all of this;
    a field that its engine does not send is "" or ().

    Attributes:
        run: the field with the id of the run, as the engine was given it: `run-3`.
        user: the field with the id of the user whose event it is.
        type: the field with the type of the event.
        number: the field with the number of the event, counted from 1 in each run.
        begun: the types with which a run begins.
        ended: the types of which one, and one alone, ends a run.
        tool_begun: the types that say that a tool call begins.
        tool_ended: the types that say that one has ended; each ends one.
    """

    run: str = "run_id"
    user: str = "user_id"
    type: str = "type"
    number: str = "sequence"
    begun: tuple[str, ...] = ("agent_started",)
    ended: tuple[str, ...] = ("agent_completed", "agent_error", "agent_cancelled")
    tool_begun: tuple[str, ...] = ("tool_executing",)
    tool_ended: tuple[str, ...] = ("tool_completed",)


def fields_of(text: str) -> dict[str, Any]:
    """The fields of a message; {} for a message that is no JSON object."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
