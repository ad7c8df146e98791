"""Workers share one search: nothing twice, nothing left out, the same failure first."""

import contextlib
import functools
import os
import signal
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from isolation_spec.claims import find_claim
from isolation_spec.claims.facts import CleanupFailed
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.isolation.subprocess import Ended
from isolation_spec.execution.solo_runs import solo_runs
from isolation_spec.model.history.history import History
from isolation_spec.search import workload_runner
from isolation_spec.search.events import Event, Progressed
from isolation_spec.search.plan import SearchPlan, make_plan
from isolation_spec.search.statistics import Finding, SearchStatistics
from isolation_spec.search.worker import Progress, Share, report_search, search_share
from isolation_spec.search.worker_pool import WorkerPool, first_findings
from isolation_spec.strategies.profiles import PROFILES, find_profile
from tests.claims.facts import example, violation_of
from tests.search.test_in_flight import SCENARIO

pytestmark = pytest.mark.slow

EXAMPLES = 8


def plan(
    engine: str = "reference",
    *,
    profile: str = "quick",
    examples: int = EXAMPLES,
    **fields: Any,
) -> SearchPlan:
    return make_plan(find_engine(engine), profile, examples=examples, **fields)


def pool(engine: str = "reference", **fields: Any) -> WorkerPool:
    return WorkerPool(plan(engine, **fields), lambda _: None)


@functools.cache
def drawn(seed: int, processes: int, worker: int, profile: str = "quick") -> list[str]:
    """The workloads of one worker, as text, without their numbers and searches."""
    share = Share(plan(seed=seed, profile=profile), worker, processes)
    return [w.scenario.to_json().decode() for w in share.workloads(None)]


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_workers_never_repeat_one_another(processes: int) -> None:
    """Together they draw the workloads of a single worker, and no workload twice."""
    all_of_them = [w for n in range(processes) for w in drawn(0, processes, n)]

    assert EXAMPLES == len(all_of_them)
    assert len(set(all_of_them)) == len(all_of_them)
    assert set(drawn(0, 1, 0)) == set(all_of_them)


def test_seeds_never_repeat_one_another() -> None:
    """Not even where one seed resembles a seed and a worker of another."""
    seeds = (0, 1, 1000, 1001, -1)
    all_of_them = [w for s in seeds for n in range(2) for w in drawn(s, 2, n)]

    assert len(seeds) * EXAMPLES == len(all_of_them)
    assert len(set(all_of_them)) == len(all_of_them)


@pytest.mark.parametrize("profile", [p.name for p in PROFILES])
def test_the_same_seed_draws_the_same(profile: str) -> None:
    """Drawn again, by another worker, a number is the same workload."""
    first = drawn(3, 1, 0, profile)
    drawn.cache_clear()

    assert first[1::2] == drawn(3, 2, 1, profile)


def found(processes: int) -> tuple[int, bytes]:
    """The number of the first finding, and its scenario."""
    searched = pool("reference+commit-on-error", processes=processes, examples=60)
    first = searched.run().findings[0]
    return first.number, first.scenario.to_json()


def test_the_same_failure_is_found_by_any_number_of_workers() -> None:
    """With any number of workers, the finding of the lowest workload is reported."""
    alone = found(0)

    assert alone == found(1) == found(3)


def test_the_lowest_number_is_reported() -> None:
    """Of several workers' findings those of one workload are left, in their order."""
    violation = violation_of(example(CleanupFailed))
    findings = [
        Finding(scenario=SCENARIO, violation=violation, number=number)
        for number in (5, 3, 4, 3)
    ]

    assert [findings[1], findings[3]] == first_findings(findings)
    assert [] == first_findings([])


class FakeParent:
    """A parent that needs no workload after the number 1, and keeps the messages."""

    beacon = None

    def __init__(self) -> None:
        self.messages: list[Progress] = []

    def send(self, message: Progress | Ended) -> None:
        assert isinstance(message, Progress)
        self.messages.append(message)

    def wants_stop(self, number: int = 0) -> bool:
        return number > 1


def test_a_worker_passes_the_finding_of_another_before_it_ends() -> None:
    """Workloads of lower numbers are searched to their end, and no workload beyond."""
    parent: Any = FakeParent()
    report_search(parent, Share(plan(examples=50)))
    statistics = parent.messages[-1].statistics
    schedules = find_profile("quick").schedules

    assert (2, 2 * schedules + 1) == (statistics.number, statistics.runs)


