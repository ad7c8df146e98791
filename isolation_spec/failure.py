"""The failure file: what it holds, how it is saved, loaded and replayed.

Pure JSON, versioned, checked before it is believed and bounded before it is read.
Nothing in it is ever imported, called or unpickled: an engine that it names and that is
not registered must be given by the user.
"""

from __future__ import annotations

import enum
import json
import math
import os
import platform
import tempfile
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import msgspec

from isolation_spec.adapter import Adapter
from isolation_spec.claims import CLAIMS, Judgement, Verdict, Violation, find_claim
from isolation_spec.history import History
from isolation_spec.run import run
from isolation_spec.scenario import Scenario
from isolation_spec.solo import judge_with_solos

__all__ = [
    "BadFailureFile",
    "Failure",
    "Outcome",
    "Replay",
    "file_name",
    "load",
    "make_failure",
    "replay",
    "save",
]

FORMAT = "isolation-spec-failure"
VERSION = 1
MOST_BYTES = 1024 * 1024
MOST_OPERATIONS = 10_000
MOST_USERS = 64
MOST_DEPTH = 32
MOST_STEPS = 2000
_LONGEST = 300


class BadFailureFile(Exception):
    """A file cannot be read as a failure file; the text says why, and where."""


class Failure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A violation that can be run again.

    Attributes:
        engine: the name under which the engine was verified.
        digest: of all that was observed when the failure was saved.
        steps: bounded labels of what was observed, in order; shows where a replay
            drifts.
        versions: of Python and the libraries that take part.
        confirmed: True if two replays in fresh worlds failed the same way.
    """

    format: Literal["isolation-spec-failure"]
    version: Literal[1]
    engine: str
    claim: str
    violation: Violation
    scenario: Scenario
    digest: str
    steps: tuple[str, ...]
    versions: dict[str, str]
    confirmed: bool


def make_failure(
    engine: str, history: History, violation: Violation, *, confirmed: bool
) -> Failure:
    """The failure of a history, with the schedule that the run really followed."""
    scenario = msgspec.structs.replace(history.scenario, schedule=history.schedule)
    libraries = ("isolation-spec", "sqlalchemy", "aiosqlite", "websockets")
    return Failure(
        format="isolation-spec-failure",
        version=1,
        engine=engine,
        claim=violation.claim,
        violation=violation,
        scenario=scenario,
        digest=history.digest(),
        steps=_labels(history),
        versions={
            "python": platform.python_version(),
            **{name: version(name) for name in libraries},
        },
        confirmed=confirmed,
    )


def _labels(history: History) -> tuple[str, ...]:
    """One label for each entry: its kind, its operation and a digest of the rest."""
    labels = []
    for entry in history.entries[:MOST_STEPS]:
        digest = sha256(msgspec.json.encode(entry)).hexdigest()[:8]
        kind = type(entry).__struct_config__.tag
        labels.append(f"{kind} {entry.operation or '-'} {digest}")
    return tuple(labels)


# Saving


def save(failure: Failure, folder: Path) -> Path:
    """Saves the failure in the folder, atomically and readable by its owner alone.

    The name says engine, claim and, in a digest, the scenario; an unconfirmed one ends
    in `.unconfirmed.json`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(failure)
    data = msgspec.json.format(msgspec.json.encode(failure), indent=2)
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".saving-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data + b"\n")
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def file_name(failure: Failure) -> str:
    """The name of its file."""
    engine = "".join(c if c.isalnum() or c in "-+." else "-" for c in failure.engine)
    digest = sha256(failure.scenario.to_json()).hexdigest()[:8]
    state = "" if failure.confirmed else ".unconfirmed"
    return f"{engine}-{failure.claim}-{digest}{state}.json"


# Loading


def load(path: Path) -> Failure:
    """The failure in a file.

    Raises:
        BadFailureFile: the file is missing, too large, not JSON, of another version, or
            not of the form of a failure.
    """
    data = _parse(path, _read(path))
    _check_head(path, data)
    try:
        failure = msgspec.convert(data, Failure)
        # Lone surrogates pass as JSON, but are no text.
        msgspec.json.encode(failure)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise _bad(path, f"{error}") from None
    for problem in _problems(failure):
        raise _bad(path, problem)
    return failure


