"""Writes report files, and keeps a failing listener from ending the search."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from isolation_spec.search.events import Event, Listener

__all__ = ["EventDispatcher", "write_whole"]


class EventDispatcher:
    """Sends each event to several listeners.

    A listener that cannot write gets no further events, and the search goes on: its
    findings must survive a full disk.

    Attributes:
        problems: a sentence for each listener that failed.
    """

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self._listeners = list(listeners)
        self.problems: list[str] = []

    def __call__(self, event: Event) -> None:
        """Sends one event to the remaining listeners."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except OSError as error:
                self._listeners.remove(listener)
                where = getattr(listener, "path", "the terminal")
                reason = error.strerror or error
                self.problems.append(f"{where} cannot be written: {reason}")


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file in one step, so that no reader sees a part of it.

    Raises:
        OSError: the file cannot be written.
    """
    if path.exists() and not path.is_file():
        # A device or a pipe must not be replaced by a file.
        path.write_bytes(data)
        return
    temporary = path.with_name(f".writing-{os.getpid()}-{path.name}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
