"""The limit under which the runs of this process are timed, one by one.

Only the executor starts and ends the time, so the judging of a run, the search for a
smaller one and the import of an engine never count as part of a run.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

__all__ = ["RUN_LIMIT", "RunLimit"]


class RunLimit(Protocol):
    """A limit of one run at a time."""

    def start(self) -> None:
        """A run begins, and with it the time."""

    def end_run(self) -> None:
        """No run is under way, and no time counts."""


RUN_LIMIT: ContextVar[RunLimit | None] = ContextVar(
    "isolation_spec_run_limit", default=None
)
"""The limit of the runs in this process; None where no limit applies."""
