"""The failing run and the passing run side by side, from their first difference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from rich.cells import set_cell_size

from isolation_spec.diagnosis.diagnosis import Diagnosis
from isolation_spec.diagnosis.wording import (
    Phrase,
    describe_entry,
    excerpt,
    legible,
    phrase_moment,
    printable,
)
from isolation_spec.model.history.entries import (
    AgentStepped,
    Entry,
    EventReceived,
    GaugeRead,
    OperationEnded,
    OperationStarted,
    RowStored,
    ToolRan,
)
from isolation_spec.model.history.history import History

__all__ = ["draw_side_by_side"]

_ALIKE = 2
Row: TypeAlias = tuple[int | None, int | None]
"""An index into the entries of each run; None where one has nothing to show."""


def draw_side_by_side(diagnosis: Diagnosis, width: int) -> list[str]:
    """Returns a table of entries of both runs.

    It has two entries in which the runs are alike, the first visible difference, and
    the entry at which the failing run fails.
    """
    passing_run = diagnosis.passing_run
    if passing_run is None:
        return []
    side = (width - 7) // 2
    lines = [_row("step", "this run, which fails", "that one, which passes", side)]
    latest = -1
    for here, there in _rows(diagnosis, passing_run.history, passing_run.step):
        if latest >= 0 and (here is None or here > latest + 1):
            lines.append(_row("", "...", "...", side))
        latest = latest if here is None else here
        number = "" if here is None else str(here + 1)
        left = _cell(diagnosis.history, here)
        right = _cell(passing_run.history, there)
        lines.append(_row(number, *_pair(left, right, side - 1), side))
    return lines


class _Cell(NamedTuple):
    """An entry of one run: its user and operation, and its text."""

    prefix: str
    phrase: Phrase

    def __str__(self) -> str:
        return f"{self.prefix}{self.phrase}"


def _pair(left: _Cell, right: _Cell, room: int) -> tuple[str, str]:
    """Returns excerpts of both cells around their first difference."""
    texts = str(left), str(right)
    pairs = enumerate(zip(*texts, strict=False))
    place = next((i for i, (a, b) in pairs if a != b), min(map(len, texts)))
    place = 0 if texts[0] == texts[1] else place
    cut, cut_too = (
        excerpt(cell.phrase, place, room, prefix=cell.prefix) for cell in (left, right)
    )
    return cut, cut_too


def _row(number: str, left: str, right: str, side: int) -> str:
    return f"{number:>4} {set_cell_size(left, side)}| {right}".rstrip()


def _cell(history: History, index: int | None) -> _Cell:
    if index is None or index >= len(history.entries):
        return _Cell("", Phrase("(never)"))
    entry = history.entries[index]
    number = "" if entry.operation is None else f" {entry.operation}"
    prefix = printable(f"{history.label(entry.user)}{number} ")
    return _Cell(prefix, legible(phrase_moment(history, entry, cancellation=False)))


def _rows(diagnosis: Diagnosis, other: History, step: int) -> Iterator[Row]:
    here = diagnosis.history
    while step < min(len(here.entries), len(other.entries)):
        if _cell(here, step) != _cell(other, step):
            break
        step += 1
    for index in range(max(0, step - _ALIKE), step + 1):
        yield index, index
    fails = diagnosis.violation.entry
    if fails <= step or fails >= len(here.entries):
        return
    there = _counterpart(other, here.entries[fails])
    if there is not None and _cell(here, fails) == _cell(other, there):
        # The run fails because of an event that never came.
        yield from _missed(here, other)
    else:
        yield fails, there


def _missed(here: History, other: History) -> Iterator[Row]:
    """Yields the first event that only the passing run received."""
    for index, entry in enumerate(other.entries):
        if isinstance(entry, EventReceived) and _counterpart(here, entry) is None:
            yield None, index
            return


def _counterpart(other: History, entry: Entry) -> int | None:
    """Returns the index at which the other run observes the same place."""
    place = _place(entry)
    for index, instead in enumerate(other.entries):
        if type(instead) is type(entry) and _place(instead) == place:
            return index
    return None


def _place(entry: Entry) -> tuple[object, ...]:
    """Returns the names of the place of an observation, without the observation."""
    match entry:
        case AgentStepped():
            return entry.operation, entry.path, entry.step
        case ToolRan():
            return entry.operation, entry.tool, entry.argument, entry.moment
        case OperationStarted() | OperationEnded():
            return (entry.operation,)
        case RowStored():
            return entry.owner, entry.thread, entry.key
        case GaugeRead():
            return entry.user, entry.gauge
        case _:
            return entry.operation, describe_entry(entry)
