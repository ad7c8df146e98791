"""The contents of a failure file, and how it is made and saved."""

from __future__ import annotations

import os
import platform
import tempfile
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from isolation_spec.claims import Violation
from isolation_spec.failure.redaction import redact
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Scenario

__all__ = [
    "Failure",
    "file_name",
    "labels_of",
    "make_failure",
    "save",
    "unconfirmed_name",
]

MOST_STEPS = 2000
_UNCONFIRMED = ".unconfirmed"
_LONGEST_NAME = 80


class Failure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A violation that can be run again."""

    format: Annotated[
        Literal["isolation-spec-failure"],
        Meta(description="Distinguishes a failure file from any other JSON."),
    ]
    version: Annotated[Literal[2], Meta(description="The version of this form.")]
    engine: Annotated[
        str,
        Meta(
            description="The name under which the engine was verified. It is never "
            "imported: the user must give an engine that is not registered."
        ),
    ]
    claim: Annotated[str, Meta(description="The id of the claim that is violated.")]
    violation: Annotated[
        Violation,
        Meta(
            description="How it was violated. Text of the engine is redacted, except "
            "canaries and strings of the scenario."
        ),
    ]
    scenario: Annotated[
        Scenario, Meta(description="The scenario to run again; synthetic.")
    ]
    digest: Annotated[
        str,
        Meta(
            pattern="^[0-9a-f]*$",
            min_length=64,
            max_length=64,
            description="SHA-256 of all that was observed, in hexadecimal.",
        ),
    ]
    steps: Annotated[
        tuple[str, ...],
        Meta(
            max_length=MOST_STEPS,
            description="The entries of the history: kind, operation, digest of the "
            "rest. Shows where a replay drifts.",
        ),
    ]
    versions: Annotated[
        dict[str, str],
        Meta(
            max_length=64,
            description="Python and the libraries that took part -> version.",
        ),
    ]
    confirmed: Annotated[
        bool,
        Meta(description="Whether two replays in fresh worlds failed the same way."),
    ]


def make_failure(
    engine: str, history: History, violation: Violation, *, confirmed: bool
) -> Failure:
    """The failure of a history, with the schedule that the run really followed.

    Text of the engine is redacted: a file may be handed on.
    """
    scenario = msgspec.structs.replace(history.scenario, schedule=history.schedule)
    libraries = ("isolation-spec", "sqlalchemy", "aiosqlite", "websockets")
    return Failure(
        format="isolation-spec-failure",
        version=2,
        engine=engine,
        claim=violation.claim,
        violation=redact(violation, scenario),
        scenario=scenario,
        digest=history.digest(),
        steps=labels_of(history),
        versions={
            "python": platform.python_version(),
            **{name: version(name) for name in libraries},
        },
        confirmed=confirmed,
    )


def labels_of(history: History) -> tuple[str, ...]:
    """One label for each entry: its kind, its operation and a digest of the rest."""
    labels = []
    for entry in history.entries[:MOST_STEPS]:
        digest = sha256(msgspec.json.encode(entry)).hexdigest()[:8]
        kind = type(entry).__struct_config__.tag
        labels.append(f"{kind} {entry.operation or '-'} {digest}")
    return tuple(labels)


def save(failure: Failure, folder: Path) -> Path:
    """Saves the failure in the folder, atomically and readable by its owner alone.

    The name says engine, claim and, in a digest, the scenario; an unconfirmed one ends
    in `.unconfirmed.json`. A folder that is missing is made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(failure)
    data = msgspec.json.format(msgspec.json.encode(failure), indent=2)
    # Made with mode 0600 under any umask, and given its name when it is whole.
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".saving-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data + b"\n")
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def file_name(failure: Failure) -> str:
    """The name of its file: engine, claim and, in a digest, the scenario."""
    state = "" if failure.confirmed else _UNCONFIRMED
    return f"{_stem(failure.engine, failure.claim, failure.scenario)}{state}.json"


def unconfirmed_name(engine: str, claim: str, scenario: Scenario) -> str:
    """The name of the file of such a failure before it is confirmed."""
    return f"{_stem(engine, claim, scenario)}{_UNCONFIRMED}.json"


def _stem(engine: str, claim: str, scenario: Scenario) -> str:
    known = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-+._"
    name = "".join(c if c in known else "-" for c in engine)[:_LONGEST_NAME]
    digest = sha256(scenario.to_json()).hexdigest()[:8]
    return f"{name}-{claim}-{digest}"
