"""Runs work in forked processes that may hang or die; the messages are typed.

A process sends messages of the kinds that its work declares, and one `Ended` as its
last. Its parent sends `Stop`. Every process that runs an engine apart from its parent
is one of these: the workers of a search, the shrinking of a finding, the replay of a
hang, the check of an adapter, the trials of the mutation score.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeAlias, TypeVar, cast

import msgspec

from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.attribution import frames_dumped, is_importing
from isolation_spec.execution.hang import HangReport
from isolation_spec.execution.isolation.beacon import RunBeacon
from isolation_spec.execution.isolation.parent_death import end_with_parent
from isolation_spec.execution.isolation.post_mortem import describe_hang
from isolation_spec.execution.isolation.run_watch import Lateness, RunWatch
from isolation_spec.execution.isolation.time_limit import (
    ANSWERS_WITHIN,
    INTERRUPTED_WITHIN,
)
from isolation_spec.execution.run_limit import RUN_LIMIT

__all__ = ["Ended", "IsolatedProcess", "Parent", "Stop", "Work", "run_in_subprocess"]

M = TypeVar("M")
_POLL_EVERY = 0.05
"""Seconds between two looks at the beacon; the shortest time limit is 0.1 s."""
_ANY_NUMBER = 2**62
"""Above the number of any workload."""


class Stop(msgspec.Struct, frozen=True, tag=True):
    """The parent needs no further run, except of workloads up to the number `last`."""

    last: int = -_ANY_NUMBER


class Ended(msgspec.Struct, frozen=True, tag=True):
    """The work is over: complete, interrupted, or broken off by an error."""

    error: str = ""
    interrupted: bool = False


class Parent(Generic[M]):
    """The parent of a forked process, as the work in that process addresses it.

    Attributes:
        beacon: shows the parent the run under way.
    """

    def __init__(self, connection: Connection, beacon: RunBeacon) -> None:
        self.beacon = beacon
        self._connection = connection
        self._last_wanted = _ANY_NUMBER

    def send(self, message: M | Ended) -> None:
        """Sends a message."""
        self._connection.send_bytes(msgspec.msgpack.encode(message))

    def wants_stop(self, number: int = 0) -> bool:
        """Whether the parent needs no further run of the workload of that number."""
        while self._connection.poll():
            data = self._connection.recv_bytes()
            stop = msgspec.msgpack.decode(data, type=Stop)
            self._last_wanted = min(self._last_wanted, stop.last)
        return number > self._last_wanted


Work: TypeAlias = Callable[[Parent[M]], None]
"""The work of a forked process."""


class IsolatedProcess(Generic[M]):
    """A forked process with one piece of work, as its parent sees it.

    Arguments:
        work: runs in the process.
        messages: the tagged structs that the work sends.
        name: the work in error messages, as "the search".

    Attributes:
        beacon: shows the run under way.
        connection: ready when there is a message.
        process: of `multiprocessing`.
    """

    def __init__(self, work: Work[M], messages: Any, *, name: str) -> None:
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        self.connection = ours
        self.beacon = RunBeacon()
        self._watch = RunWatch(self.beacon.clock)
        self._broken_off = 0
        self._decoder = msgspec.msgpack.Decoder(messages | Ended)
        parent = Parent[M](theirs, self.beacon)
        self.process = context.Process(target=_do_work, args=(work, parent, name))
        # Blocked in the process: SIGINT is for its parent, which sends `Stop`.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        theirs.close()

    def receive(self) -> M | Ended | None:
        """The next message; None if the process has died."""
        try:
            data = self.connection.recv_bytes()
        except (EOFError, OSError):
            return None
        return cast("M | Ended", self._decoder.decode(data))

    def stop(self, last: int = -_ANY_NUMBER) -> None:
        """Ends the work between two runs, after the workload of the number `last`."""
        with contextlib.suppress(OSError):
            self.connection.send_bytes(msgspec.msgpack.encode(Stop(last)))

    def is_late(self, allowed: float) -> bool:
        """Whether the run computes for longer than so many CPU seconds, or sleeps.

        A thread that sleeps is woken once, so that the run ends and is judged. While
        the engine imports a module the run has further time: that is no hang.
        """
        pid, run = self.process.pid, self.beacon.clock().run
        lateness = self._watch.look(allowed)
        if lateness is None or pid is None:
            return False
        if lateness is Lateness.WAITING:
            self.beacon.note_wait(pid)
            return False
        if lateness is Lateness.ASLEEP:
            if self._broken_off == run:
                return True
            self._broken_off = run
            self.beacon.break_wait(pid)
            self._watch.grant(0.0)
            return False
        self.beacon.request_report(pid)
        if not is_importing(frames_dumped(self.beacon.stack())):
            return True
        self._watch.grant(allowed)
        return False

    def describe_hang(self, engine: str, adapter: str, allowed: float) -> HangReport:
        """Kills the process if it is late, and describes how its run ended."""
        return describe_hang(
            self.beacon, self.process, engine=engine, adapter=adapter, allowed=allowed
        )

    def close(self, within: float = ANSWERS_WITHIN) -> None:
        """Waits for the end of the process for so many seconds, then kills it."""
        self.process.join(within)
        if self.process.is_alive():
            # Threads that the engine started keep it from ending.
            self.process.kill()
            self.process.join()
        self.connection.close()
        self.beacon.close()


def run_in_subprocess(
    work: Work[M],
    messages: Any,
    *,
    receive: Callable[[M], None],
    name: str,
    engine: str,
    adapter: str,
    allowed: float,
    is_interrupted: Callable[[], bool] = lambda: False,
) -> HangReport | None:
    """Runs work in a forked process, and passes each of its messages to `receive`.

    Returns None if the work was completed, else the report of the run that took more
    than `allowed` seconds, or that ended the process.

    Raises:
        AdapterError: the work raised an exception.
        KeyboardInterrupt: it was interrupted.
    """
    process = IsolatedProcess(work, messages, name=name)
    try:
        ended = _supervise(process, receive, allowed, is_interrupted)
        if ended is None and not is_interrupted():
            return process.describe_hang(engine, adapter, allowed)
    finally:
        process.close()
    if ended is None or ended.interrupted:
        raise KeyboardInterrupt
    if ended.error:
        raise AdapterError(ended.error)
    return None


def _supervise(
    process: IsolatedProcess[M],
    receive: Callable[[M], None],
    allowed: float,
    is_interrupted: Callable[[], bool],
) -> Ended | None:
    """Passes messages on until the process ends; None if it dies first, or is late."""
    is_stopped = False
    while not process.is_late(allowed):
        if is_interrupted() and not is_stopped:
            is_stopped, allowed = True, min(allowed, INTERRUPTED_WITHIN)
            process.stop()
        if not process.connection.poll(_POLL_EVERY):
            continue
        message = process.receive()
        if message is None:
            return None
        if isinstance(message, Ended):
            return message
        receive(message)
    return None


def _do_work(work: Work[M], parent: Parent[M], name: str) -> None:
    end_with_parent()
    parent.beacon.install()
    RUN_LIMIT.set(parent.beacon)
    try:
        work(parent)
        ended = Ended()
    except KeyboardInterrupt:
        ended = Ended(interrupted=True)
    except AdapterError as error:
        ended = Ended(error=str(error))
    except BaseException as error:
        # Of an engine, as its modules and constructors run here, too.
        ended = Ended(error=f"{name} broke off: {type(error).__name__}: {error}")
    parent.beacon.end_work()
    parent.send(ended)
