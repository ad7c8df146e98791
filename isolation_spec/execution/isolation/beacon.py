"""Shows a parent process the run that its child is in, in memory that both share.

Before each run the child writes the scenario and its CPU time to a *beacon*. If the
thread of the run sleeps, a signal makes the child leave the wait. If the run exceeds
its time limit, another one makes it write its stack and the choices of its scheduler;
then the parent kills it. A child that crashes writes its stack, if it can.
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
import threading
import time
from typing import BinaryIO, cast

import msgspec

from isolation_spec.execution.isolation.run_watch import RunClock
from isolation_spec.execution.isolation.time_limit import (
    ANSWERS_WITHIN,
    leave_wait,
    report_wait,
)
from isolation_spec.model.scenario import Scenario, Schedule
from isolation_spec.world.schedulers.base import Scheduler

__all__ = ["RunBeacon", "silence"]

_REPORT = getattr(signal, "SIGRTMAX", signal.SIGUSR1 + 4) - 4
"""Makes a child report. Engines rarely handle a real-time signal."""
_BREAK = _REPORT - 1
"""Makes a child leave a wait."""
_NOTE = _REPORT - 2
"""Makes a child report a wait, and wait on."""
_CLOCK = struct.Struct("=qdqqd")
"""The fields of `RunClock`."""
_HEAD = struct.Struct(f"{_CLOCK.format}qqq")
"""The clock, the number of the workload, bytes of the scenario and of the schedule."""
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
        self._runs = 0
        self._is_working = False
        self._write_clock(0)
        self._write_sizes(_NO_NUMBER, 0)

    # In the child

    def install(self) -> None:
        """Makes this process report on request, and discards its standard output.

        The prints of an engine in thousands of runs would bury the result.
        """
        self._is_working = True
        signal.signal(_BREAK, lambda _, frame: leave_wait(frame))
        signal.signal(_NOTE, lambda _, frame: report_wait(frame))
        # Calls of libraries that know no EINTR go on.
        signal.siginterrupt(_NOTE, False)
        signal.signal(_REPORT, lambda *_: self._write_schedule())
        # First the stack, which needs no running Python; then, if possible, the
        # choices of the scheduler.
        faulthandler.register(_REPORT, file=self._stack, chain=True)
        faulthandler.enable(file=self._stack)
        leave = os._exit

        def report_and_leave(code: int) -> None:
            if self._is_working:
                faulthandler.dump_traceback(file=self._stack)
                self._write_schedule()
            leave(code)

        os._exit = report_and_leave  # type: ignore[assignment]
        silence()

    def begin_run(self, number: int, scenario: Scenario, scheduler: Scheduler) -> None:
        """The next run is of the workload of that number."""
        self._scheduler = scheduler
        data = msgspec.msgpack.encode(scenario)
        size = len(data) if len(data) <= _HALF else 0
        self._memory[_HEAD.size : _HEAD.size + size] = data[:size]
        self._write_sizes(number, size)

    def start(self) -> None:
        """A run begins, and with it the time."""
        self._runs += 1
        self._write_clock(self._runs)

    def end_run(self) -> None:
        """No run is under way."""
        self._write_clock(0)

    def end_work(self) -> None:
        """The work of this process is over: its end is no news."""
        self.end_run()
        self._is_working = False

    def _write_clock(self, run: int) -> None:
        _CLOCK.pack_into(
            self._memory,
            0,
            run,
            time.thread_time(),
            os.getpid(),
            threading.get_native_id(),
            time.monotonic(),
        )

    def _write_sizes(self, number: int, scenario: int, schedule: int = 0) -> None:
        sizes = (number, scenario, schedule)
        struct.pack_into("=qqq", self._memory, _CLOCK.size, *sizes)

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
        number = int(_HEAD.unpack_from(self._memory)[-3])
        return None if number == _NO_NUMBER else number

    def is_running(self) -> bool:
        """Whether a run is under way."""
        return bool(self.clock().run)

    def clock(self) -> RunClock:
        """The run under way."""
        return RunClock(*_CLOCK.unpack_from(self._memory))

    def break_wait(self, pid: int) -> None:
        """Makes the child leave the wait in which its thread sleeps."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, _BREAK)

    def note_wait(self, pid: int) -> None:
        """Makes the child report the wait in which its thread sleeps."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, _NOTE)

    def request_report(self, pid: int) -> None:
        """Makes the child report, and waits for it for at most a second."""
        struct.pack_into("=q", self._memory, _HEAD.size - 8, 0)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, _REPORT)
        deadline = time.monotonic() + ANSWERS_WITHIN
        while time.monotonic() < deadline and not _HEAD.unpack_from(self._memory)[-1]:
            time.sleep(0.01)

    def scenario(self) -> Scenario | None:
        """The scenario of the last run, with its choices if the child reported them."""
        *_, size, choices = _HEAD.unpack_from(self._memory)
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
