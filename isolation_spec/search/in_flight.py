"""Writes the scenario under way to a file before it runs, so that no crash loses it.

Each process has one small file. One system call writes it before each run; the kernel
finishes that call even if the process is killed.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TypeAlias

import msgspec

from isolation_spec.model.scenario import Scenario

__all__ = [
    "BadWorkload",
    "InFlightLog",
    "InFlightRun",
    "load_in_flight",
    "process_of",
]

MOST_BYTES = 4 * 1024 * 1024
SearchFields: TypeAlias = tuple[tuple[int, ...], int, bool, int]
"""Change points, burst, split and seed of the search around a workload."""


class BadWorkload(Exception):
    """A file cannot be read as a workload; the text says why."""


class InFlightRun(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A workload, and the run of it that began last.

    Attributes:
        seed: of the search; with `number` it decides the workload.
        number: of the workload in that search; below 0 for one of the corpus.
        workload: as it was drawn.
        search: with the workload it decides every run of it.
        run: which run of the workload this is, from 1; 0 before the first.
        scenario: the scenario of that run, under the names of that run.
        places: (kind of operation, await site) that it was the first to reach, for
            which it is in a corpus.
    """

    engine: str
    profile: str
    seed: int
    number: int
    workload: Scenario
    search: SearchFields
    run: int = 0
    scenario: Scenario | None = None
    places: tuple[tuple[str, str], ...] = ()


class InFlightLog:
    """The scenario under way in this process, in a file of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{os.getpid()}.json"
        self._file: int | None = None
        self._length = 0

    def begin(self, under_way: InFlightRun) -> None:
        """Writes a run in place of the one before.

        Raises:
            OSError: the file cannot be written.
        """
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            self._file = os.open(self.path, flags, 0o600)
        # Written over and blanks to the end of the one before: cutting it off would be
        # a second call, and to replace the file costs as much as a run.
        data = msgspec.json.encode(under_way).ljust(self._length)
        self._length = len(data)
        if os.pwrite(self._file, data, 0) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def end(self) -> None:
        """No run is under way."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self.path.unlink(missing_ok=True)


def process_of(path: Path) -> int:
    """The process of a log file; -1 if the name holds no process."""
    return int(path.stem) if path.stem.isdecimal() else -1


def load_in_flight(path: Path) -> InFlightRun:
    """The run in a file.

    Raises:
        BadWorkload: the file is missing, too large, or no workload.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        message = f"the workload {path} cannot be read: {error.strerror or error}"
        raise BadWorkload(message) from None
    if len(data) > MOST_BYTES:
        message = f"{path} is not a workload: it is larger than {MOST_BYTES} bytes"
        raise BadWorkload(message)
    try:
        found = msgspec.json.decode(data, type=InFlightRun)
        problems = list(found.workload.problems())
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        message = f"{path} is not a workload: {error}"
        raise BadWorkload(message) from None
    if problems:
        message = f"{path} is not a workload: {problems[0]}"
        raise BadWorkload(message)
    return found
