"""A scenario as it happened: a line an operation, a lane a user."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from isolation_spec.diagnosis.wording import (
    describe_operation,
    printable,
    strip_canary_digests,
)
from isolation_spec.model.history.entries import OperationEnded, OperationStarted
from isolation_spec.model.history.history import History
from isolation_spec.model.history.states import Outcome
from isolation_spec.model.scenario import Operation

__all__ = ["draw_lanes"]

_WORLD = "world"
_MOST_LINES = 3
"""Lines that one operation may take; of a longer script the rest is left out."""


class _Begun(NamedTuple):
    """One operation, and the lanes in which others were under way when it began."""

    operation: Operation
    busy: frozenset[str]


def draw_lanes(history: History, width: int) -> list[str]:
    """The names of the users, and a line for each operation in the order of beginning.

    A lane shows `*` where an operation begins, and `|` where one is under way while
    another begins. Where the lanes would take more than a third of the width, users are
    named in front of their operations instead.
    """
    labels = [printable(user.label) for user in history.scenario.users]
    begun = list(_begun(history))
    if any(_user(one.operation) is None for one in begun):
        labels.append(_WORLD)
    named = "  ".join(labels)
    narrow = cell_len(named) > width // 3
    lines = [] if narrow else [f"  {named}"]
    outcomes = {entry.operation: entry.outcome for entry in history.of(OperationEnded)}
    for one in begun:
        lane = _lane(history, one.operation)
        marks = _named(lane) if narrow else _marks(labels, one.busy, lane)
        rest = " " * cell_len(marks) if narrow else _marks(labels, one.busy - {lane})
        text = _said(history, one.operation, outcomes.get(one.operation.id, ""))
        room = max(width - cell_len(marks) - 9, 16)
        for number, part in enumerate(_few(text, room)):
            lead = f"{one.operation.id:>3}" if not number else "   "
            lines.append(f"  {rest if number else marks}  {lead}  {part}".rstrip())
    return lines


def _user(operation: Operation) -> int | None:
    return operation.user


def _lane(history: History, operation: Operation) -> str:
    return printable(history.label(_user(operation)))


def _named(lane: str) -> str:
    return set_cell_size(lane, 8)


def _marks(labels: list[str], busy: frozenset[str], begins: str = "") -> str:
    marks = {**dict.fromkeys(busy, "|"), begins: "*"}
    # The mark stands below the second letter of the name.
    return "  ".join(
        set_cell_size(f" {marks.get(label, '')}", cell_len(label)) for label in labels
    )


def _few(text: str, width: int) -> list[str]:
    lines = textwrap.wrap(text, width)
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], "..."]
        lines[-2:] = [f"{lines[-2][: width - 4]} ..."]
    return lines


_ENDED = {"": "", Outcome.RETURNED: "", Outcome.UNAVAILABLE: " -> names nothing open"}


def _said(history: History, operation: Operation, outcome: str) -> str:
    victim = operation.victim
    whose = "" if victim is None else f", naming {history.label(victim)}'s"
    ended = _ENDED.get(outcome, f" -> {outcome}")
    if outcome == Outcome.CANCELLED and operation.cancel is not None:
        ended = ""
    return printable(
        strip_canary_digests(f"{describe_operation(operation)}{whose}{ended}")
    )


def _begun(history: History) -> Iterator[_Begun]:
    """Yields operations as they began; last those that never did, in their order."""
    waiting = history.operations()
    under_way: dict[int | None, str] = {}
    for entry in history.entries:
        if isinstance(entry, OperationEnded):
            under_way.pop(entry.operation, None)
        elif isinstance(entry, OperationStarted) and entry.operation in waiting:
            operation = waiting.pop(entry.operation)
            yield _Begun(operation, frozenset(under_way.values()))
            under_way[operation.id] = _lane(history, operation)
    for operation in waiting.values():
        yield _Begun(operation, frozenset())
