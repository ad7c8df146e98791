"""Every event as one JSON object on a line, as it happens."""

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

    Each line is in the file before the next thing happens. What JSON has no characters
    for is escaped, so that any reader takes it.

    Attributes:
        path: where it writes; what was there is replaced.
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
        # Opened for each line: nothing is left open, and workers inherit nothing.
        with self.path.open("a", encoding="ascii") as file:
            file.write(json.dumps(fields) + "\n")
