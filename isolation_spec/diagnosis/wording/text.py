"""Excerpts of text that fit a terminal."""

from __future__ import annotations

import re
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from isolation_spec.model.scenario import CANARY, canary
from isolation_spec.model.scenario.chain import number_in

__all__ = [
    "Phrase",
    "excerpt",
    "legible",
    "printable",
    "strip_canary_digests",
]


def printable(text: str) -> str:
    """Returns the text with escaped control characters, which steer terminals."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class Phrase(NamedTuple):
    """A text in two parts: its verb, and the detail that an excerpt may leave out."""

    lead: str
    detail: str = ""

    def __str__(self) -> str:
        return self.lead + self.detail


_LEAST = 8


def excerpt(phrase: Phrase, place: int, room: int, *, prefix: str = "") -> str:
    """Returns as much of a phrase as there is room for, around a place in it.

    The prefix remains, and so does the lead unless it takes too much of the room. The
    place counts from the beginning of the prefix.
    """
    text = f"{prefix}{phrase}"
    if cell_len(text) <= room:
        return text
    keep, lead = len(prefix), len(prefix) + len(phrase.lead)
    keep = lead if lead <= room * 2 // 3 else keep
    if place > keep and place + _LEAST > room - len(_GAP):
        begin = max(place - max(room - keep, 0) // 3, keep)
        # From a whole word on, if there is one before the place.
        blank = text.find(" ", begin, place)
        text = f"{text[:keep]}{_GAP}{text[blank + 1 if blank >= 0 else begin :]}"
    if cell_len(text) <= room:
        return text
    return set_cell_size(text, max(room - len(_GAP), 0)).rstrip() + _GAP


_GAP = "..."


def legible(phrase: Phrase) -> Phrase:
    """Returns the phrase printable, and with its canaries shortened."""
    lead, detail = (printable(strip_canary_digests(part)) for part in phrase)
    return Phrase(lead, detail)


def strip_canary_digests(text: str) -> str:
    """Returns the text with each canary shortened to its owner and place."""
    return CANARY.sub(_without_digest, text)


def _without_digest(match: re.Match[str]) -> str:
    owner, operation, ordinal, _ = match.groups()
    place = number_in(operation), number_in(ordinal)
    if None in place or canary(owner, *place) != match.group():  # type: ignore[arg-type]
        return match.group()
    return f"{owner}~{operation}.{ordinal}"
