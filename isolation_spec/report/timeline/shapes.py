"""The shapes that a timeline consists of."""

from __future__ import annotations

import msgspec

from isolation_spec.report.timeline.words import Part

__all__ = ["Arrow", "Bar", "Lane", "Point", "Row", "Tick", "Timeline"]


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One user's column, or the world's; bars beside each other are on its tracks."""

    label: str
    user: int | None
    tracks: int


class Point(msgspec.Struct, frozen=True, array_like=True):
    """A place in the drawing; `at` counts rows."""

    at: float
    lane: int
    track: int


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the page.

    Attributes:
        kind: of its entries.
        first, last: indices of its entries in the history.
        who: the label of its user, or "world".
        parts: what happened, in words.
        waits: where in the engine operations waited since the row before, in words.
        hidden: characters that the engine gave and that are not shown.
        skipped: entries left out before it.
        fails: True if the violation shows here.
        parting: True if a neighbouring run differs from here on.
        hop: the number of the hop of the foreign canary, from 1, 0 for none.
    """

    kind: str
    first: int
    last: int
    time: float
    turn: int
    operation: int | None
    name: str
    who: str
    point: Point
    parts: tuple[Part, ...]
    waits: tuple[str, ...]
    hidden: int
    skipped: int
    fails: bool
    parting: bool
    hop: int

    def text(self) -> str:
        """All its words."""
        return "".join(part.text for part in self.parts)


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """Something that lasted: an operation, a connection, a session, a tool."""

    kind: str
    lane: int
    track: int
    begin: float
    end: float
    operation: int | None
    outcome: str = ""


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """An await of an operation."""

    point: Point
    place: str


class Arrow(msgspec.Struct, frozen=True, kw_only=True):
    """From a cause to its effect; strong if it leads to another user."""

    cause: Point
    effect: Point
    strong: bool


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn of one run.

    Attributes:
        path: the way of the foreign canary, or of what the violation is about.
        values: the canaries whose way it is, none if it is that of something else.
        entries: how many the history has.
        left_out: entries that are in no row; `lanes_left_out`, users.
    """

    lanes: tuple[Lane, ...]
    rows: tuple[Row, ...]
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    arrows: tuple[Arrow, ...]
    path: tuple[Point, ...]
    values: tuple[str, ...]
    entries: int
    left_out: int
    lanes_left_out: int
