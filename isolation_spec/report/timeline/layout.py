"""Lays a history out as lanes, rows, bars and arrows: the drawing of a page, as data.

A row is one entry, or a few that belong together. Rows stand in the order of
observation, as most of a run happens at one virtual time. Positions count rows: 3 is
the middle of the fourth row, 3.5 the line below it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from isolation_spec.claims import Violation
from isolation_spec.diagnosis.diagnosis import ProvenanceStep
from isolation_spec.diagnosis.provenance import traced_values
from isolation_spec.diagnosis.wording import (
    WHOLE,
    CanariesOnly,
    engine_texts,
    phrase_moment,
)
from isolation_spec.model.history.activity import Await
from isolation_spec.model.history.entries import Entry
from isolation_spec.model.history.history import History
from isolation_spec.report.html import visible
from isolation_spec.report.timeline.causality import causes
from isolation_spec.report.timeline.grouping import (
    awaits_by_row,
    group_entries,
    join_texts,
)
from isolation_spec.report.timeline.shapes import (
    Arrow,
    Bar,
    Lane,
    Point,
    Row,
    Tick,
    Timeline,
)
from isolation_spec.report.timeline.spans import spans
from isolation_spec.report.timeline.tracks import Tracks
from isolation_spec.report.timeline.words import Part, kind_of, parts_of

__all__ = ["make_timeline"]

MOST_LANES = 8
_LONGEST_LABEL = 12


def make_timeline(
    history: History,
    *,
    violation: Violation | None = None,
    provenance: Sequence[ProvenanceStep] = (),
    parting: int | None = None,
    most: int = 400,
    values: bool = False,
) -> Timeline:
    """Returns the timeline of a history, with at most so many rows around its failure.

    Args:
        violation: the violation that the history shows, None if it shows none.
        provenance: the provenance of the foreign value.
        parting: the entry from which on a passing run differs.
        most: the number of rows.
        values: whether outputs of the engine without a canary are shown.
    """
    return _Drawing(history, violation, provenance, parting, most, values).timeline()


class _Drawing:
    """A timeline under construction."""

    def __init__(
        self,
        history: History,
        violation: Violation | None,
        provenance: Sequence[ProvenanceStep],
        parting: int | None,
        most: int,
        values: bool,
    ) -> None:
        self.history = history
        self.entries = history.entries
        self.violation = violation
        self.provenance = provenance
        self.parting = parting
        self.operations = history.operations()
        self.reveal = WHOLE if values else CanariesOnly(history.scenario.users)
        self.values: tuple[str, ...] = ()
        if violation is not None and provenance:
            self.values = traced_values(history, violation)
        self.users = self._users()
        self.groups = self._choose_rows(most)
        self.firsts = [group[0] for group in self.groups]
        self.spans = tuple(spans(self.entries))
        self.tracks = Tracks(self.spans)

    def _users(self) -> tuple[int | None, ...]:
        """Returns the lanes: users, the concerned first if many, and the world."""
        ordered = dict.fromkeys(step.user for step in self.provenance)
        if self.violation is not None:
            ordered.update(dict.fromkeys(self.violation.users))
        ordered.update(dict.fromkeys(entry.user for entry in self.entries))
        users = [user for user in ordered if user is not None][:MOST_LANES]
        return (*sorted(users), None)

    def _choose_rows(self, most: int) -> list[tuple[int, int]]:
        """Returns (first, last) of each row: around the failure, and each hop."""
        lanes = set(self.users)
        rows = group_entries(self.entries)
        groups = [g for g in rows if self.entries[g[0]].user in lanes]
        firsts = [group[0] for group in groups]
        centre = bisect_right(firsts, self._centre()) - 1
        begin = max(0, min(centre - most * 2 // 3, len(groups) - most))
        chosen = set(range(begin, min(len(groups), begin + most)))
        for step in self.provenance[:most]:
            chosen.add(max(0, bisect_right(firsts, step.entry) - 1))
        return [groups[index] for index in sorted(chosen)] if groups else []

    def _centre(self) -> int:
        if self.violation is not None:
            return self.violation.entry
        return self.parting if self.parting is not None else len(self.entries)

    # Positions

    def at(self, entry: int) -> float:
        """Returns the position of an entry, between two rows if no row has it."""
        index = bisect_right(self.firsts, entry) - 1
        inside = index >= 0 and entry <= self.groups[index][1]
        return float(index) if inside else index + 0.5

    def lane(self, user: int | None) -> int:
        return self.users.index(user)

    def point(self, entry: int) -> Point:
        """Returns the point of an entry, on the bar of its operation or connection."""
        drawn = self.entries[entry]
        track = self.tracks.of_entry(drawn)
        return Point(self.at(entry), self.lane(drawn.user), track)

    # The parts of the timeline

    def timeline(self) -> Timeline:
        """Returns the whole timeline."""
        shown = sum(last - first + 1 for first, last in self.groups)
        everybody = {entry.user for entry in self.entries} - {None}
        return Timeline(
            lanes=tuple(map(self._make_lane, self.users)),
            rows=tuple(self._rows()),
            bars=tuple(self._bars()),
            ticks=tuple(self._ticks()),
            arrows=tuple(self._arrows()),
            path=tuple(self._path()),
            values=self.values,
            entries=len(self.entries),
            left_out=len(self.entries) - shown,
            lanes_left_out=len(everybody - set(self.users)),
        )

    def _make_lane(self, user: int | None) -> Lane:
        label = visible(self.history.label(user))
        if len(label) > _LONGEST_LABEL:
            label = f"{label[: _LONGEST_LABEL - 1]}…"
        return Lane(label=label, user=user, tracks=self.tracks.counts.get(user, 1))

    def _rows(self) -> Iterator[Row]:
        hops = {int(self.at(hop.entry)): n for n, hop in enumerate(self.provenance, 1)}
        waits = awaits_by_row(self.history.awaits, self.firsts)
        before = -1
        for index, (first, last) in enumerate(self.groups):
            entry = self.entries[first]
            number = entry.operation
            operation = self.operations.get(number or -1)
            shows = self.violation is not None and (
                first <= self.violation.entry <= last
            )
            yield Row(
                kind=kind_of(entry),
                first=first,
                last=last,
                time=entry.time,
                turn=entry.turn,
                operation=number,
                name=_name(operation) if operation else "",
                label=self._label(entry.user),
                point=self.point(first),
                parts=self._parts(first, last),
                waits=tuple(self._say(waits.get(index, ()))),
                hidden=sum(map(self._hidden, self.entries[first : last + 1])),
                skipped=first - before - 1,
                fails=shows,
                parting=self.parting is not None and first <= self.parting <= last,
                hop=hops.get(index, 0),
            )
            before = last

    def _label(self, user: int | None) -> str:
        return self._make_lane(user).label

    def _parts(self, first: int, last: int) -> tuple[Part, ...]:
        texts = [
            str(phrase_moment(self.history, entry, self.reveal))
            for entry in self.entries[first : last + 1]
        ]
        user = self.entries[first].user
        viewer = None if user is None else self.history.label(user)
        return parts_of(join_texts(texts), viewer, self.values)

    def _hidden(self, entry: Entry) -> int:
        """Returns the number of characters of the engine's that are withheld."""
        if self.reveal is WHOLE:
            return 0
        return sum(map(len, engine_texts(entry)))

    def _say(self, waits: Iterable[Await]) -> Iterator[str]:
        counts: dict[tuple[int, str], int] = {}
        for one in waits:
            key = one.operation, one.place
            counts[key] = counts.get(key, 0) + 1
        for (operation, place), times in list(counts.items())[:12]:
            often = f", {times} times" if times > 1 else ""
            yield f"operation {operation} at {place}{often}"

    def _bars(self) -> Iterator[Bar]:
        for span in self.spans:
            if span.user in self.users and self._shows(span.begin, span.end):
                yield Bar(
                    kind=span.kind,
                    lane=self.lane(span.user),
                    track=self.tracks.of(span.key),
                    begin=max(-0.5, self.at(span.begin)),
                    end=self.at(span.end),
                    operation=span.operation,
                    outcome=span.outcome,
                )

    def _shows(self, begin: int, end: int) -> bool:
        """Whether a row lies between two entries."""
        return bisect_left(self.firsts, begin) < bisect_right(self.firsts, end)

    def _ticks(self) -> Iterator[Tick]:
        users = {s.operation: s.user for s in self.spans if s.kind == "operation"}
        for gap in awaits_by_row(self.history.awaits, self.firsts).values():
            for number, one in enumerate(gap, 1):
                user = users.get(one.operation)
                if user not in self.users or user is None:
                    continue
                before = self.at(one.entry - 1)
                if not before.is_integer():
                    continue
                step = (self.at(one.entry) - before) * number / (len(gap) + 1)
                track = self.tracks.of(one.operation)
                point = Point(round(before + step, 3), self.lane(user), track)
                yield Tick(point=point, place=one.place)

    def _arrows(self) -> Iterator[Arrow]:
        shown = {
            index for first, last in self.groups for index in range(first, last + 1)
        }
        on_path = {step.entry for step in self.provenance}
        for cause, effect in causes(self.history):
            if effect not in shown:
                continue
            to = self.point(effect)
            if cause is None:
                start = Point(to.at, self.lane(None), 0)
                yield Arrow(cause=start, effect=to, strong=False)
            elif cause in shown:
                owner, viewer = (self.entries[i].user for i in (cause, effect))
                strong = None not in (owner, viewer) and owner != viewer
                # The path is a strong line already.
                if not (strong and effect in on_path):
                    yield Arrow(cause=self.point(cause), effect=to, strong=strong)

    def _path(self) -> Iterator[Point]:
        for hop in self.provenance:
            if hop.user in self.users:
                same = hop.operation is not None and (
                    self.entries[hop.entry].user == hop.user
                )
                track = self.tracks.of_entry(self.entries[hop.entry]) if same else 0
                yield Point(self.at(hop.entry), self.lane(hop.user), track)


def _name(operation: object) -> str:
    kind = getattr(type(operation), "__struct_config__", None)
    return "" if kind is None else str(kind.tag).replace("_", " ")
