"""Why a claim is violated, in words, on one screen.

The claim; the scenario, a line an operation and a lane a user; "Let ... Then ...
However ...: contradiction"; which choices matter; the passing run beside the failing
one; and the way of the foreign value. What does not fit is left out in the middle of a
part, and the screen says how much.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from rich.cells import cell_len, chop_cells

from isolation_spec.claims import find_claim
from isolation_spec.diagnosis.diagnosis import Diagnosis, ScheduleChoice
from isolation_spec.diagnosis.provenance import concerned
from isolation_spec.diagnosis.side_by_side import draw_beside
from isolation_spec.diagnosis.swimlanes import draw_lanes
from isolation_spec.diagnosis.wording import (
    around,
    describe_operation,
    printable,
    strip_canary_digests,
)

__all__ = ["describe_operation", "explain"]

WIDTH = 80
MOST = 40
_NARROWEST = 40


def explain(
    story: Diagnosis, *, width: int = WIDTH, most: int = MOST
) -> tuple[str, ...]:
    """The lines of the story: at most so many, and none wider than so many cells.

    Control characters are escaped: the text of a file must not steer a terminal.
    Narrower than 40 cells it does not get.
    """
    width = max(width, _NARROWEST)
    parts = [
        (list(_wrapped(lines, width)), least)
        for lines, least in _parts(story, width)
        if lines
    ]
    room = most - len(parts) + 1
    return tuple(_joined(_fitted(parts, room)))


def _parts(story: Diagnosis, width: int) -> Iterator[tuple[list[str], int]]:
    """Yields each part with the number of lines that it is never cut below."""
    yield list(_claim(story)), 3
    heading = "Scenario, operations as they began (* begins, | is under way)"
    yield [heading, *draw_lanes(story.history, width)], 6
    yield list(_contradiction(story)), 8
    yield list(_choices(story)), 4
    yield list(_beside(story, width)), 6
    yield list(_way(story, width)), 5


# Fitting


def _wrapped(lines: Iterable[str], width: int) -> Iterator[str]:
    """Lines of at most that width; what is carried over is indented as its line."""
    for line in map(printable, lines):
        if cell_len(line) <= width:
            yield line
            continue
        indent = len(line) - len(line.lstrip())
        hanging = " " * min(indent + 2 * bool(indent), width // 2)
        for part in textwrap.wrap(line, width, subsequent_indent=hanging):
            yield from chop_cells(part, width)


def _fitted(parts: list[tuple[list[str], int]], room: int) -> Iterator[list[str]]:
    """Cuts the longest parts until all of them fit."""
    lengths = [len(lines) for lines, _ in parts]
    while sum(lengths) > room:
        excess = [
            length - least for length, (_, least) in zip(lengths, parts, strict=True)
        ]
        lengths[excess.index(max(excess))] -= 1
    for length, (lines, _) in zip(lengths, parts, strict=True):
        yield _cut(lines, length)


def _cut(lines: list[str], most: int) -> list[str]:
    if len(lines) <= most:
        return lines
    head = most // 2
    tail = most - head - 1
    gone = len(lines) - head - tail
    return [*lines[:head], f"  ... {gone} lines left out ...", *lines[-tail:]]


def _joined(parts: Iterable[list[str]]) -> Iterator[str]:
    for number, lines in enumerate(parts):
        if number:
            yield ""
        yield from lines


# The claim, and why it is violated


def _claim(story: Diagnosis) -> Iterator[str]:
    claim = find_claim(story.violation.claim)
    yield f"{claim.id}: {claim.statement}"
    named = [
        f"{user.label} is {user.id!a}"
        for user in story.history.scenario.users
        if user.id != user.label
    ]
    if named:
        yield f"To the engine {', '.join(named)}."


def _contradiction(story: Diagnosis) -> Iterator[str]:
    violation = story.violation
    for number, fact in enumerate(violation.let, 1):
        lead = "Let" if number == 1 else "and"
        yield f"{lead} {fact}{'.' if number == len(violation.let) else ','}"
    yield f"Then {violation.then}."
    yield f"However, {violation.however.rstrip()}: contradiction."


# What matters


def _choices(story: Diagnosis) -> Iterator[str]:
    """A sentence for each needed choice but the neighbour's, one for all others."""
    decisions = story.decisions
    shown = "" if story.neighbour is None else story.neighbour.without
    needed = [decision for decision in decisions if decision.needed]
    other = [decision for decision in decisions if not decision.needed]
    if not decisions:
        yield "It needs no cancellation and no choice: plain asyncio order is enough."
    for decision in needed:
        if decision.text != shown:
            yield f"Without {decision.text}, it passes."
    if other:
        yield f"{_how_needed(other, needed)}: {'; '.join(one.text for one in other)}."


def _how_needed(other: list[ScheduleChoice], needed: list[ScheduleChoice]) -> str:
    if not any(decision.tried for decision in other):
        return "Not tried without"
    return "It fails without each of these, too" if not needed else "Not needed"


# The passing neighbour, and the way of the value


def _beside(story: Diagnosis, width: int) -> Iterator[str]:
    if story.neighbour is not None:
        yield f"Without {story.neighbour.without}, it passes. Side by side:"
        yield from draw_beside(story, width)


def _way(story: Diagnosis, width: int) -> Iterator[str]:
    if not story.hops:
        return
    values = concerned(story.history, story.violation)
    what = f"The way of {' and '.join(values)}" if values else "What led there"
    yield f"{what} (step, user and operation):"
    for hop in story.hops:
        who = story.history.label(hop.user)
        number = "" if hop.operation is None else f" {hop.operation}"
        lead = f"{hop.entry + 1:>4} {who}{number} "
        what = printable(strip_canary_digests(hop.what))
        places = (what.find(strip_canary_digests(value)) for value in values)
        place = max([*places, 0])
        yield f"{lead}{around(what, place, width - cell_len(lead))}"
