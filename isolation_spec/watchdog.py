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
import multiprocessing
import os
import signal
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeAlias, cast

import msgspec

from isolation_spec.adapter import AdapterError
from isolation_spec.blame import blame, frames_of, frames_told
from isolation_spec.leaving import TimedOut
from isolation_spec.parent_death import end_with_parent
from isolation_spec.scenario import Scenario, Schedule
from isolation_spec.stuck import Stuck
from isolation_spec.world.scheduler import Scheduler

__all__ = [
    "INTERRUPTED_WITHIN",
    "RUN_TIMEOUT",
    "Alarm",
    "Slate",
    "beating",
    "describe",
    "run_apart",
    "silence",
    "within",
]

RUN_TIMEOUT = 30.0
"""Seconds of the wall clock that one run may take; a clean one takes milliseconds."""
INTERRUPTED_WITHIN = 5.0
"""Seconds that a run may still take after Ctrl-C."""

_ASK = getattr(signal, "SIGRTMAX", signal.SIGUSR1 + 4) - 4
"""One that no engine is likely to take for itself."""
_HEAD = struct.Struct("=dqqq")
"""Since when, number of the workload, bytes of the scenario, of the schedule."""
_NO_NUMBER = -(2**62)
_HALF = 512 * 1024
_ANSWERS_WITHIN = 1.0
_DIES_WITHIN = 0.2
_LOOKS_EVERY = 0.05
_MOST_FRAMES = 60


class Slate:
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
        deadline = time.monotonic() + _ANSWERS_WITHIN
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


def describe(
    slate: Slate, process: Any, *, engine: str, adapter: str, allowed: float
) -> Stuck:
    """What is known of a process that is late or dead; it is dead afterwards."""
    # What closed its end of the pipe is about to die, if it has not yet.
    elapsed = slate.elapsed()
    process.join(_DIES_WITHIN)
    late = process.is_alive()
    if late:
        slate.ask(process.pid)
        process.kill()
    process.join()
    told = frames_told(slate.stack())
    method, place = blame(told, adapter)
    return Stuck(
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


class Alarm:
    """Does for this process what a slate does for another, as far as that is possible.

    What takes too long is left by an exception, which is heard as soon as Python code
    runs: in a loop, in `time.sleep`, or while waiting for a lock, and not in a library
    that never comes back. Where somebody else has an alarm set, or listens to one, it
    does nothing.
    """

    def __init__(self, allowed: float) -> None:
        self.allowed = allowed
        self.rang = False

    def began(self, number: int, scenario: Scenario, scheduler: Scheduler) -> None:
        """A run begins."""
        self.set()

    def set(self) -> None:
        """From now on the time counts."""
        self.rang = False
        if threading.current_thread() is not threading.main_thread():
            return
        listening = signal.getsignal(signal.SIGALRM)
        if listening is signal.SIG_DFL and not signal.getitimer(signal.ITIMER_REAL)[0]:
            signal.signal(signal.SIGALRM, self._ring)
        elif listening != self._ring:
            return
        # Again and again, for those who swallow it.
        signal.setitimer(signal.ITIMER_REAL, self.allowed, _ANSWERS_WITHIN)

    def ended(self) -> None:
        """What was to be timed is over."""
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGALRM) == self._ring:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _ring(self, *_: object) -> None:
        self.rang = True
        message = f"within {self.allowed:g} s"
        raise TimedOut(message)


@contextlib.contextmanager
def within(allowed: float, what: str, *, at_once: bool = True) -> Iterator[Alarm]:
    """What is done in it ends within so many seconds, as far as `Alarm` can.

    Not `at_once`, the time counts from where somebody sets the alarm.

    Raises:
        AdapterError: it took longer; names where it was.
    """
    alarm = Alarm(allowed)
    try:
        if at_once:
            alarm.set()
        yield alarm
        alarm.ended()
    except TimedOut as error:
        alarm.ended()
        where = blame(frames_of(error.__traceback__), "the adapter")
        message = f"{what} did not come back within {allowed:g} s, it was in {where}"
        raise AdapterError(message) from None
    finally:
        alarm.ended()
    if alarm.rang:
        message = f"{what} did not come back within {allowed:g} s, and went on"
        raise AdapterError(message)


Work: TypeAlias = Callable[[Slate, Callable[[bytes], None], Callable[[], bool]], None]
"""Takes the slate, what to tell things by, and what says whether to stop."""


def run_apart(
    work: Work,
    *,
    heard: Callable[[bytes], None],
    engine: str,
    adapter: str,
    allowed: float,
    interrupted: Callable[[], bool] = lambda: False,
) -> Stuck | None:
    """Does work in a forked process, and hears what it tells.

    Returns None if it came to its end, else in what it hung, after more than `allowed`
    seconds since the slate was told last, or died.
    """
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    stop = context.Event()
    slate = Slate()
    process = context.Process(target=_do_apart, args=(work, slate, sending, stop))
    # An interrupt is for this process to hear, and to pass on.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    sending.close()
    try:
        while not slate.is_late(allowed):
            if interrupted():
                stop.set()
                allowed = min(allowed, INTERRUPTED_WITHIN)
            if not receiving.poll(_LOOKS_EVERY):
                continue
            try:
                data = receiving.recv_bytes()
            except EOFError:
                break
            if not data:
                return None
            heard(data)
        return describe(slate, process, engine=engine, adapter=adapter, allowed=allowed)
    finally:
        _end(process)
        slate.close()


def _do_apart(work: Work, slate: Slate, sending: Any, stop: Any) -> None:
    end_with_parent()
    slate.install()
    slate.renewed()
    work(slate, sending.send_bytes, stop.is_set)
    slate.ended()
    with contextlib.suppress(BrokenPipeError):
        sending.send_bytes(b"")


def _end(process: Any) -> None:
    process.join(_ANSWERS_WITHIN)
    if process.is_alive():
        # Threads of the engine's own keep it from ending.
        process.kill()
        process.join()


def beating(make: Callable[[], Any], slate: Slate) -> Callable[[], Any]:
    """The same, telling the slate each time, as it is called for each run."""

    def made() -> Any:
        slate.renewed()
        return make()

    return made
