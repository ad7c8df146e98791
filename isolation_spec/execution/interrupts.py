"""Ctrl-C and an order to end (SIGTERM), noted at once and acted upon between two runs.

Raised in the middle of a run it would leave coroutines and connections to the
collector, which warns about each of them on the terminal.
"""

from __future__ import annotations

import signal
import threading
from typing import Any

__all__ = ["Interrupts"]


class Interrupts:
    """A context manager that notes the first interrupt, and raises the second one.

    Attributes:
        heard: whether there was one.
    """

    def __init__(self) -> None:
        self.heard = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        # Python lets only the main thread listen; elsewhere nothing changes.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, *_: object) -> None:
        if self.heard:
            raise KeyboardInterrupt
        self.heard = True

    def check(self) -> None:
        """Raises KeyboardInterrupt if there was an interrupt; call it between runs."""
        if self.heard:
            raise KeyboardInterrupt
