"""One worker: searches its share of the workloads, and reports its statistics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from isolation_spec.execution.hang import HangReport
from isolation_spec.execution.isolation.beacon import RunBeacon
from isolation_spec.execution.isolation.subprocess import Parent
from isolation_spec.execution.isolation.time_limit import TimeLimit
from isolation_spec.search.corpus import CorpusWriter, Database, read_workload
from isolation_spec.search.plan import SEARCH_SHARE, SearchPlan
from isolation_spec.search.statistics import SearchStatistics
from isolation_spec.search.workload_runner import WorkloadRunner

if TYPE_CHECKING:
    from isolation_spec.strategies.workloads import Workload

__all__ = [
    "REPORT_EVERY",
    "Broken",
    "Progress",
    "Share",
    "import_strategies",
    "report_search",
    "search_share",
]

REPORT_EVERY = 0.1
"""Seconds between two reports of a worker within one workload."""


class Progress(msgspec.Struct, frozen=True, tag=True):
    """The statistics of a worker so far."""

    statistics: SearchStatistics


class Broken(msgspec.Struct, frozen=True, tag=True):
    """A run that the adapter broke; the search went on to the next workload."""

    report: HangReport


class Share(msgspec.Struct, frozen=True):
    """One worker's part of a plan: the workloads `range(first, examples, stride)`.

    Before them come those of a corpus from `first_kept` on, unless that is None.
    """

    plan: SearchPlan
    first: int = 0
    stride: int = 1
    first_kept: int | None = None

    def after(self, number: int | None) -> Share:
        """The rest of the share after the workload of that number, None for all."""
        if number is None:
            return self
        if number < 0:
            return msgspec.structs.replace(self, first_kept=-1 - number + self.stride)
        return msgspec.structs.replace(
            self, first=number + self.stride, first_kept=None
        )

    def workloads(self, corpus: CorpusWriter | None) -> Iterator[Workload]:
        """Yields the workload of the plan's file, or those of corpus and numbers."""
        from isolation_spec.strategies.workloads import draw_workloads

        plan = self.plan
        if plan.workload is not None:
            yield read_workload(plan.workload)
            return
        if corpus is not None and self.first_kept is not None:
            yield from corpus.workloads(self.first_kept, self.stride)
        yield from draw_workloads(
            plan.profile,
            seed=plan.seed,
            examples=plan.profile.examples,
            first=self.first,
            stride=self.stride,
        )


def report_search(parent: Parent[Progress | Broken], share: Share) -> None:
    """The work of a worker process: searches a share, and reports its progress."""
    last_sent, last_state = time.monotonic(), (-1, False)

    def progressed(statistics: SearchStatistics) -> bool:
        nonlocal last_sent, last_state
        now = time.monotonic()
        # With each workload: a worker that hangs then loses the counts of one alone.
        # With each suspicion, and as it is cleared: a control run may hang.
        state = statistics.number, bool(statistics.suspicions)
        is_due = now - last_sent > REPORT_EVERY or state != last_state
        if is_due or statistics.findings:
            last_sent, last_state = now, state
            parent.send(Progress(statistics))
        return not parent.wants_stop(statistics.number)

    def report(broken: HangReport) -> None:
        parent.send(Broken(broken))

    parent.send(Progress(search_share(share, progressed, parent.beacon, report)))


def search_share(
    share: Share,
    progressed: Callable[[SearchStatistics], bool] = lambda _: True,
    limit: RunBeacon | TimeLimit | None = None,
    report: Callable[[HangReport], None] | None = None,
) -> SearchStatistics:
    """Searches one share until a finding, its end, or the deadline of the plan.

    `progressed` takes the statistics after each run, and returns whether to go on. The
    `limit` takes each run before it begins. `report` takes each run that the adapter
    broke, and the search goes on to the next workload.

    Raises:
        AdapterError: the adapter broke its contract, and there is no `report`.
    """
    plan = share.plan

    def goes_on(statistics: SearchStatistics) -> bool:
        if plan.is_time_up(SEARCH_SHARE):
            statistics.time_up = True
            return False
        return progressed(statistics)

    corpus = None
    if plan.fuzz is not None:
        database = Database(plan.fuzz, plan.engine.name)
        corpus = CorpusWriter(database, plan.profile.name, plan.seed)
    # Delays in live worlds are drawn, other ones in each worker.
    live_seed = f"{plan.seed}/{share.first}"
    runner = WorkloadRunner(plan, goes_on, live_seed, corpus, limit, report)
    try:
        return runner.run_all(share.workloads(corpus))
    finally:
        if corpus is not None:
            corpus.end()


def import_strategies() -> None:
    """Imports the strategies; before the fork, all workers share the 0.13 CPU s."""
    import hypothesis.stateful  # noqa: F401

    import isolation_spec.strategies.machine  # noqa: F401
