"""Reads the folder of a verification: `result.json` and, if written, `events.jsonl`.

`events.jsonl` has one JSON object per line: an event, with its time in "seconds" from
the start of the search.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from isolation_spec.diagnosis.wording import describe_violation
from isolation_spec.search.events import (
    Event,
    FailureFound,
    FailureSaved,
    Progressed,
    Shrunk,
)
from isolation_spec.search.result import Result

__all__ = [
    "BadRunFolder",
    "Catch",
    "Progress",
    "RunFolder",
    "load_run",
]

RESULT = "result.json"
EVENTS = "events.jsonl"
_MOST_BYTES = 16 * 1024 * 1024
_LONGEST_LINE = 4 * 1024 * 1024
_MOST_PROGRESS = 400
_MOST_CATCHES = 1000


class BadRunFolder(Exception):
    """A folder holds no verification run; the message names the file and the reason."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of the search after so many seconds."""

    seconds: float
    examples: int
    interleavings: int


class Catch(msgspec.Struct, frozen=True, kw_only=True):
    """A violation, and the outcomes of shrinking and of confirming it.

    Attributes:
        interleavings: the number searched until then.
        shrunk: operations before and after shrinking, None without shrinking.
        confirmed: whether two replays failed the same way.
    """

    claim: str
    observation: str
    seconds: float
    interleavings: int
    path: str
    shrunk: tuple[int, int] | None = None
    saved: float | None = None
    confirmed: bool = False


class RunFolder(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run.

    Attributes:
        progress: a bounded sample, in order of time.
        timed: whether the folder has an `events.jsonl`.
    """

    result: Result
    progress: tuple[Progress, ...] = ()
    catches: tuple[Catch, ...] = ()
    timed: bool = False


def load_run(folder: Path) -> RunFolder:
    """Returns the run that a verification left in a folder.

    Raises:
        BadRunFolder: the result is missing, or a file has another form.
    """
    result = _result(folder / RESULT)
    events = folder / EVENTS
    try:
        with events.open("rb") as file:
            return _Reading(result, events).read(file)
    except FileNotFoundError:
        return RunFolder(result=result)
    except OSError as error:
        message = f"{events} cannot be read: {error.strerror or error}"
        raise BadRunFolder(message) from None


def _result(path: Path) -> Result:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        message = (
            f"{path} cannot be read: {error.strerror or error}; give the folder that "
            "`isolation-spec verify` wrote"
        )
        raise BadRunFolder(message) from None
    if len(data) > _MOST_BYTES:
        message = f"{path} is no result: it is larger than {_MOST_BYTES} bytes"
        raise BadRunFolder(message)
    try:
        return msgspec.json.decode(data, type=Result)
    except (msgspec.DecodeError, RecursionError) as error:
        message = f"{path} is no result: {_first_line(error)}"
        raise BadRunFolder(message) from None


class _Seconds(msgspec.Struct):
    seconds: float


class _Reading:
    """One pass over the events, in bounded memory."""

    def __init__(self, result: Result, path: Path) -> None:
        self.result = result
        self.path = path
        self.progress: list[Progress] = []
        self.catches: dict[str, Catch] = {}
        self.every = 1
        self.interleavings = 0
        self._event = msgspec.json.Decoder(Event)
        self._seconds = msgspec.json.Decoder(_Seconds)

    def read(self, file: BinaryIO) -> RunFolder:
        """Returns the run with a sample of the events."""
        latest = 0.0
        for number, line in enumerate(self._lines(file), 1):
            seconds, event = self._decode(number, line)
            if not math.isfinite(seconds) or seconds < latest:
                raise self._bad(number, f'"seconds" is {seconds} after {latest}')
            latest = seconds
            self._take(number, seconds, event)
        return RunFolder(
            result=self.result,
            progress=tuple(self.progress),
            catches=tuple(self.catches.values())[:_MOST_CATCHES],
            timed=True,
        )

    def _lines(self, file: BinaryIO) -> Iterator[bytes]:
        number = 0
        while line := file.readline(_LONGEST_LINE + 1):
            number += 1
            if len(line) > _LONGEST_LINE:
                raise self._bad(number, f"it is longer than {_LONGEST_LINE} bytes")
            yield line

    def _decode(self, number: int, line: bytes) -> tuple[float, Event]:
        try:
            return self._seconds.decode(line).seconds, self._event.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise self._bad(number, _first_line(error)) from None

    def _bad(self, number: int, why: str) -> BadRunFolder:
        return BadRunFolder(f"{self.path} line {number} is no event: {why}")

    def _take(self, number: int, seconds: float, event: Event) -> None:
        match event:
            case Progressed():
                self.interleavings = event.interleavings
                self._progressed(number, seconds, event)
            case FailureFound():
                claim = event.violation.claim
                self.catches[claim] = Catch(
                    claim=claim,
                    observation=event.observation,
                    seconds=seconds,
                    interleavings=self.interleavings,
                    path=event.path,
                )
            case Shrunk() if event.claim in self.catches:
                self._change(event.claim, shrunk=(event.before[0], event.after[0]))
            case FailureSaved():
                claim = event.violation.claim
                if claim not in self.catches:
                    found = FailureFound(
                        violation=event.violation,
                        observation=describe_violation(
                            event.violation, event.scenario.users
                        ).however,
                        path=event.path,
                    )
                    self._take(number, seconds, found)
                self._change(
                    claim, path=event.path, saved=seconds, confirmed=event.confirmed
                )

    def _change(self, claim: str, **changes: object) -> None:
        self.catches[claim] = msgspec.structs.replace(self.catches[claim], **changes)

    def _progressed(self, number: int, seconds: float, event: Progressed) -> None:
        if number % self.every:
            return
        self.progress.append(
            Progress(
                seconds=seconds,
                examples=event.examples,
                interleavings=event.interleavings,
            )
        )
        if len(self.progress) > _MOST_PROGRESS:
            del self.progress[::2]
            self.every *= 2


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]
