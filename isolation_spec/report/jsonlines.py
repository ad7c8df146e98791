"""Writes each event as it happens, one JSON object per line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from isolation_spec.search.events import Event

__all__ = ["JSONLines"]


class JSONLines:
    """Writes each event with its fields, and `seconds` since the search began.

    Each line is in the file before the search goes on. The file is ASCII, and any other
    character is escaped, so that every reader accepts it.

    Attributes:
        path: the file, which replaces an earlier one.
    """

    def __init__(
        self, path: Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path = path
        self._clock = clock
        self._started = clock()
        path.write_bytes(b"")

    def __call__(self, event: Event) -> None:
        """Writes one event."""
        seconds = round(self._clock() - self._started, 3)
        fields = {**msgspec.to_builtins(event), "seconds": seconds}
        # Opened for each line, so that forked workers inherit no open file.
        with self.path.open("a", encoding="ascii") as file:
            file.write(json.dumps(fields) + "\n")