def _bad(path: Path, problem: str) -> BadFailureFile:
    said = "".join(c if c.isprintable() else repr(c)[1:-1] for c in problem)
    if len(said) > _LONGEST:
        said = f"{said[:_LONGEST]}..."
    return BadFailureFile(f"{path} is not a failure file: {said}")


def _read(path: Path) -> bytes:
    try:
        # Anything but a file, a named pipe for example, might be waited for for ever.
        if not path.is_dir() and path.exists() and not path.is_file():
            raise _bad(path, "it is not a regular file")
        with path.open("rb") as file:
            # One byte more than may be: a file of any size costs no more than that.
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}"
        raise BadFailureFile(message) from None
    if len(data) > MOST_BYTES:
        raise _bad(path, f"it is larger than {MOST_BYTES} bytes")
    return data


def _parse(path: Path, data: bytes) -> Any:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad(path, f"byte {error.start} is not UTF-8") from None
    if _depth(text) > MOST_DEPTH:
        raise _bad(path, f"it is nested deeper than {MOST_DEPTH}")
    try:
        return json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise _bad(path, f"not JSON at {where}: {error.msg}") from None
    except ValueError as error:
        raise _bad(path, str(error)) from None


def _depth(text: str) -> int:
    """The deepest nesting of brackets outside strings."""
    depth = deepest = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                message = f"the key {name[:40]!r} stands twice in one object"
                raise ValueError(message)
            seen.add(name)
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        message = f"the number {text[:40]} is too large"
        raise ValueError(message)
    return number


def _refuse_constant(name: str) -> Any:
    message = f"{name} is not a JSON number"
    raise ValueError(message)


def _check_head(path: Path, data: Any) -> None:
    """Says what a file is instead before the details of its form are checked."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise _bad(path, f'its "format" is not "{FORMAT}"')
    found = data.get("version")
    if isinstance(found, int) and not isinstance(found, bool) and found > VERSION:
        raise _bad(
            path,
            f"its version is {found}, and this isolation-spec reads up to {VERSION}: "
            "replay it with a newer one",
        )


def _problems(failure: Failure) -> list[str]:
    scenario = failure.scenario
    problems = list(scenario.problems())
    if len(scenario.operations) > MOST_OPERATIONS:
        problems.append(f"it has more than {MOST_OPERATIONS} operations")
    if len(scenario.users) > MOST_USERS:
        problems.append(f"it has more than {MOST_USERS} users")
    known = [claim.id for claim in CLAIMS]
    if failure.claim not in known:
        problems.append(
            f"its claim {failure.claim[:40]!r} is none of {', '.join(known)}"
        )
    return problems


# Replaying


class Outcome(enum.StrEnum):
    """What a replay showed."""

    REPRODUCED = "REPRODUCED"
    """The same claim is violated again."""
    FIXED = "FIXED"
    """The claim holds with evidence, and every choice found its place."""
    DRIFTED = "DRIFTED"
    """Not violated, but the run is no longer the one that was saved."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a replay; `note` says what differed from the saved run."""

    outcome: Outcome
    history: History
    judgement: Judgement
    note: str = ""


def replay(failure: Failure, make_adapter: Callable[[], Adapter]) -> Replay:
    """Runs the scenario of a failure once, in a fresh world."""
    history = run(failure.scenario, make_adapter)
    (judgement,) = judge_with_solos(history, make_adapter, (find_claim(failure.claim),))
    drift = _drift(failure, history)
    if judgement.verdict is Verdict.VIOLATED:
        outcome = Outcome.REPRODUCED
    elif judgement.verdict is Verdict.HOLDS and not history.unused:
        outcome, drift = Outcome.FIXED, ""
    else:
        outcome = Outcome.DRIFTED
        if history.unused:
            drift = f"no place for the {', '.join(history.unused)}; {drift}"
        drift = f"{judgement.verdict}: {judgement.reason}; {drift}".strip("; ")
    return Replay(outcome=outcome, history=history, judgement=judgement, note=drift)


def _drift(failure: Failure, history: History) -> str:
    """Where the run first differs from the saved one, "" if nowhere."""
    if history.digest() == failure.digest:
        return ""
    now = _labels(history)
    for index, (expected, saw) in enumerate(zip(failure.steps, now, strict=False)):
        if expected != saw:
            return f"at step {index + 1}: expected {expected!r}, saw {saw!r}"
    return f"after step {min(len(now), len(failure.steps))} one run has more steps"
