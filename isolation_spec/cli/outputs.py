"""The files that a verification writes.

A CI job uploads the folder of `--output`, and a developer replays its failures with
`isolation-spec replay DIR/failures`:

```
DIR/
  result.json      the result: verdict, claims with evidence, activity
  events.jsonl     every event of the search, as it happened
  junit.xml        one test case per claim
  results.sarif    one result per violation
  failures/        one failure file per violation
  fuzz/            under the profile fuzz: the corpus that the next run continues
```
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from isolation_spec.cli.errors import UsageError
from isolation_spec.report.files import write_whole
from isolation_spec.report.jsonlines import JSONLines
from isolation_spec.report.junit import JUnit
from isolation_spec.report.sarif import SARIF
from isolation_spec.search.events import Event, Listener, SearchEnded, SearchFailed
from isolation_spec.search.result import FailedResult
from isolation_spec.search.verification import FOLDER, FUZZ

__all__ = ["Outputs"]


class Outputs:
    """The files of a verification: chosen one by one, or all of them in a folder.

    Attributes:
        failures: folder for failure files.
        fuzz: folder for the corpus that one fuzzing run leaves to the next.
    """

    def __init__(
        self,
        folder: Path | None,
        json: Path | None,
        jsonl: Path | None,
        junit: Path | None,
        sarif: Path | None,
        failures: Path | None,
    ) -> None:
        def within(given: Path | None, name: str) -> Path | None:
            return folder / name if given is None and folder is not None else given

        self._files = {
            "result": within(json, "result.json"),
            "events": within(jsonl, "events.jsonl"),
            "JUnit XML": within(junit, "junit.xml"),
            "SARIF": within(sarif, "results.sarif"),
        }
        self._made = [] if folder is None else [folder]
        self.failures = within(failures, "failures") or FOLDER
        self.fuzz = within(None, "fuzz") or FUZZ

    def prepare(self) -> None:
        """Makes the folders, and removes the files of an earlier run.

        Raises:
            UsageError: a file or a folder cannot be written.
        """
        for folder in self._made:
            _make("files cannot be written in", folder)
        for name, path in self._files.items():
            if path is not None:
                _clear(name, path)
        _make("failures cannot be saved in", self.failures)

    def listeners(self) -> list[Listener]:
        """Returns a listener for each file."""
        kinds = {
            "result": _ResultFile,
            "events": JSONLines,
            "JUnit XML": JUnit,
            "SARIF": SARIF,
        }
        return [kinds[n](path) for n, path in self._files.items() if path is not None]


class _ResultFile:
    """Writes the result, or prints it whole where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, event: Event) -> None:
        if isinstance(event, SearchEnded):
            self._write(event.result.to_json())
        elif isinstance(event, SearchFailed):
            self._write(FailedResult(reasons=(event.reason,)).to_json())

    def _write(self, data: bytes) -> None:
        try:
            write_whole(self.path, data)
        except OSError:
            # The result must survive a full disk.
            click.echo(data.decode())
            raise


def _clear(name: str, path: Path) -> None:
    """Removes the file of an earlier run, as a search that dies leaves no other."""
    try:
        path.open("ab").close()
        if path.is_file():
            path.unlink()
    except OSError as error:
        message = f"the {name} cannot be written to {path}: {error.strerror}"
        raise UsageError(message) from None


def _make(failing: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{failing} {folder}: {error.strerror}"
        raise UsageError(message) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        message = f"{failing} {folder}: it is not writable"
        raise UsageError(message)
