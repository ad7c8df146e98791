"""Shows a parent process the run that its child is in, in memory that both share.

Before each run the child writes the scenario and the time to a *beacon*. If the run
exceeds its time limit, a signal makes the child write its stack and the choices of its
scheduler; then the parent kills it. A child that crashes writes its stack, if it can.
"""

from __future__ import annotations

import contextlib
import faulthandler
import mmap
import os
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import msgspec

from isolation_spec.execution.isolation.time_limit import ANSWERS_WITHIN
from isolation_spec.model.scenario import Scenario, Schedule
from isolation_spec.world.schedulers.base import Scheduler

__all__ = ["RunBeacon", "silence", "with_heartbeat"]

_REPORT = getattr(signal, "SIGRTMAX", signal.SIGUSR1 + 4) - 4
"""Makes a child report. Engines rarely handle a real-time signal."""
_HEAD = struct.Struct("=dqqq")
"""Start of the run, number of the workload, bytes of the scenario, of the schedule."""
_NO_NUMBER = -(2**62)
_HALF = 512 * 1024
"""Room for the scenario, and for its schedule: of 40 crowds of `deep`, the largest took
23 KB. A larger scenario is left out of the report."""


class RunBeacon:
    """The run under way in a child process.

    The parent makes it before it forks. The child calls the first half of the methods,
    the parent the second half.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _HEAD.size + 2 * _HALF)
        self._stack = cast(BinaryIO, tempfile.TemporaryFile(buffering=0))  # noqa: SIM115
        self._scheduler: Scheduler | None = None
        _HEAD.pack_into(self._memory, 0, 0.0, _NO_NUMBER, 0, 0)

    # In the child

    def install(self) -> None:
        """Makes this process report on request, and discards its standard output.

        The prints of an engine in thousands of runs would bury the result.
        """
        signal.signal(_REPORT, lambda *_: self._write_schedule())
        # First the stack, which needs no running Python; then, if possible, the
        # choices of the scheduler.
        faulthandler.register(_REPORT, file=self._stack, chain=True)
        faulthandler.enable(file=self._stack)
        leave = os._exit

        def report_and_leave(code: int) -> None:
            if self.is_running():
                faulthandler.dump_traceback(file=self._stack)
                self._write_schedule()
            leave(code)

        os._exit = report_and_leave  # type: ignore[assignment]
        silence()

    def begin_run(self, number: int, scenario: Scenario, scheduler: Scheduler) -> None:
        """A run of the workload of that number begins."""
        self._scheduler = scheduler
        data = msgspec.msgpack.encode(scenario)
        size = len(data) if len(data) <= _HALF else 0
        self._memory[_HEAD.size : _HEAD.size + size] = data[:size]
        _HEAD.pack_into(self._memory, 0, time.monotonic(), number, size, 0)

    def beat(self) -> None:
        """The time limit counts anew, for another run of the same scenario."""
        struct.pack_into("=d", self._memory, 0, time.monotonic())

    def end_run(self) -> None:
        """No run is under way."""
        struct.pack_into("=d", self._memory, 0, 0.0)

    def _write_schedule(self) -> None:
        if self._scheduler is None:
            return
        data = msgspec.msgpack.encode(self._scheduler.executed_schedule())
        start = _HEAD.size + _HALF
        self._memory[start : start + len(data)] = data
        struct.pack_into("=q", self._memory, _HEAD.size - 8, len(data))

    # In the parent

    @property
    def number(self) -> int | None:
        """The number of the workload of the last run, None before the first run."""
        number = int(_HEAD.unpack_from(self._memory)[1])
        return None if number == _NO_NUMBER else number

    def is_running(self) -> bool:
        """Whether a run is under way."""
        return bool(_HEAD.unpack_from(self._memory)[0])

    def elapsed(self) -> float:
        """Seconds since the run began, 0 between runs."""
        since = _HEAD.unpack_from(self._memory)[0]
        return time.monotonic() - since if since else 0.0

    def is_late(self, allowed: float) -> bool:
        """Whether the run takes longer than so many seconds."""
        return self.elapsed() > allowed

    def request_report(self, pid: int) -> None:
        """Makes the child report, and waits for it for at most a second."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, _REPORT)
        deadline = time.monotonic() + ANSWERS_WITHIN
        while time.monotonic() < deadline and not _HEAD.unpack_from(self._memory)[3]:
            time.sleep(0.01)

    def scenario(self) -> Scenario | None:
        """The scenario of the last run, with its choices if the child reported them."""
        _, _, size, choices = _HEAD.unpack_from(self._memory)
        if not size:
            return None
        start = _HEAD.size
        data = self._memory[start : start + size]
        scenario = msgspec.msgpack.decode(data, type=Scenario)
        if not choices:
            return scenario
        start += _HALF
        data = self._memory[start : start + choices]
        schedule = msgspec.msgpack.decode(data, type=Schedule)
        return msgspec.structs.replace(scenario, schedule=schedule)

    def stack(self) -> str:
        """The stack that the child wrote, "" if it wrote nothing."""
        self._stack.seek(0)
        return self._stack.read().decode("utf-8", "replace")

    def close(self) -> None:
        """Gives the memory back."""
        self._memory.close()
        self._stack.close()


def silence() -> None:
    """Discards the standard output of this process; errors stay visible."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)
    sys.stdout = open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115


def with_heartbeat(make: Callable[[], Any], beacon: RunBeacon) -> Callable[[], Any]:
    """The same factory; it beats each time, as each run calls it once."""

    def make_and_beat() -> Any:
        beacon.beat()
        return make()

    return make_and_beat
