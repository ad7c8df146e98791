"""Runs the shares of a search in processes of their own and adds up their tallies."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec
import psutil

from isolation_spec.adapter import AdapterError
from isolation_spec.adapters import Engine, find_engine
from isolation_spec.fuzz import Corpus, Database, read_workload
from isolation_spec.interrupts import Interrupts
from isolation_spec.memory import proportional_set_size
from isolation_spec.parent_death import end_with_parent
from isolation_spec.report import Listener, Progressed
from isolation_spec.search import Found, Tally, check_strategies, search
from isolation_spec.stuck import Stuck
from isolation_spec.watchdog import (
    INTERRUPTED_WITHIN,
    RUN_TIMEOUT,
    Alarm,
    Slate,
    describe,
    within,
)
from isolation_spec.world.live import Live, LiveWorld

if TYPE_CHECKING:
    from strategies.drawing import Workload

__all__ = ["Shards", "first_found"]

_REPORT_EVERY = 0.1
_INTERRUPT = {signal.SIGINT}
_NO_NUMBER = 2**62
_MOST_STUCK = 5
"""Runs that may hang or die before the search is given up, as each costs its time."""


class _Message(msgspec.Struct, kw_only=True):
    """What a worker tells: a tally so far, the last one, or why it cannot go on."""

    tally: Tally
    last: bool = False
    error: str = ""


class _Share(NamedTuple):
    """What one worker is to do: the workloads numbered `range(first, examples,
    stride)`.

    Before them those of a corpus from `first_kept` on, None for none of them.
    """

    engine: str
    profile: str
    examples: int
    seed: int
    live: Live | None
    pct: int | None
    first: int = 0
    stride: int = 1
    first_kept: int | None = None
    deadline: float | None = None
    fuzz: Path | None = None
    workload: Path | None = None

    def after(self, number: int | None) -> _Share:
        """What is left of it after the workload of that number, None for none yet."""
        if number is None:
            return self
        if number < 0:
            return self._replace(first_kept=-1 - number + self.stride)
        return self._replace(first=number + self.stride, first_kept=None)


class _Worker(NamedTuple):
    """A worker process, what it is to do, and where it says what it is doing."""

    process: Any
    share: _Share
    slate: Slate


class Shards:
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
        stuck: Callable[[Stuck], object] = lambda _: None,
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
        self._latest: dict[Connection, Tally] = {}
        self._workers: dict[Connection, _Worker] = {}
        self._stuck = 0
        self.saved_processes: list[int] = []
        self._self = psutil.Process()

    def run_here(self) -> Tally:
        """The whole search in this process.

        Raises:
            AdapterError: the adapter broke its contract, or a run took too long.
        """
        # Not at once: drawing is Hypothesis's, and may take its time.
        alarmed = within(self.run_timeout, "a run", at_once=False)
        with alarmed as alarm, self._interrupts as interrupts:
            tally = _search(
                self.engine,
                self._share(0, 1),
                lambda _: not (interrupts.heard or alarm.rang),
                alarm,
            )
        tally.interrupted = tally.interrupted or interrupts.heard
        self._measure()
        return tally

    def run(self) -> Tally:
        """The sum of all tallies; an interrupt stops all, and what they have counts.

        Raises:
            AdapterError: a worker could not go on.
        """
        # Remembered from here on, as an import may swallow what is raised in it.
        with self._interrupts:
            _import_all()
            return self._run_workers()

    def _run_workers(self) -> Tally:
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

    def _start_worker(self, context: Any, share: _Share, stop: Any) -> Connection:
        receiving, sending = context.Pipe(duplex=False)
        slate = Slate()
        arguments = (slate, share, sending, stop, self._least)
        process = context.Process(target=_work_watched, args=arguments)
        # Blocked in what is forked: an interrupt is for this process, which stops them.
        signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPT)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPT)
        sending.close()
        self._workers[receiving] = _Worker(process, share, slate)
        return cast(Connection, receiving)

    def _share(self, first: int, stride: int) -> _Share:
        return _Share(
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
            for receiving in wait(list(waiting), timeout=_REPORT_EVERY):
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
        stuck = describe(
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
            self._latest.setdefault(receiving, Tally()).time_up = True
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
        message = msgspec.msgpack.decode(data, type=_Message)
        self._latest[receiving] = message.tally
        if message.last:
            del waiting[receiving]
        if message.error:
            self._errors.append(message.error)
            stop.set()
        for found in message.tally.found:
            self._least.value = min(self._least.value, found.number)
        return True

    def _sum(self) -> Tally:
        total = Tally()
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


def first_found(found: list[Found]) -> list[Found]:
    """What was found in the workload of the lowest number, whoever found it."""
    least = min((one.number for one in found), default=0)
    return [one for one in found if one.number == least]


def _live_worlds(live: Live | None, seed: str) -> Callable[[int], LiveWorld] | None:
    """What makes the live world of each run, numbered from 0; None if simulated."""
    return None if live is None else lambda run: live.world(f"{seed}/{run}")


def _start_method() -> str:
    """Forked workers share what is imported already; elsewhere they start afresh."""
    methods = multiprocessing.get_all_start_methods()
    return "fork" if "fork" in methods else "spawn"


def _import_all() -> None:
    """Imports before the fork what every worker needs."""
    import hypothesis.stateful  # noqa: F401

    check_strategies()
    import strategies.machine  # noqa: F401


def _work_watched(
    slate: Slate, share: _Share, sending: Connection, stop: Any, least: Any
) -> None:
    """The body of a worker process."""
    end_with_parent()
    slate.install()
    _work(share, sending, stop, least, slate)


def _work(
    share: _Share,
    sending: Connection,
    stop: Any,
    least: Any,
    slate: Slate | None = None,
) -> None:
    """Searches a share, and tells of it."""
    last_sent, last_number = time.monotonic(), -1

    def progressed(tally: Tally) -> bool:
        nonlocal last_sent, last_number
        now = time.monotonic()
        # With each workload, so that one that hangs costs what it did itself.
        if now - last_sent > _REPORT_EVERY or tally.number != last_number:
            last_sent, last_number = now, tally.number
            sending.send_bytes(msgspec.msgpack.encode(_Message(tally=tally)))
        return not stop.is_set() and tally.number <= least.value

    message = _searched(share, progressed, slate)
    if slate is not None:
        slate.ended()
    with contextlib.suppress(BrokenPipeError):
        sending.send_bytes(msgspec.msgpack.encode(message))
    sending.close()


def _searched(
    share: _Share, progressed: Callable[[Tally], bool], slate: Slate | None
) -> _Message:
    try:
        if slate is not None:
            slate.renewed()
        engine = find_engine(share.engine)
        if slate is not None:
            slate.ended()
        tally = _search(engine, share, progressed, slate)
    except AdapterError as error:
        return _Message(tally=Tally(), last=True, error=str(error))
    except Exception as error:
        text = f"the search broke off: {type(error).__name__}: {error}"
        return _Message(tally=Tally(), last=True, error=text)
    return _Message(tally=tally, last=True)


def _search(
    engine: Engine,
    share: _Share,
    progressed: Callable[[Tally], bool],
    slate: Slate | Alarm | None = None,
) -> Tally:
    """Searches one share until its time is up."""

    def goes_on(tally: Tally) -> bool:
        if share.deadline is not None and time.monotonic() >= share.deadline:
            tally.time_up = True
            return False
        return progressed(tally)

    corpus = None
    if share.fuzz is not None:
        database = Database(share.fuzz, engine.name)
        corpus = Corpus(database, share.profile, share.seed)
    try:
        return search(
            engine,
            profile=share.profile,
            examples=share.examples,
            seed=share.seed,
            progressed=goes_on,
            live=_live_worlds(share.live, f"{share.seed}/{share.first}"),
            pct=share.pct,
            workloads=_workloads(share, corpus),
            corpus=corpus,
            slate=slate,
        )
    finally:
        if corpus is not None:
            corpus.end()


def _workloads(share: _Share, corpus: Corpus | None) -> Iterator[Workload]:
    """What a share searches: one workload of a file, or the corpus and its numbers."""
    from strategies.drawing import draw_workloads
    from strategies.profiles import find_profile

    if share.workload is not None:
        yield read_workload(share.workload)
        return
    if corpus is not None and share.first_kept is not None:
        yield from corpus.workloads(share.first_kept, share.stride)
    yield from draw_workloads(
        find_profile(share.profile),
        seed=share.seed,
        examples=share.examples,
        first=share.first,
        stride=share.stride,
    )
