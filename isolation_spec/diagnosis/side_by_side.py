"""The failing run and its passing neighbour side by side, where they part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec
from rich.cells import set_cell_size

from isolation_spec.diagnosis.diagnosis import Diagnosis
from isolation_spec.diagnosis.wording import (
    around,
    describe_entry,
    describe_operation,
    printable,
    strip_canary_digests,
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

__all__ = ["draw_beside"]

_ALIKE = 2
Row: TypeAlias = tuple[int | None, int | None]
"""An index into the entries of each run; None where one has nothing to show."""


def draw_beside(story: Diagnosis, width: int) -> list[str]:
    """Two steps at which both runs are alike, the first at which a reader sees a
    difference, and the one at which the failing run fails."""
    neighbour = story.neighbour
    if neighbour is None:
        return []
    side = (width - 7) // 2
    lines = [_row("step", "this run, which fails", "that one, which passes", side)]
    latest = -1
    for here, there in _rows(story, neighbour.history, neighbour.step):
        if latest >= 0 and (here is None or here > latest + 1):
            lines.append(_row("", "...", "...", side))
        latest = latest if here is None else here
        number = "" if here is None else str(here + 1)
        left, right = _pair(
            _said(story.history, here), _said(neighbour.history, there), side - 1
        )
        lines.append(_row(number, left, right, side))
    return lines


def _pair(left: str, right: str, room: int) -> tuple[str, str]:
    """Both texts, clipped to what stands around the first difference."""
    pairs = enumerate(zip(left, right, strict=False))
    place = next((i for i, (a, b) in pairs if a != b), min(len(left), len(right)))
    place = 0 if left == right else place
    # The user and the operation stay in sight.
    ends = [text.find(" ", text.find(" ") + 1) + 1 for text in (left, right)]
    return around(left, place, room, ends[0]), around(right, place, room, ends[1])


def _row(number: str, left: str, right: str, side: int) -> str:
    return f"{number:>4} {set_cell_size(left, side)}| {right}".rstrip()


def _said(history: History, index: int | None) -> str:
    if index is None or index >= len(history.entries):
        return "(never)"
    entry = history.entries[index]
    words = describe_entry(entry)
    if isinstance(entry, OperationStarted):
        operation = history.operations()[entry.operation or 0]
        if operation.cancel is not None:
            # Its cancellation is a step of its own.
            operation = msgspec.structs.replace(operation, **{"cancel": None})
        words = f"begins to {describe_operation(operation)}"
    number = "" if entry.operation is None else f" {entry.operation}"
    return printable(
        strip_canary_digests(f"{history.label(entry.user)}{number} {words}")
    )


def _rows(story: Diagnosis, other: History, step: int) -> Iterator[Row]:
    here = story.history
    while step < min(len(here.entries), len(other.entries)):
        if _said(here, step) != _said(other, step):
            break
        step += 1
    for index in range(max(0, step - _ALIKE), step + 1):
        yield index, index
    fails = story.violation.entry
    if fails <= step or fails >= len(here.entries):
        return
    there = _counterpart(other, here.entries[fails])
    if there is not None and _said(here, fails) == _said(other, there):
        # What is wrong there is what did not come.
        yield from _missed(here, other)
    else:
        yield fails, there


def _missed(here: History, other: History) -> Iterator[Row]:
    """The first event that came in the passing run alone."""
    for index, entry in enumerate(other.entries):
        if isinstance(entry, EventReceived) and _counterpart(here, entry) is None:
            yield None, index
            return


def _counterpart(other: History, entry: Entry) -> int | None:
    """Where the other run shows the same place, whatever it shows there."""
    place = _place(entry)
    for index, instead in enumerate(other.entries):
        if type(instead) is type(entry) and _place(instead) == place:
            return index
    return None


def _place(entry: Entry) -> tuple[object, ...]:
    """What names the place of an observation, without what was observed there."""
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
