"""The shapes that a timeline consists of."""

from __future__ import annotations

import msgspec

from isolation_spec.report.timeline.words import Part

__all__ = ["Arrow", "Bar", "Lane", "Point", "Row", "Tick", "Timeline"]


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """The column of a user or of the world, with a track for each overlapping bar."""

    label: str
    user: int | None
    tracks: int


class Point(msgspec.Struct, frozen=True, array_like=True):
    """A point of the drawing; `at` counts rows."""

    at: float
    lane: int
    track: int


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the page.

    Attributes:
        kind: of its entries.
        first, last: indices of its entries in the history.
        label: the label of its user, or "world".
        parts: the description of its entries.
        waits: descriptions of the await sites since the row before.
        hidden: the number of characters of the engine's outputs that are not shown.
        skipped: entries left out before it.
        fails: whether the violation shows here.
        parting: whether the passing run differs from here on.
        hop: the number of the provenance step, from 1; 0 if the row is no step.
    """

    kind: str
    first: int
    last: int
    time: float
    turn: int
    operation: int | None
    name: str
    label: str
    point: Point
    parts: tuple[Part, ...]
    waits: tuple[str, ...]
    hidden: int
    skipped: int
    fails: bool
    parting: bool
    hop: int

    def text(self) -> str:
        """Returns the whole description."""
        return "".join(part.text for part in self.parts)


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A time span: of an operation, a connection, a session or a tool."""

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
    """The drawing of one run.

    Attributes:
        path: the provenance of the foreign canary, or of the object of the violation.
        values: the canaries on the path, empty if the path is that of an object.
        entries: the number of entries in the history.
        left_out: the number of entries without a row.
        lanes_left_out: the number of users without a lane.
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
