"""The explanation of a violation, which fits one screen.

Its sections are the claim; the scenario, with a line for each operation and a lane for
each user; "Let ... Then ... However ...: contradiction"; the choices that matter; the
passing run beside the failing one; and the provenance of the foreign value. Lines that
do not fit are left out in the middle of a section, which says how many.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

import msgspec
from rich.cells import cell_len, chop_cells

from isolation_spec.claims import find_claim
from isolation_spec.diagnosis.diagnosis import Diagnosis, Difference, ScheduleChoice
from isolation_spec.diagnosis.provenance import traced_values
from isolation_spec.diagnosis.side_by_side import draw_side_by_side
from isolation_spec.diagnosis.swimlanes import draw_lanes
from isolation_spec.diagnosis.wording import (
    describe_advice,
    describe_difference,
    describe_violation,
    excerpt,
    legible,
    phrase_provenance,
    printable,
    strip_canary_digests,
)

__all__ = ["Explanation", "explain", "separated"]

WIDTH = 80
MOST = 40
_NARROWEST = 40


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The explanation of a violation: sections of lines that fit a terminal.

    Attributes:
        claim: the statement of the claim, and the users' identities.
        scenario: a line for each operation.
        givens: "Let ..., then ...".
        observation: "However, ...: contradiction."
        choices: the choices of the schedule, and whether each is needed.
        passing_run: a passing run beside the failing one.
        provenance: the steps of the value, or of the resource.
    """

    claim: tuple[str, ...] = ()
    scenario: tuple[str, ...] = ()
    givens: tuple[str, ...] = ()
    observation: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    passing_run: tuple[str, ...] = ()
    provenance: tuple[str, ...] = ()

    def paragraphs(self) -> tuple[tuple[str, ...], ...]:
        """Returns the sections that are not empty, in order of reading."""
        contradiction = (*self.givens, *self.observation)
        every = (
            self.claim,
            self.scenario,
            contradiction,
            self.choices,
            self.passing_run,
            self.provenance,
        )
        return tuple(lines for lines in every if lines)

    def lines(self) -> tuple[str, ...]:
        """Returns all lines, with an empty line between two sections."""
        return separated(self.paragraphs())


