"""Watches a process in which an engine runs, from outside, as nothing inside can.

Before each run the process writes on a *slate*, memory that it shares with its parent,
what it is about to run and since when. If the run takes longer than it is allowed to, a
signal makes the process write its stack and the choices that its scheduler made; then
the parent kills it. What dies of itself leaves its stack too, as far as it can.
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

_ASK = getattr(signal, "SIGRTMAX", signal.SIGUSR1 + 4) - 4
"""One that no engine is likely to take for itself."""
_HEAD = struct.Struct("=dqqq")
"""Since when, number of the workload, bytes of the scenario, of the schedule."""
_NO_NUMBER = -(2**62)
_HALF = 512 * 1024


class RunBeacon:
    """What one process says about the run in which it is.

    Made before the process is forked; `install` and what follows it is for the process,
    the rest for its parent.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _HEAD.size + 2 * _HALF)
        self._stack = cast(BinaryIO, tempfile.TemporaryFile(buffering=0))  # noqa: SIM115
        self._scheduler: Scheduler | None = None
        _HEAD.pack_into(self._memory, 0, 0.0, _NO_NUMBER, 0, 0)

    # In the process

    def install(self) -> None:
        """Makes this process answer, and keeps what the engine prints from the output.

        What an engine prints in thousands of runs would bury what is to be read.
        """
        signal.signal(_ASK, lambda *_: self._tell())
        # First the stack, which needs no Python to run; then, if it can, the choices.
        faulthandler.register(_ASK, file=self._stack, chain=True)
        faulthandler.enable(file=self._stack)
        leave = os._exit

        def tell_and_leave(code: int) -> None:
            if self.is_running():
                faulthandler.dump_traceback(file=self._stack)
                self._tell()
            leave(code)

        os._exit = tell_and_leave  # type: ignore[assignment]
        silence()

    def began(self, number: int, scenario: Scenario, scheduler: Scheduler) -> None:
        """A run begins, of the workload of that number."""
        self._scheduler = scheduler
        data = msgspec.msgpack.encode(scenario)
        size = len(data) if len(data) <= _HALF else 0
        self._memory[_HEAD.size : _HEAD.size + size] = data[:size]
        _HEAD.pack_into(self._memory, 0, time.monotonic(), number, size, 0)

    def renewed(self) -> None:
        """Another run begins, of which nothing more is known."""
        struct.pack_into("=d", self._memory, 0, time.monotonic())

    def ended(self) -> None:
        """The run is over, or whatever was under way."""
        struct.pack_into("=d", self._memory, 0, 0.0)

    def _tell(self) -> None:
        if self._scheduler is None:
            return
        data = msgspec.msgpack.encode(self._scheduler.followed())
        start = _HEAD.size + _HALF
        self._memory[start : start + len(data)] = data
        struct.pack_into("=q", self._memory, _HEAD.size - 8, len(data))

    # In its parent

    @property
    def number(self) -> int | None:
        """The number of the workload of which a run was begun last, None for none."""
        number = int(_HEAD.unpack_from(self._memory)[1])
        return None if number == _NO_NUMBER else number

    def is_running(self) -> bool:
        """True from the beginning of a run to its end."""
        return bool(_HEAD.unpack_from(self._memory)[0])

    def elapsed(self) -> float:
        """Seconds since the run began, 0 if there is none."""
        since = _HEAD.unpack_from(self._memory)[0]
        return time.monotonic() - since if since else 0.0

    def is_late(self, allowed: float) -> bool:
        """True if the run takes longer than so many seconds."""
        return self.elapsed() > allowed

    def ask(self, pid: int) -> None:
        """Has the process write where it is; returns as soon as it has, or cannot."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, _ASK)
        deadline = time.monotonic() + ANSWERS_WITHIN
        while time.monotonic() < deadline and not _HEAD.unpack_from(self._memory)[3]:
            time.sleep(0.01)

    def scenario(self) -> Scenario | None:
        """What was run, with the choices made if the process could still tell them."""
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
        """What the process wrote of its stack, "" if nothing."""
        self._stack.seek(0)
        return self._stack.read().decode("utf-8", "replace")

    def close(self) -> None:
        """Gives the memory back."""
        self._memory.close()
        self._stack.close()


def silence() -> None:
    """Nothing that this process prints is seen; errors are."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)
    sys.stdout = open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115


def with_heartbeat(make: Callable[[], Any], slate: RunBeacon) -> Callable[[], Any]:
    """The same, telling the slate each time, as it is called for each run."""

    def made() -> Any:
        slate.renewed()
        return make()

    return made
