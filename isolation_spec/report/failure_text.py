"""The text of a saved failure, the same for every report."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from isolation_spec.diagnosis.wording import summarize_violation
from isolation_spec.failure.replay_command import replay_command
from isolation_spec.search.events import FailureSaved

__all__ = ["REPLAY", "SAVED", "Line", "Role", "failure_lines", "failure_text"]

SAVED = "Saved in "
REPLAY = "Replay with: "


class Role(enum.Enum):
    """The part that a line has in a text, by which a terminal styles it."""

    CLAIM = enum.auto()
    """The claim that is violated."""
    OBSERVATION = enum.auto()
    """The observation that contradicts the claim."""
    PATH = enum.auto()
    """A path, which is not broken into two lines."""
    COMMAND = enum.auto()
    """A command, which is not broken into two lines."""
    OTHER = enum.auto()
    """Everything else."""


class Line(NamedTuple):
    """A line of a text."""

    text: str
    role: Role = Role.OTHER


def failure_lines(event: FailureSaved) -> list[str]:
    """Returns the lines of a failure's text, without their roles."""
    return [line.text for line in failure_text(event)]


def failure_text(event: FailureSaved, *, brief: bool = False) -> list[Line]:
    """Returns the explanation of a failure, its path, and the command to replay it.

    A failure that could not be saved has its explanation alone. A `brief` text follows
    one with the same scenario: it has the claim, the contradiction and the path.
    """
    sections = list(_brief(event) if brief else _explanation(event))
    sections.append(list(_fate(event)))
    lines: list[Line] = []
    for section in sections:
        lines += [Line("")] * bool(lines) + section
    return lines


def _explanation(event: FailureSaved) -> Iterator[list[Line]]:
    explanation = event.explanation
    if explanation is None:
        users = event.scenario.users
        yield [Line(summarize_violation(event.violation, users), Role.CLAIM)]
        return
    yield _lines(explanation.claim, Role.CLAIM)
    yield _lines(explanation.scenario)
    yield _contradiction(event)
    rest = explanation.choices, explanation.passing_run, explanation.provenance
    yield from (_lines(section) for section in rest if section)


def _brief(event: FailureSaved) -> Iterator[list[Line]]:
    explanation = event.explanation
    if explanation is None:
        yield from _explanation(event)
        return
    yield _lines(explanation.claim, Role.CLAIM)
    yield [Line("In the scenario above:")]
    yield _contradiction(event)


def _contradiction(event: FailureSaved) -> list[Line]:
    assert event.explanation is not None
    givens = _lines(event.explanation.givens)
    return givens + _lines(event.explanation.observation, Role.OBSERVATION)


def _lines(texts: Iterable[str], role: Role = Role.OTHER) -> list[Line]:
    return [Line(text, role) for text in texts]


def _fate(event: FailureSaved) -> Iterator[Line]:
    """Yields where the failure is saved, and whether and how it can be replayed."""
    if event.world == "live":
        yield Line("Found live: not replayable, and not shrunk.")
    elif not event.confirmed:
        yield Line("Not deterministic: a replay in a fresh world differed.")
        if event.difference:
            yield Line(f"First {event.difference}")
    if not event.path:
        return
    yield Line(f"{SAVED}{event.path}", Role.PATH)
    if event.world != "live":
        command = replay_command(event.path, event.engine)
        yield Line(f"{REPLAY}{command}", Role.COMMAND)
