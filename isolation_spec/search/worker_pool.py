"""Runs the shares of a search in processes of their own and adds up their tallies."""

from __future__ import annotations

import ctypes
import mmap
import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec
import psutil

from isolation_spec.contract.errors import AdapterError
from isolation_spec.engines.registry import Engine
from isolation_spec.execution.hang import HangReport
from isolation_spec.execution.interrupts import Interrupts
from isolation_spec.execution.isolation.beacon import RunBeacon
from isolation_spec.execution.isolation.post_mortem import describe_hang
from isolation_spec.execution.isolation.time_limit import (
    INTERRUPTED_WITHIN,
    RUN_TIMEOUT,
    time_limit,
)
from isolation_spec.execution.process_memory import proportional_set_size
from isolation_spec.search.events import Listener, Progressed
from isolation_spec.search.statistics import Finding, SearchStatistics
from isolation_spec.world.live.world import Live

if TYPE_CHECKING:
    pass
from isolation_spec.search.worker import (
    REPORT_EVERY,
    Message,
    Share,
    search_share,
    work_watched,
)

__all__ = ["WorkerPool", "first_found"]
_INTERRUPT = {signal.SIGINT}
_NO_NUMBER = 2**62
_MOST_STUCK = 5
"""Runs that may hang or die before the search is given up, as each costs its time."""


class _Worker(NamedTuple):
    """A worker process, what it is to do, and where it says what it is doing."""

    process: Any
    share: Share
    slate: RunBeacon


