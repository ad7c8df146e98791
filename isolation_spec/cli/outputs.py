"""Which files a verification writes, and where.

The folder of `--output`, which a CI job uploads and anybody replays at home with
`isolation-spec replay DIR/failures`:

```
DIR/
  result.json      the result: verdict, claims with evidence, what was reached
  events.jsonl     every event of the search, as it happened
  junit.xml        a test case a claim
  results.sarif    a result a violation
  failures/        a file a failure, which replays it
  fuzz/            under the profile fuzz: what the next run goes on from
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
from isolation_spec.search.events import Event, Listener, SearchEnded
from isolation_spec.search.verification import FOLDER, FUZZ

__all__ = ["Outputs"]


class Outputs:
    """The files that were asked for: one by one, or all of them in a folder.

    Attributes:
        failures: folder for failure files.
        fuzz: folder for what one fuzzing run leaves to the next.
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
        """Says before the search what could not be kept after it, and makes room.

        Raises:
            Refused: a file or a folder cannot be written.
        """
        for folder in self._made:
            _make("files cannot be written in", folder)
        for name, path in self._files.items():
            if path is not None:
                _clear(name, path)
        _make("failures cannot be saved in", self.failures)

    def listeners(self) -> list[Listener]:
        """One for each file."""
        kinds = {
            "result": _ResultFile,
            "events": JSONLines,
            "JUnit XML": JUnit,
            "SARIF": SARIF,
        }
        return [kinds[n](path) for n, path in self._files.items() if path is not None]


class _ResultFile:
    """Writes the result, or prints it whole if it cannot be written any more."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, event: Event) -> None:
        if isinstance(event, SearchEnded):
            data = event.result.to_json()
            try:
                write_whole(self.path, data)
            except OSError:
                # What was found must not be lost because a disk is full.
                click.echo(data.decode())
                raise


def _clear(name: str, path: Path) -> None:
    """Empties what an earlier run wrote: a search that dies must not look like it."""
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