def counts(statistics: SearchStatistics) -> tuple[int, int, dict[str, int], bytes]:
    reached = msgspec.json.encode(statistics.reached)
    return (
        statistics.runs,
        statistics.interleavings,
        dict(statistics.evidence),
        reached,
    )


def test_any_number_of_workers_does_the_same() -> None:
    """The sums of runs, evidence and activity are those of one process."""
    one, two = (pool(processes=processes, examples=3).run() for processes in (1, 2))

    assert counts(one) == counts(two)


def test_the_users_of_solo_runs_depend_on_the_workload(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its solo runs are of the same users after any earlier workload of its worker.

    Three of them could be, and eight schedules are no multiple of three.
    """
    alone: dict[bytes, list[object]] = {}

    def spy(history: History, make: Any, users: tuple[int, ...], **_: Any) -> Any:
        workload = msgspec.json.encode(history.scenario.operations)
        alone.setdefault(workload, []).append((history.digest(), users))
        return solo_runs(history, make, ())

    monkeypatch.setattr(
        "isolation_spec.search.workload_runner.comparable", lambda _: (0, 1, 2)
    )
    monkeypatch.setattr("isolation_spec.search.workload_runner.solo_runs", spy)
    shares = []
    for share in ((0, 1), (1, 2)):
        alone.clear()
        searched = plan(seed=1, examples=2, profile="ci")
        search_share(Share(searched, *share))
        shares.append(dict(alone))
    both, second = shares

    assert second
    assert {workload: both[workload] for workload in second} == second


@pytest.mark.parametrize("processes", [0, 2])
def test_time_that_is_up_ends_the_search_between_runs(processes: int) -> None:
    """Each worker ends after the run under way, and says why."""
    statistics = pool(processes=processes, max_time=1e-9, examples=50).run()

    assert statistics.time_up
    assert not statistics.interrupted
    assert 1 <= statistics.runs <= max(processes, 1)


def test_time_that_is_left_over_is_not_up() -> None:
    """A search that ends before its time says nothing of time."""
    statistics = pool(examples=1, max_time=3600).run()

    assert not statistics.time_up


def test_a_search_without_an_end_reports_no_total(tmp_path: Path) -> None:
    """While fuzzing, progress is of 0 examples: time alone ends it."""
    events: list[Event] = []
    fuzzing = plan(
        profile="fuzz", examples=1, seed=5, processes=1, fuzz=tmp_path, max_time=1e-9
    )
    WorkerPool(fuzzing, events.append).run()

    assert {0} == {e.of_examples for e in events if isinstance(e, Progressed)}


def test_an_interrupt_during_the_imports_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An import may swallow an exception: the interrupt waits for its end."""

    def importing() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    monkeypatch.setattr(
        "isolation_spec.search.worker_pool.import_strategies", importing
    )
    statistics = pool(examples=60, processes=1).run()

    assert statistics.interrupted
    assert statistics.examples < 60


# Saved before the solo runs


def test_a_violation_is_on_disk_before_any_solo_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first solo run after a violation finds its unconfirmed file."""
    seen: list[int] = []

    def look(*args: Any, **named: Any) -> Any:
        seen.append(len(list(tmp_path.glob("*.unconfirmed.json"))))
        return solo_runs(*args, **named)

    monkeypatch.setattr(workload_runner, "solo_runs", look)
    found = search_share(Share(plan("reference+prompt-on-client", failures=tmp_path)))

    claims = [find_claim(finding.violation.claim) for finding in found.findings]
    suspected = sum(not claim.compares for claim in claims)
    assert [0] * (len(seen) - 1) + [suspected] == seen
    assert suspected


def test_a_worker_that_dies_in_a_solo_run_loses_no_violation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parent has the finding, and its file is there."""

    def die(*args: Any, **named: Any) -> Any:
        if list(tmp_path.glob("*.unconfirmed.json")):
            os._exit(3)
        return solo_runs(*args, **named)

    monkeypatch.setattr(workload_runner, "solo_runs", die)
    found = pool("reference+prompt-on-client", failures=tmp_path, processes=1).run()

    assert found.findings
    assert len(found.findings) == len(list(tmp_path.glob("*.unconfirmed.json")))
