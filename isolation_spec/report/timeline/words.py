"""Texts of a page, cut at their canaries."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from isolation_spec.model.event_names import fields_of
from isolation_spec.model.history.entries import Entry, EventReceived
from isolation_spec.model.run_name import named_run
from isolation_spec.model.scenario import CANARY, canaries_in

__all__ = [
    "Part",
    "kind_of",
    "parts_of",
    "run_of",
]

_LONGEST = 160


class Part(msgspec.Struct, frozen=True):
    """A piece of text; `canary` names its owner, and `strong` marks a foreign one."""

    text: str
    canary: str = ""
    strong: bool = False


def parts_of(
    text: str, viewer: str | None, values: Collection[str] = ()
) -> tuple[Part, ...]:
    """Splits a text at its canaries, and marks these values and foreign ones as strong.

    Long parts are shortened to fit a screen.
    """
    owners = {value: owner for owner, value in canaries_in(text)}
    parts: list[Part] = []
    end = 0
    for match in CANARY.finditer(text):
        owner = owners.get(match.group())
        if owner is None:
            continue
        parts += _plain(text[end : match.start()])
        strange = viewer is not None and owner != viewer
        strong = match.group() in values or strange
        parts.append(Part(match.group(), owner, strong))
        end = match.end()
    return (*parts, *_plain(text[end:]))


def _plain(text: str) -> list[Part]:
    if len(text) > _LONGEST:
        half = _LONGEST // 2
        text = f"{text[:half]} … {text[-half:]}"
    return [Part(text)] if text else []


def kind_of(entry: Entry) -> str:
    """Returns the stable name of an entry's kind."""
    return str(type(entry).__struct_config__.tag)


def run_of(entry: Entry) -> int | None:
    """Returns the operation whose run an event names, None without a name."""
    if not isinstance(entry, EventReceived):
        return None
    return named_run(str(fields_of(entry.text).get("run_id", entry.text)))