def separated(paragraphs: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Returns the lines of paragraphs, with an empty line between two of them."""
    lines: list[str] = []
    for number, paragraph in enumerate(paragraphs):
        lines += [""] * bool(number) + list(paragraph)
    return tuple(lines)


_LEAST = {
    "claim": 3,
    "scenario": 6,
    "givens": 5,
    "observation": 3,
    "choices": 4,
    "passing_run": 6,
    "provenance": 5,
}
"""The number of lines to which a section is never cut further."""


def explain(
    diagnosis: Diagnosis, *, width: int = WIDTH, most: int = MOST
) -> Explanation:
    """Returns the explanation: at most so many lines of at most so many cells.

    Control characters are escaped: the text of a file must not steer a terminal.
    A width below 40 cells is taken as 40.
    """
    width = max(width, _NARROWEST)
    sections = {
        name: list(_wrapped(lines, width))
        for name, lines in _sections(diagnosis, width).items()
    }
    gaps = len([name for name in sections if sections[name]]) - 2
    fitted = _fitted(sections, most - gaps)
    return Explanation(**{name: tuple(lines) for name, lines in fitted.items()})


def _sections(diagnosis: Diagnosis, width: int) -> dict[str, list[str]]:
    heading = "Scenario, operations as they began (* begins, | is under way)"
    return {
        "claim": list(_claim(diagnosis)),
        "scenario": [heading, *draw_lanes(diagnosis.history, width)],
        "givens": list(_givens(diagnosis)),
        "observation": list(_observation(diagnosis)),
        "choices": list(_choices(diagnosis)),
        "passing_run": list(_passing_run(diagnosis, width)),
        "provenance": list(_provenance(diagnosis, width)),
    }


# Fitting


def _wrapped(lines: Iterable[str], width: int) -> Iterator[str]:
    """Yields lines of at most that width; a continued line is indented further."""
    for line in map(printable, lines):
        if cell_len(line) <= width:
            yield line
            continue
        indent = len(line) - len(line.lstrip())
        hanging = " " * min(indent + 2 * bool(indent), width // 2)
        for part in textwrap.wrap(line, width, subsequent_indent=hanging):
            yield from chop_cells(part, width)


def _fitted(sections: dict[str, list[str]], room: int) -> dict[str, list[str]]:
    """Cuts the longest sections until all of them fit."""
    lengths = {name: len(lines) for name, lines in sections.items()}
    while sum(lengths.values()) > room:
        longest = max(lengths, key=lambda name: lengths[name] - _LEAST[name])
        lengths[longest] -= 1
    return {name: _cut(lines, lengths[name]) for name, lines in sections.items()}


def _cut(lines: list[str], most: int) -> list[str]:
    if len(lines) <= most:
        return lines
    head = most // 2
    tail = most - head - 1
    gone = len(lines) - head - tail
    return [*lines[:head], f"  ... {gone} lines left out ...", *lines[-tail:]]


# The claim, and why it is violated


def _claim(diagnosis: Diagnosis) -> Iterator[str]:
    claim = find_claim(diagnosis.violation.claim)
    yield f"{claim.id}: {claim.statement}"
    named = [
        f"{user.label} is {user.id!a}"
        for user in diagnosis.history.scenario.users
        if user.id != user.label
    ]
    if named:
        yield f"To the engine {', '.join(named)}."


def _givens(diagnosis: Diagnosis) -> Iterator[str]:
    let, then, _ = describe_violation(
        diagnosis.violation, diagnosis.history.scenario.users
    )
    for number, fact in enumerate(let, 1):
        lead = "Let" if number == 1 else "and"
        yield f"{lead} {fact}{'.' if number == len(let) else ','}"
    yield f"Then {then}."


def _observation(diagnosis: Diagnosis) -> Iterator[str]:
    *_, however = describe_violation(
        diagnosis.violation, diagnosis.history.scenario.users
    )
    yield f"However, {however.rstrip()}: contradiction."
    if advice := describe_advice(diagnosis.violation.fact):
        yield advice


# Choices


def _choices(diagnosis: Diagnosis) -> Iterator[str]:
    """Yields a sentence for each needed choice, and one for all others.

    The choice that the passing run goes without is left to the section beside it.
    """
    if not diagnosis.choices:
        yield "It needs no cancellation and no choice: plain asyncio order is enough."
    passing_run = diagnosis.passing_run
    needed = [one for one in diagnosis.choices if one.needed]
    other = [one for one in diagnosis.choices if not one.needed]
    for one in needed:
        if passing_run is None or one.choice != passing_run.without:
            yield f"Without {_described(diagnosis, one.choice)}, it passes."
    if other:
        words = "; ".join(_described(diagnosis, one.choice) for one in other)
        yield f"{_how_needed(other, needed)}: {words}."


def _described(diagnosis: Diagnosis, difference: Difference) -> str:
    return describe_difference(diagnosis.history.scenario, difference)


def _how_needed(other: list[ScheduleChoice], needed: list[ScheduleChoice]) -> str:
    if not any(one.tried for one in other):
        return "Not tried without"
    return "It fails without each of these, too" if not needed else "Not needed"


# The passing run, and provenance


def _passing_run(diagnosis: Diagnosis, width: int) -> Iterator[str]:
    if diagnosis.passing_run is not None:
        without = _described(diagnosis, diagnosis.passing_run.without)
        yield f"Without {without}, it passes. Side by side:"
        yield from draw_side_by_side(diagnosis, width)


def _provenance(diagnosis: Diagnosis, width: int) -> Iterator[str]:
    if not diagnosis.provenance:
        return
    history = diagnosis.history
    values = traced_values(history, diagnosis.violation)
    heading = f"Provenance of {' and '.join(values)}" if values else "Preceding entries"
    yield f"{heading} (step, user and operation):"
    for step in diagnosis.provenance:
        number = "" if step.operation is None else f" {step.operation}"
        lead = f"{step.entry + 1:>4} {history.label(step.user)}{number} "
        phrase = legible(phrase_provenance(history, step))
        places = (str(phrase).find(strip_canary_digests(value)) for value in values)
        room = width - cell_len(lead)
        yield f"{lead}{excerpt(phrase, max([*places, 0]), room)}"
