"""Describes a run that hung, or that ended its process."""

from __future__ import annotations

import signal
from typing import Any

from isolation_spec.execution.attribution import attribute, frames_dumped
from isolation_spec.execution.hang import HangReport
from isolation_spec.execution.isolation.beacon import RunBeacon

__all__ = ["describe_hang"]
_DIES_WITHIN = 0.2
_MOST_FRAMES = 60


def describe_hang(
    slate: RunBeacon, process: Any, *, engine: str, adapter: str, allowed: float
) -> HangReport:
    """What is known of a process that is late or dead; it is dead afterwards."""
    # What closed its end of the pipe is about to die, if it has not yet.
    elapsed = slate.elapsed()
    process.join(_DIES_WITHIN)
    late = process.is_alive()
    if late:
        slate.ask(process.pid)
        process.kill()
    process.join()
    told = frames_dumped(slate.stack())
    method, place = attribute(told, adapter)
    return HangReport(
        engine=engine,
        how="hung" if late else "died",
        why=f"within {elapsed:.3g} s" if late else _ended(process.exitcode),
        method=method,
        place=place,
        allowed=allowed,
        scenario=slate.scenario(),
        stack=tuple(map(str, told[-_MOST_FRAMES:])),
    )


def _ended(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
