"""Keeps what a search finds: in files, and where that fails, in the output, whole."""

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
    """What could not be saved, why, and under which name it should have been.

    Without `data` it is no longer worth being told.
    """

    path: str
    problem: str
    data: str


class FailureStore:
    """Saves failures in one folder; holds those that it cannot save until `tell`.

    Arguments:
        folder: made when it is needed.
        listen: is told what could not be saved.

    Attributes:
        folder: where all is saved.
        unsaved_listener: takes what could not be saved, instead of this keeper.
    """

    def __init__(self, folder: Path, listen: Listener) -> None:
        self.folder = folder
        self.listen = listen
        self.unsaved_listener: Callable[[Unsaved], None] = self.take_unsaved
        self._stuck: dict[tuple[str, str, str], list[str]] = {}
        self._sentences: list[str] = []
        self._unsaved: dict[str, Unsaved] = {}
        self._missed: set[Path] = set()

    @property
    def stuck(self) -> tuple[str, ...]:
        """Paths of the runs that hung or died."""
        paths = (path for paths in self._stuck.values() for path in paths)
        return tuple(dict.fromkeys(path for path in paths if path))

    @property
    def reasons(self) -> list[str]:
        """What keeps a verdict from being green, a sentence for each method."""
        times = [len(paths) for paths in self._stuck.values()]
        return [
            sentence + (f"; {count} runs ended like this" if count > 1 else "")
            for sentence, count in zip(self._sentences, times, strict=True)
        ]

    def keep(self, failure: Failure) -> Path:
        """Where the failure is, or would be if it could be saved."""
        try:
            return save(failure, self.folder)
        except OSError as error:
            path = self.folder / file_name(failure)
            self._miss(path, error, failure)
            return path

    def place(self, path: Path) -> str:
        """The path of what was kept, "" if it could not be saved."""
        return "" if path in self._missed else str(path)

    def drop(self, path: Path) -> None:
        """A failure that was kept is no longer worth it."""
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        self.unsaved_listener(Unsaved(path=str(path), problem="", data=""))

    def keep_stuck(self, stuck: HangReport) -> str:
        """Keeps a run that hung or died, if it is known which; its path, else ""."""
        kind = (stuck.how, stuck.method, stuck.place)
        if kind not in self._stuck:
            self._stuck[kind] = []
            self._sentences.append(stuck.sentence())
        path = self._saved(stuck) if stuck.scenario is not None else ""
        self._stuck[kind].append(path)
        return path

    def _saved(self, stuck: HangReport) -> str:
        try:
            return str(save_hang(stuck, self.folder))
        except OSError as error:
            self._miss(self.folder / hang_name(stuck), error, stuck)
            return ""

    def take_unsaved(self, unsaved: Unsaved) -> None:
        """Holds what could not be saved, or drops it."""
        if unsaved.data:
            self._unsaved[unsaved.path] = unsaved
        else:
            self._unsaved.pop(unsaved.path, None)

    def tell(self) -> None:
        """Tells what could not be saved, whole."""
        for one in self._unsaved.values():
            event = NotSaved(path=one.path, problem=one.problem, data=one.data)
            self.listen(event)
        self._unsaved.clear()

    def _miss(self, path: Path, error: OSError, what: Failure | HangReport) -> None:
        self._missed.add(path)
        problem = error.strerror or str(error)
        data = msgspec.json.encode(what).decode()
        self.unsaved_listener(Unsaved(path=str(path), problem=problem, data=data))
