"""Describes a run that hung, or that ended its process."""

from __future__ import annotations

import signal
from multiprocessing.process import BaseProcess

from isolation_spec.execution.attribution import attribute, frames_dumped
from isolation_spec.execution.hang import HangReport
from isolation_spec.execution.isolation.beacon import RunBeacon

__all__ = ["describe_hang"]
_DIES_WITHIN = 0.2
"""Seconds in which a process that closed its connection dies; a hung one never does."""
_MOST_FRAMES = 60
"""Innermost frames that a report keeps, so that an endless recursion fits a file."""


def describe_hang(
    beacon: RunBeacon,
    process: BaseProcess,
    *,
    engine: str,
    adapter: str,
    allowed: float,
) -> HangReport:
    """The report of a process that is late or dead; afterwards it is dead."""
    process.join(_DIES_WITHIN)
    is_late = process.is_alive()
    if is_late:
        assert process.pid is not None
        beacon.request_report(process.pid)
        process.kill()
    process.join()
    frames = frames_dumped(beacon.stack())
    method, place = attribute(frames, adapter)
    return HangReport(
        engine=engine,
        how="hung" if is_late else "died",
        why=f"within {allowed:g} CPU s" if is_late else _end_of(process.exitcode),
        method=method,
        place=place,
        allowed=allowed,
        scenario=beacon.scenario(),
        stack=tuple(map(str, frames[-_MOST_FRAMES:])),
    )


def _end_of(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
