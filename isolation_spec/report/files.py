"""Files that faces write, and listeners that fail without ending the search."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from isolation_spec.search.events import Event, Listener

__all__ = ["EventDispatcher", "write_whole"]


class EventDispatcher:
    """Tells each event to several listeners.

    One that cannot write any more is told nothing further, and the search goes on: what
    is found must not be lost because a disk is full.

    Attributes:
        problems: a sentence for each listener that failed.
    """

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self._listeners = list(listeners)
        self.problems: list[str] = []

    def __call__(self, event: Event) -> None:
        """Tells one event to all that still listen."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except OSError as error:
                self._listeners.remove(listener)
                where = getattr(listener, "path", "the terminal")
                reason = error.strerror or error
                self.problems.append(f"{where} cannot be written: {reason}")


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file in one step: whoever reads it sees all of it or none.

    Raises:
        OSError: it cannot be written.
    """
    if path.exists() and not path.is_file():
        # A device or a pipe is written to; it must not be replaced.
        path.write_bytes(data)
        return
    temporary = path.with_name(f".writing-{os.getpid()}-{path.name}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
