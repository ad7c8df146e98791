"""Saves failures and hangs in files, and reports each that cannot be saved."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from isolation_spec.execution.hang import HangReport, hang_name, save_hang
from isolation_spec.failure import Failure, file_name, save
from isolation_spec.search.events import Listener, NotSaved

__all__ = ["FailureStore", "Unsaved"]


class Unsaved(msgspec.Struct, frozen=True, kw_only=True):
    """A file that could not be written: its path, its whole content, and why.

    Without `data` the file is no longer needed.
    """

    path: str
    problem: str
    data: str


class FailureStore:
    """Saves failures in one folder, and holds unsaved ones until `report_unsaved`.

    Arguments:
        folder: made when it is needed.
        listen: takes an event for each file that could not be saved.

    Attributes:
        unsaved_listener: takes unsaved files, instead of this store.
    """

    def __init__(self, folder: Path, listen: Listener) -> None:
        self.folder = folder
        self.listen = listen
        self.unsaved_listener: Callable[[Unsaved], None] = self.take_unsaved
        self._hangs: dict[tuple[str, str, str], list[str]] = {}
        self._sentences: list[str] = []
        self._unsaved: dict[str, Unsaved] = {}
        self._missed: set[Path] = set()

    @property
    def hangs(self) -> tuple[str, ...]:
        """Paths of the runs that hung or died."""
        paths = (path for paths in self._hangs.values() for path in paths)
        return tuple(dict.fromkeys(path for path in paths if path))

    @property
    def reasons(self) -> list[str]:
        """Why the verdict is not green: one sentence for each method that hung."""
        times = [len(paths) for paths in self._hangs.values()]
        return [
            sentence + (f"; {count} runs ended like this" if count > 1 else "")
            for sentence, count in zip(self._sentences, times, strict=True)
        ]

    def save(self, failure: Failure) -> Path:
        """The path of the failure file, even if it could not be written."""
        try:
            return save(failure, self.folder)
        except OSError as error:
            path = self.folder / file_name(failure)
            self._miss(path, error, failure)
            return path

    def path_of(self, path: Path) -> str:
        """The path of a file that was saved, "" if it could not be written."""
        return "" if path in self._missed else str(path)

    def drop(self, path: Path) -> None:
        """Removes a failure file that a better one replaces."""
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        self.unsaved_listener(Unsaved(path=str(path), problem="", data=""))

    def save_hang(self, hang: HangReport) -> str:
        """The path of a run that hung or died, "" if its scenario is unknown."""
        broken = hang.why if hang.how == "broke" else ""
        kind = (hang.how, hang.method, hang.place or broken)
        if kind not in self._hangs:
            self._hangs[kind] = []
            self._sentences.append(hang.sentence())
        path = self._write_hang(hang) if hang.scenario is not None else ""
        self._hangs[kind].append(path)
        return path

    def _write_hang(self, hang: HangReport) -> str:
        try:
            return str(save_hang(hang, self.folder))
        except OSError as error:
            self._miss(self.folder / hang_name(hang), error, hang)
            return ""

    def take_unsaved(self, unsaved: Unsaved) -> None:
        """Holds a file that could not be written, or drops it."""
        if unsaved.data:
            self._unsaved[unsaved.path] = unsaved
        else:
            self._unsaved.pop(unsaved.path, None)

    def report_unsaved(self) -> None:
        """Reports each file that could not be written, with its whole content."""
        for one in self._unsaved.values():
            event = NotSaved(path=one.path, problem=one.problem, data=one.data)
            self.listen(event)
        self._unsaved.clear()

    def _miss(self, path: Path, error: OSError, content: Failure | HangReport) -> None:
        self._missed.add(path)
        problem = error.strerror or str(error)
        data = msgspec.json.encode(content).decode()
        self.unsaved_listener(Unsaved(path=str(path), problem=problem, data=data))
