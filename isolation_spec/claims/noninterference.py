"""Each user observes the same together with others as alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from isolation_spec.claims.claim import Claim, IsolationViolated, Opportunity, Violation
from isolation_spec.claims.facts import Cause, DiffersFromAlone, Observation, Shown
from isolation_spec.claims.history_index import HistoryIndex
from isolation_spec.model.event_names import EventNames
from isolation_spec.model.history.entries import (
    AgentStepped,
    ConnectionClosed,
    Entry,
    EventReceived,
    GaugeRead,
    OperationEnded,
    OperationStarted,
    RowStored,
    ToolRan,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Scenario, names_victim

__all__ = ["NONINTERFERENCE", "NoninterferenceViolated", "unlike"]


class NoninterferenceViolated(IsolationViolated):
    """A user observed something that no solo run of theirs shows."""


_ID = "noninterference"

_VARIES = (
    # A number with decimals is a time or a duration, but not inside an id or canary.
    r"(?<![\w~.-])\d+\.\d+(?:e-?\d+)?(?![\w~.])"
    # An id that no operation has counts over all users.
    r"|\b[a-z_]+-0\.\d+"
)


@cache
def _varies(declared: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join((_VARIES, *declared)))


MOST_OUTCOMES = 3
"""An observation with more outcomes alone depends on the order of the user's own
arrivals, and a sample of orders may lack one."""


class Key(NamedTuple):
    """The place of an observation: its kind, operation, and details."""

    kind: Observation
    operation: int | None
    details: tuple[str, ...]


class Observed(NamedTuple):
    """One observation, and the index of the entry that completed it."""

    text: str
    entry: int


def _check(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    for user, runs in (observed.solos or {}).items():
        names = _event_names(observed)
        joint = _observations(observed.history, user, names)
        alone = [_observations(history, user, names) for history in runs]
        others = _first_of_others(observed, user)
        differences = []
        for key in {**joint, **alone[0]}:
            if not _is_comparable(key, joint, alone[0]):
                continue
            expected = {
                _text(one, key) for one in alone if _is_comparable(key, joint, one)
            }
            if _text(joint, key) in expected:
                if key in joint and joint[key].entry > others:
                    yield Opportunity()
            elif len(expected) <= MOST_OUTCOMES:
                differences.append(key)
        # Without another user's entries, no other user caused the difference.
        if differences and others < len(observed.entries):
            yield _first(observed, user, differences, joint, alone[0])


def unlike(history: History, solos: tuple[History, ...], user: int) -> int:
    """Returns the most outcomes that the solo runs have for one differing observation.

    Returns 0 if each observation of the shared run is in some solo run, too.
    """
    names = _event_names(HistoryIndex(history))
    joint = _observations(history, user, names)
    alone = [_observations(solo, user, names) for solo in solos]
    outcomes = 0
    for key in {**joint, **alone[0]}:
        if not _is_comparable(key, joint, alone[0]):
            continue
        expected = {_text(one, key) for one in alone if _is_comparable(key, joint, one)}
        if _text(joint, key) not in expected:
            outcomes = max(outcomes, len(expected))
    return outcomes


def _text(observations: Mapping[Key, Observed], key: Key) -> str | None:
    return observations[key].text if key in observations else None


def _first_of_others(observed: HistoryIndex, user: int) -> int:
    """The index from which on somebody else was active."""
    for index, entry in enumerate(observed.entries):
        if isinstance(entry, OperationStarted) and entry.user not in (None, user):
            return index
    return len(observed.entries)


# Observations


def _observations(
    history: History, user: int, names: EventNames
) -> dict[Key, Observed]:
    """Returns each observation of the user, and each row stored for them."""
    own = history.scenario.users[user].id
    attacks = {o.id for o in history.scenario.operations if names_victim(o)}
    reading = _reading(history.scenario)
    found: dict[Key, Observed] = {}
    varies = _varies(history.varying)
    for index, entry in enumerate(history.entries):
        if isinstance(entry, RowStored):
            if entry.owner == own:
                row = Key(Observation.ROW, None, (entry.thread, entry.key))
                found[row] = Observed(entry.value, index)
            continue
        if entry.user != user or entry.operation in attacks:
            continue
        if isinstance(entry, ConnectionClosed) and entry.operation not in reading:
            continue
        observation = _observe(entry, names)
        if observation is not None:
            key, text = observation
            found[key] = Observed(varies.sub("#", text), index)
    return found


def _observe(entry: Entry, names: EventNames) -> tuple[Key, str] | None:
    """Returns the place of an observation and its text, None for any other entry."""
    number = entry.operation
    match entry:
        case OperationEnded():
            text = f"{entry.outcome} {entry.value} {entry.error}"
            return Key(Observation.ANSWER, number, ()), text
        case AgentStepped():
            path = ".".join(map(str, entry.path))
            text = f"{entry.outcome} {entry.seen} {entry.identity}"
            return Key(Observation.STEP, number, (entry.step, path)), text
        case ToolRan():
            details = entry.argument, entry.moment
            text = f"{entry.tool} {entry.identity}"
            return Key(Observation.TOOL, number, details), text
        case EventReceived():
            named = _named_in(names, entry.text)
            return Key(Observation.EVENT, None, named), entry.text
        case ConnectionClosed():
            return Key(Observation.CONNECTION, number, ()), _refusal(entry.code)
        case GaugeRead():
            return Key(Observation.GAUGE, None, (entry.gauge,)), str(entry.value)
        case _:
            return None


_NO_REFUSAL = (None, 1000, 1001, 1005, 1006)
"""Close codes of a departure, a shutdown or a lost connection; any may come first."""


def _reading(scenario: Scenario) -> set[int]:
    """Returns the operations whose clients read all the time.

    The order of events decides when a client is cut off that does not read.
    """
    operations = scenario.operations
    if any(operation.stalled for operation in operations):
        return set()
    return {o.id for o in operations if not o.unread}


def _refusal(code: int | None) -> str:
    """Returns the close code of a refusal, "" for any other end."""
    return "" if code in _NO_REFUSAL else str(code)


def _event_names(observed: HistoryIndex) -> EventNames:
    """Returns the fields that name an event.

    A number that counts over all runs of a user names no event, as it depends on the
    interleaving of the runs.
    """
    names = observed.names
    if observed.counts_in_runs:
        return names
    return EventNames(run=names.run, number="")


def _named_in(names: EventNames, text: str) -> tuple[str, str]:
    """Returns run and number of an event, which name it on every connection."""
    if not names.run or not names.number:
        return "", ""
    run, number = (pattern.search(text) for pattern in _patterns(names))
    return run.group(1) if run else "", number.group(1) if number else ""


@lru_cache
def _patterns(names: EventNames) -> tuple[re.Pattern[str], re.Pattern[str]]:
    run, number = re.escape(names.run), re.escape(names.number)
    return re.compile(rf'"{run}": ?"([^"]*)"'), re.compile(rf'"{number}": ?(\d+)')


def _is_comparable(
    key: Key, joint: Mapping[Key, Observed], alone: Mapping[Key, Observed]
) -> bool:
    """Whether the observation of that place can be compared.

    Events and ends of connections are compared where both runs have them: the moment
    at which a server accepts a connection decides which events it receives.
    """
    if key.kind not in (Observation.EVENT, Observation.CONNECTION):
        return True
    return all(key.details) and key in joint and key in alone


# The fact


def _first(
    observed: HistoryIndex,
    user: int,
    differences: list[Key],
    joint: Mapping[Key, Observed],
    alone: Mapping[Key, Observed],
) -> Violation:
    end = len(observed.entries) - 1
    key = min(differences, key=lambda key: joint[key].entry if key in joint else end)
    index = joint[key].entry if key in joint else end
    together, expected = _around(_text(joint, key), _text(alone, key))
    return Violation(
        claim=_ID,
        clause="differs",
        fact=DiffersFromAlone(
            together=together,
            alone=expected,
            user=user,
            observation=key.kind,
            operation=key.operation,
            details=tuple(map(Shown, key.details)),
            cause=_cause(observed, user, index),
        ),
        entry=index,
        users=(user,),
    )


_WINDOW = 30


def _around(one: str | None, other: str | None) -> tuple[Shown | None, Shown | None]:
    """Returns excerpts around the first difference of both texts, in whole words."""
    first, second = one or "", other or ""
    pairs = enumerate(zip(first, second, strict=False))
    place = next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))
    blank = first.find(" ", max(0, place - _WINDOW), place)
    begin = 0 if place <= _WINDOW else max(blank + 1, place - _WINDOW)
    return _excerpt(one, begin, place), _excerpt(other, begin, place)


def _excerpt(text: str | None, begin: int, place: int) -> Shown | None:
    if text is None:
        return None
    end = place + _WINDOW
    if end < len(text):
        end = max(text.rfind(" ", place, end), place + _WINDOW // 2)
    lead, more = "..." * (begin > 0), "..." * (end < len(text))
    return Shown(f"{lead}{text[begin:end].rstrip()}{more}")


def _cause(observed: HistoryIndex, user: int, index: int) -> Cause | None:
    """Returns the other user's operation that did something last before the entry."""
    for entry in reversed(observed.entries[: index + 1]):
        if entry.operation is None or entry.user is None or entry.user == user:
            continue
        return Cause(user=entry.user, operation=entry.operation)
    return None


NONINTERFERENCE = Claim(
    id=_ID,
    statement=(
        "Each user observes exactly what they would observe alone, but for times and "
        "ids that nobody asked for."
    ),
    situation="a user observed something that a run without the others showed, too",
    clauses={
        "differs": (
            "each observation of a user is one that they make alone, in some order"
        ),
    },
    exception=NoninterferenceViolated,
    needs=frozenset(),
    check=_check,
    on_values=True,
    compares=True,
)
