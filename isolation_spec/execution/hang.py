"""The report of a run that never came to its end, or that its adapter broke.

Like a failure file it is pure JSON, and nothing in it is imported or called. It has no
history, as the run did not end.
"""

from __future__ import annotations

import os
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Literal

import msgspec

from isolation_spec.model.scenario import Scenario

__all__ = [
    "SUFFIX",
    "BadHangFile",
    "HangReport",
    "hang_name",
    "load_hang",
    "save_hang",
]

SUFFIX = ".hang.json"
_MOST_BYTES = 1024 * 1024


class BadHangFile(Exception):
    """A file cannot be read as one of a run that hung or died; the text says why."""


class HangReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run that hung, took its process with it, or was broken by its adapter.

    Attributes:
        engine: the name under which the engine was verified.
        how: `hung`; `died` with the process in which it was; `broke` the contract.
        why: the time, signal or exit code, in one clause; or the broken rule.
        method: of the adapter; "" for a stack without one.
        place: file, line and function, "" if unknown.
        allowed: CPU seconds that it was given.
        scenario: with the choices that the run had followed, as far as they are known.
        stack: the innermost call last, bounded.
    """

    format: Literal["isolation-spec-hang"] = "isolation-spec-hang"
    version: Literal[1] = 1
    engine: str
    how: Literal["hung", "died", "broke"]
    why: str
    method: str = ""
    place: str = ""
    allowed: float = 0.0
    scenario: Scenario | None = None
    stack: tuple[str, ...] = ()

    def sentence(self) -> str:
        """The event, and the method of the adapter, in one sentence."""
        if self.how == "broke":
            return self.why
        where = self.method or "the engine"
        if self.place:
            where += f" ({self.place})"
        if self.how == "died":
            return f"{where} ended the process: {self.why}"
        return (
            f"{where} did not come back {self.why}: it blocks the loop, on which all "
            "users wait"
        )


def save_hang(hang: HangReport, folder: Path) -> Path:
    """Saves the report in the folder, atomically and readable by its owner alone."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hang_name(hang)
    data = msgspec.json.format(msgspec.json.encode(hang), indent=2)
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".saving-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data + b"\n")
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def hang_name(hang: HangReport) -> str:
    """The name of its file: engine, method and, in a digest, the scenario."""
    engine = "".join(c if c.isalnum() or c in "-+." else "-" for c in hang.engine)
    where = hang.method.rpartition(".")[2] or "engine"
    digest = sha256(msgspec.json.encode(hang.scenario)).hexdigest()[:8]
    return f"{engine}-{where}-{digest}{SUFFIX}"


def load_hang(path: Path) -> HangReport:
    """The report in a file.

    Raises:
        BadHangFile: it is missing, too large, or not of that form.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}"
        raise BadHangFile(message) from None
    try:
        if len(data) > _MOST_BYTES:
            message = f"it is larger than {_MOST_BYTES} bytes"
            raise ValueError(message)
        hang = msgspec.json.decode(data, type=HangReport)
        if hang.scenario is None:
            message = "it has no scenario"
            raise ValueError(message)
        for problem in hang.scenario.problems():
            raise ValueError(problem)
    except (ValueError, RecursionError) as error:
        message = f"{path} is not the file of a run that hung: {error}"
        raise BadHangFile(message) from None
    return hang
