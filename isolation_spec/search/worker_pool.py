"""Runs the shares of a plan in worker processes, and adds up their statistics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection, wait
from typing import NamedTuple, TypeAlias

import psutil

from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.hang import HangReport
from isolation_spec.execution.interrupts import Interrupts
from isolation_spec.execution.isolation.subprocess import (
    Ended,
    IsolatedProcess,
    Parent,
)
from isolation_spec.execution.isolation.time_limit import (
    INTERRUPTED_WITHIN,
    time_limit,
)
from isolation_spec.execution.process_memory import proportional_set_size
from isolation_spec.search.events import Listener, Progressed
from isolation_spec.search.plan import SearchPlan
from isolation_spec.search.statistics import Finding, SearchStatistics
from isolation_spec.search.suspicions import drop_suspicion
from isolation_spec.search.worker import (
    REPORT_EVERY,
    Broken,
    Progress,
    Share,
    import_strategies,
    report_search,
    search_share,
)

__all__ = ["WorkerPool", "first_findings"]

_MOST_HANGS = 5
"""Runs without an end after which a search is given up: a hang may cost a whole
`run_timeout`."""
_ENDS_WITHIN = 5.0
"""Seconds that all workers together may take for the run under way at the end."""


Message: TypeAlias = Progress | Broken


class _Worker(NamedTuple):
    process: IsolatedProcess[Message]
    share: Share


class WorkerPool:
    """One search in several workers, all of which end once one has a finding.

    Arguments:
        plan: with `processes=0`, this process searches alone.
        report_hang: takes each run that hung or died; the search goes on after it.

    Attributes:
        gave_up: whether too many runs hung or died.
        reported_processes: ids of the workers whose run is in a hang report.
        peak_memory: proportional set size of this process and its workers, in bytes.
    """

    def __init__(
        self,
        plan: SearchPlan,
        listen: Listener,
        report_hang: Callable[[HangReport], object] = lambda _: None,
    ) -> None:
        self.plan = plan
        self.listen = listen
        self.report_hang = report_hang
        self.gave_up = False
        self.reported_processes: list[int] = []
        self.peak_memory = 0.0
        self._workers: dict[Connection, _Worker] = {}
        self._waiting: set[Connection] = set()
        self._statistics: dict[Connection, SearchStatistics] = {}
        self._errors: list[str] = []
        self._hangs: list[HangReport] = []
        self._last_wanted: int | None = None
        self._is_stopped = False
        self._interrupts = Interrupts()
        self._self = psutil.Process()

    def run(self) -> SearchStatistics:
        """The statistics of the whole search; after an interrupt, of its part so far.

        Raises:
            AdapterError: a worker could not go on, or a run in this process hung.
        """
        return self._run_workers() if self.plan.processes else self._run_here()

    def _run_here(self) -> SearchStatistics:
        # Not at once: drawing workloads may take its time, and is no run.
        limited = time_limit(self.plan.run_timeout, "a run", at_once=False)
        with limited as limit, self._interrupts as interrupts:
            statistics = search_share(
                Share(self.plan, first_kept=0),
                lambda _: not (interrupts.heard or limit.rang),
                limit,
            )
        statistics.interrupted = statistics.interrupted or interrupts.heard
        self._measure_memory()
        return statistics

    def _run_workers(self) -> SearchStatistics:
        stride = self.plan.processes
        # Interrupts are remembered from here on: an import may swallow an exception.
        with self._interrupts:
            import_strategies()
            try:
                for first in range(stride):
                    self._start_worker(Share(self.plan, first, stride, first))
                self._gather()
            finally:
                self._end()
        total = self._total()
        if self.gave_up and not total.findings:
            # An adapter that breaks run after run is not ready to be verified.
            self._errors += [one.why for one in self._hangs if one.how == "broke"]
        if self._errors:
            raise AdapterError(self._errors[0])
        kept = first_findings(total.findings)
        for finding in total.findings:
            if finding not in kept:
                drop_suspicion(self.plan, finding)
        total.findings = kept
        total.interrupted = self._interrupts.heard
        return total

    def _start_worker(self, share: Share) -> None:
        def work(parent: Parent[Message]) -> None:
            report_search(parent, share)

        process = IsolatedProcess(work, Message, name="the search")
        self._workers[process.connection] = _Worker(process, share)
        self._waiting.add(process.connection)

    def _gather(self) -> None:
        while self._waiting:
            dead = [
                connection
                for connection in wait(list(self._waiting), timeout=REPORT_EVERY)
                if isinstance(connection, Connection) and not self._receive(connection)
            ]
            if self._interrupts.heard:
                self._stop()
            for connection in (*dead, *self._late()):
                self._waiting.discard(connection)
                self._replace(connection)
            self._measure_memory()
            self._report()

    def _receive(self, connection: Connection) -> bool:
        """Takes one message of a worker; whether the worker is alive."""
        message = self._workers[connection].process.receive()
        if message is None:
            return False
        if isinstance(message, Ended):
            self._waiting.discard(connection)
            if message.error:
                self._errors.append(message.error)
                self._stop()
            return True
        if isinstance(message, Broken):
            self._count_hang(message.report)
            return True
        self._statistics[connection] = message.statistics
        self._pass_lowest(message.statistics.findings)
        return True

    def _pass_lowest(self, findings: Iterable[Finding]) -> None:
        """Of all findings that of the lowest workload counts, whichever worker is the
        quickest: the others go on until they have passed it."""
        numbers = [finding.number for finding in findings]
        if numbers and (self._last_wanted is None or min(numbers) < self._last_wanted):
            self._last_wanted = min(numbers)
            for worker in self._workers.values():
                worker.process.stop(self._last_wanted)

    def _stop(self) -> None:
        if not self._is_stopped:
            self._is_stopped = True
            for worker in self._workers.values():
                worker.process.stop()

    def _late(self) -> list[Connection]:
        """The workers whose run takes too long; after Ctrl-C the limit is shorter."""
        allowed = self.plan.run_timeout
        if self._interrupts.heard:
            allowed = min(allowed, INTERRUPTED_WITHIN)
        return [
            connection
            for connection in self._waiting
            if self._workers[connection].process.is_late(allowed)
        ]

    def _replace(self, connection: Connection) -> None:
        """Reports a run that hung or died; another worker takes the next workload."""
        process, share = self._workers[connection]
        if process.beacon.number is None:
            process.process.join()
            end = f"exit code {process.process.exitcode}"
            self._errors.append(f"a worker process died before its first run, {end}")
            self._stop()
            return
        self._report_hang(process)
        if self._is_stopped or self.plan.workload is not None:
            return
        if self.plan.is_time_up():
            self._statistics.setdefault(connection, SearchStatistics()).time_up = True
            return
        self._start_worker(share.after(process.beacon.number))

    def _report_hang(self, process: IsolatedProcess[Message]) -> None:
        engine = self.plan.engine
        hang = process.describe_hang(
            engine.name, engine.adapter_name, self.plan.run_timeout
        )
        if hang.scenario is not None and process.process.pid is not None:
            self.reported_processes.append(process.process.pid)
        self._count_hang(hang)

    def _count_hang(self, hang: HangReport) -> None:
        """Reports a run without an end, and gives up after too many."""
        self._hangs.append(hang)
        self.report_hang(hang)
        if len(self._hangs) >= _MOST_HANGS and not self._is_stopped:
            self.gave_up = True
            self._stop()

    def _end(self) -> None:
        self._stop()
        deadline = time.monotonic() + _ENDS_WITHIN
        for worker in self._workers.values():
            worker.process.close(max(0.1, deadline - time.monotonic()))

    def _total(self) -> SearchStatistics:
        total = SearchStatistics()
        for connection in self._workers:
            if connection in self._statistics:
                total.add(self._statistics[connection])
        return total

    def _report(self) -> None:
        total = self._total()
        examples = 0 if self.plan.fuzz is not None else self.plan.profile.examples
        self.listen(
            Progressed(
                examples=total.examples,
                interleavings=total.interleavings,
                of_examples=examples,
            )
        )

    def _measure_memory(self) -> None:
        self.peak_memory = max(self.peak_memory, proportional_set_size(self._self))


def first_findings(findings: list[Finding]) -> list[Finding]:
    """The findings in the workload of the lowest number, in their order."""
    least = min((one.number for one in findings), default=0)
    return [one for one in findings if one.number == least]