class WorkerPool:
    """One search, in workers that stop together as soon as one of them finds something.

    Arguments:
        processes: how many workers; 0 for this process alone.
        live: the live worlds to run in, None for simulated ones.
        pct: depth of the share that is run as pure PCT, None for the profile's own.
        deadline: monotonic time at which no further run is begun.
        fuzz: where what is run is kept, for the next search to go on from.
        workload: a file with the only workload that is searched.
        stuck: takes each run that hung or died; the search goes on after it.
        run_timeout: seconds of the wall clock after which a run counts as hung.

    Attributes:
        gave_up: True if so many runs hung or died that the search ended early.
        saved_processes: ids of those that hung or died in a scenario that was told.
        peak_memory: proportional set size of this process and its workers, in bytes.
    """

    def __init__(
        self,
        engine: Engine,
        profile: str,
        examples: int,
        seed: int,
        processes: int,
        listen: Listener,
        live: Live | None,
        pct: int | None = None,
        *,
        deadline: float | None = None,
        fuzz: Path | None = None,
        workload: Path | None = None,
        stuck: Callable[[HangReport], object] = lambda _: None,
        run_timeout: float = RUN_TIMEOUT,
    ) -> None:
        self.engine = engine
        self.stuck = stuck
        self.run_timeout = run_timeout
        self.profile = profile
        self.examples = examples
        self.seed = seed
        self.processes = processes
        self.listen = listen
        self.live = live
        self.pct = pct
        self.deadline = deadline
        self.fuzz = fuzz
        self.workload = workload
        self.gave_up = False
        self.peak_memory = 0.0
        self._least: Any = None
        self._interrupts = Interrupts()
        self._errors: list[str] = []
        self._latest: dict[Connection, SearchStatistics] = {}
        self._workers: dict[Connection, _Worker] = {}
        self._stuck = 0
        self.saved_processes: list[int] = []
        self._self = psutil.Process()

    def run_here(self) -> SearchStatistics:
        """The whole search in this process.

        Raises:
            AdapterError: the adapter broke its contract, or a run took too long.
        """
        # Not at once: drawing is Hypothesis's, and may take its time.
        alarmed = time_limit(self.run_timeout, "a run", at_once=False)
        with alarmed as alarm, self._interrupts as interrupts:
            tally = search_share(
                self.engine,
                self._share(0, 1),
                lambda _: not (interrupts.heard or alarm.rang),
                alarm,
            )
        tally.interrupted = tally.interrupted or interrupts.heard
        self._measure()
        return tally

    def run(self) -> SearchStatistics:
        """The sum of all tallies; an interrupt stops all, and what they have counts.

        Raises:
            AdapterError: a worker could not go on.
        """
        # Remembered from here on, as an import may swallow what is raised in it.
        with self._interrupts:
            _import_all()
            return self._run_workers()

    def _run_workers(self) -> SearchStatistics:
        context: Any = multiprocessing.get_context(_start_method())
        stop = context.Event()
        # Of all that is found, what has the lowest number is told of, whichever worker
        # was the quickest: the others go on until they have passed it.
        # In memory without a file, which a full disk would refuse.
        self._least = ctypes.c_int64.from_buffer(mmap.mmap(-1, 8))
        self._least.value = _NO_NUMBER
        try:
            for index in range(self.processes):
                self._start_worker(context, self._share(index, self.processes), stop)
            self._gather(context, stop)
        finally:
            self._end(stop)
        if self._errors:
            raise AdapterError(self._errors[0])
        total = self._sum()
        total.found = first_found(total.found)
        total.interrupted = self._interrupts.heard
        return total

    def _start_worker(self, context: Any, share: Share, stop: Any) -> Connection:
        receiving, sending = context.Pipe(duplex=False)
        slate = RunBeacon()
        arguments = (slate, share, sending, stop, self._least)
        process = context.Process(target=work_watched, args=arguments)
        # Blocked in what is forked: an interrupt is for this process, which stops them.
        signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPT)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPT)
        sending.close()
        self._workers[receiving] = _Worker(process, share, slate)
        return cast(Connection, receiving)

    def _share(self, first: int, stride: int) -> Share:
        return Share(
            engine=self.engine.name,
            profile=self.profile,
            examples=self.examples,
            seed=self.seed,
            live=self.live,
            pct=self.pct,
            first=first,
            stride=stride,
            first_kept=first,
            deadline=self.deadline,
            fuzz=self.fuzz,
            workload=self.workload,
        )

    def _end(self, stop: Any) -> None:
        stop.set()
        deadline = time.monotonic() + 5
        for worker in self._workers.values():
            worker.process.join(timeout=max(0.1, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.slate.close()

    def _gather(self, context: Any, stop: Any) -> None:
        waiting = dict.fromkeys(self._workers)
        while waiting:
            dead: list[Connection] = []
            for receiving in wait(list(waiting), timeout=REPORT_EVERY):
                assert isinstance(receiving, Connection)
                if not self._receive(receiving, waiting, stop):
                    dead.append(receiving)
            if self._interrupts.heard:
                stop.set()
            for receiving in (*dead, *self._late(waiting)):
                del waiting[receiving]
                if (new := self._go_on(context, receiving, stop)) is not None:
                    waiting[new] = None
            self._measure()
            self._report()

    def _late(self, waiting: dict[Connection, None]) -> list[Connection]:
        """The workers whose run takes too long; after Ctrl-C nobody waits for long."""
        allowed = self.run_timeout
        if self._interrupts.heard:
            allowed = min(allowed, INTERRUPTED_WITHIN)
        return [w for w in waiting if self._workers[w].slate.is_late(allowed)]

    def _go_on(self, context: Any, receiving: Connection, stop: Any) -> Any:
        """Tells of a run that hung or died; another worker takes the next workload."""
        worker = self._workers[receiving]
        if not worker.slate.is_running():
            worker.process.join()
            code = worker.process.exitcode
            self._errors.append(f"a worker process died between runs, exit code {code}")
            stop.set()
            return None
        stuck = describe_hang(
            worker.slate,
            worker.process,
            engine=self.engine.name,
            adapter=self.engine.adapter_name,
            allowed=self.run_timeout,
        )
        self._stuck += 1
        if stuck.scenario is not None:
            self.saved_processes.append(worker.process.pid)
        self.stuck(stuck)
        if self._stuck >= _MOST_STUCK:
            self.gave_up = True
            stop.set()
        share = worker.share.after(worker.slate.number)
        if stop.is_set() or share.workload is not None:
            return None
        if share.deadline is not None and time.monotonic() >= share.deadline:
            self._latest.setdefault(receiving, SearchStatistics()).time_up = True
            return None
        return self._start_worker(context, share, stop)

    def _receive(
        self, receiving: Connection, waiting: dict[Connection, None], stop: Any
    ) -> bool:
        """False if there is nobody any more who could say anything."""
        try:
            data = receiving.recv_bytes()
        except EOFError:
            return False
        message = msgspec.msgpack.decode(data, type=Message)
        self._latest[receiving] = message.tally
        if message.last:
            del waiting[receiving]
        if message.error:
            self._errors.append(message.error)
            stop.set()
        for found in message.tally.found:
            self._least.value = min(self._least.value, found.number)
        return True

    def _sum(self) -> SearchStatistics:
        total = SearchStatistics()
        for receiving in self._workers:
            if receiving in self._latest:
                total.add(self._latest[receiving])
        return total

    def _report(self) -> None:
        total = self._sum()
        self.listen(
            Progressed(
                examples=total.examples,
                interleavings=total.interleavings,
                of_examples=0 if self.fuzz is not None else self.examples,
            )
        )

    def _measure(self) -> None:
        self.peak_memory = max(self.peak_memory, proportional_set_size(self._self))


def first_found(found: list[Finding]) -> list[Finding]:
    """What was found in the workload of the lowest number, whoever found it."""
    least = min((one.number for one in found), default=0)
    return [one for one in found if one.number == least]


def _start_method() -> str:
    """Forked workers share what is imported already; elsewhere they start afresh."""
    methods = multiprocessing.get_all_start_methods()
    return "fork" if "fork" in methods else "spawn"


def _import_all() -> None:
    """Imports before the fork what every worker needs."""
    import hypothesis.stateful  # noqa: F401

    import isolation_spec.strategies.machine  # noqa: F401
