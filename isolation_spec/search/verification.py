"""Verifies an engine: plans a search, makes it, confirms its findings, concludes."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from isolation_spec.claims import CLAIMS, LASTING, Reason, ReasonKind, Verdict
from isolation_spec.claims.remarks import AnyRemark, ValuesSeenInPart
from isolation_spec.contract.capability_filter import required_activity
from isolation_spec.diagnosis.wording import describe_reason, describe_remark
from isolation_spec.engines.registry import Engine
from isolation_spec.execution.containment import quiet
from isolation_spec.execution.isolation.time_limit import RUN_TIMEOUT
from isolation_spec.model.history.opaque import Sight
from isolation_spec.search.confirmation import Confirmation
from isolation_spec.search.corpus import Database
from isolation_spec.search.events import (
    Listener,
    SearchEnded,
    SearchStarted,
    WorkerCrashed,
)
from isolation_spec.search.failure_store import FailureStore
from isolation_spec.search.findings import confirm_findings
from isolation_spec.search.in_flight import load_in_flight
from isolation_spec.search.plan import SearchPlan, make_plan
from isolation_spec.search.result import ClaimResult, Result
from isolation_spec.search.statistics import SearchStatistics
from isolation_spec.search.warm_up import warm_up
from isolation_spec.search.worker_pool import WorkerPool
from isolation_spec.world.live.database import check_database
from isolation_spec.world.live.world import Live

__all__ = ["FOLDER", "FUZZ", "verify"]

FOLDER = Path(".isolation-spec/failures")
"""The default folder of failure files."""
FUZZ = Path(".isolation-spec/fuzz")
"""The default folder in which the profile `fuzz` keeps its corpus."""


def verify(
    engine: Engine,
    *,
    profile: str = "quick",
    seed: int | None = None,
    processes: int | None = None,
    folder: Path = FOLDER,
    fuzz: Path = FUZZ,
    listen: Listener = lambda _: None,
    started: float | None = None,
    live: Live | None = None,
    pct: int | None = None,
    max_time: float | None = None,
    workload: Path | None = None,
    run_timeout: float = RUN_TIMEOUT,
) -> Result:
    """Searches the engine for a violation of any claim, and returns the result.

    The search stops at the first workload that violates a claim. It shrinks that
    workload for each violated claim, replays it twice, and saves it.

    Arguments:
        profile: `quick`, `ci`, `deep` or `fuzz`.
        seed: decides every workload and schedule. The default is 0; for `fuzz`, a seed
            that the folder `fuzz` has not recorded.
        processes: worker processes, by default one for each core; 0 for this process.
        folder: takes the failure files.
        fuzz: the folder in which the profile `fuzz` keeps its corpus.
        listen: takes each event as it happens.
        started: monotonic time from which `max_time` and `Result.seconds` count.
        live: runs in live worlds; their violations are saved as they were found.
        pct: the depth of the runs under pure PCT, None for the profile's own.
        max_time: seconds in which everything is done, but for the run under way.
            The search has nine tenths of it, or until it finds a violation.
        workload: a file of an earlier `fuzz`, searched alone as it was then.
        run_timeout: CPU seconds after which a run in a worker counts as hung. A run
            that hangs, or ends its worker, is saved, and the search goes on after it.

    Raises:
        AdapterError: the adapter broke its contract, or the database is unusable.
        BadWorkload: the file holds no workload.
        OSError: the folder `fuzz` cannot be written.
        KeyError: there is no such profile.
    """
    plan = _plan(
        engine,
        profile=profile,
        seed=seed,
        processes=processes,
        fuzz=fuzz,
        started=time.monotonic() if started is None else started,
        live=live,
        pct=pct,
        max_time=max_time,
        workload=workload,
        failures=folder,
        run_timeout=run_timeout,
    )
    store = FailureStore(folder, listen)
    try:
        search = _search(plan, store)
        confirmations, reasons = confirm_findings(plan, search.statistics, store)
    finally:
        store.report_unsaved()
    result = _conclude(plan, search, store, confirmations, reasons)
    if plan.fuzz is not None:
        Database(plan.fuzz, engine.name).end(result)
    listen(SearchEnded(result=result))
    return result


# Plan


def _plan(
    engine: Engine,
    *,
    profile: str,
    seed: int | None,
    processes: int | None,
    fuzz: Path,
    workload: Path | None,
    **fields: Any,
) -> SearchPlan:
    if processes is None:
        processes = os.cpu_count() or 1
    corpus = None
    if workload is not None:
        kept = load_in_flight(workload)
        profile, seed, processes = kept.profile, kept.seed, min(processes, 1)
    elif profile == "fuzz":
        corpus = fuzz
        seed = Database(fuzz, engine.name).fresh_seed() if seed is None else seed
    plan = make_plan(
        engine,
        profile,
        seed=seed or 0,
        processes=processes,
        fuzz=corpus,
        workload=workload,
        **fields,
    )
    if plan.live is not None:
        check_database(plan.live.database)
    return plan


# Search


class _Search(NamedTuple):
    """The outcome of a search.

    Attributes:
        gave_up: whether too many runs hung or died.
        peak_memory: of all processes, in bytes.
    """

    statistics: SearchStatistics
    gave_up: bool
    peak_memory: float


def _search(plan: SearchPlan, store: FailureStore) -> _Search:
    database = None if plan.fuzz is None else Database(plan.fuzz, plan.engine.name)
    crashed = [] if database is None else database.begin(plan.profile.name, plan.seed)
    store.listen(
        SearchStarted(
            engine=plan.engine.name,
            profile=plan.profile.name,
            seed=plan.seed,
            processes=plan.processes,
            world=plan.world,
            max_time=plan.max_time,
            packages=warm_up(plan),
        )
    )
    _report_crashes(plan, store, crashed)
    pool = WorkerPool(plan, store.listen, store.save_hang)
    try:
        statistics = pool.run()
    finally:
        if database is not None:
            crashed = database.salvage(pool.reported_processes)
            _report_crashes(plan, store, crashed)
    return _Search(statistics, pool.gave_up, pool.peak_memory)


def _report_crashes(plan: SearchPlan, store: FailureStore, paths: list[Path]) -> None:
    for path in paths:
        store.listen(WorkerCrashed(path=str(path), engine=plan.engine.name))


# Conclude


def _conclude(
    plan: SearchPlan,
    search: _Search,
    store: FailureStore,
    confirmations: list[Confirmation],
    reasons: list[str],
) -> Result:
    """The result: violated outranks inconclusive, which outranks holds."""
    statistics, coverage = search.statistics, search.statistics.coverage
    violated = {
        one.claim for one in confirmations if one.confirmed or plan.live is not None
    }
    result = Result(
        engine=plan.engine.name,
        world=plan.world,
        profile=plan.profile.name,
        verdict=Verdict.HOLDS,
        examples=statistics.examples,
        interleavings=statistics.interleavings,
        seconds=round(time.monotonic() - plan.started, 3),
        peak_memory_mb=round(search.peak_memory / 1e6, 1),
        claims=_claim_results(statistics, violated),
        reached=statistics.reached,
        places=coverage.number_of_sites(),
        places_cancelled=coverage.number_of_sites(cancelled=True),
        reruns=statistics.reruns,
        exhausted=statistics.exhausted,
        pct=statistics.pct,
        coverage=coverage,
        failures=tuple(one.path for one in confirmations if one.path),
        stuck=store.hangs,
        reasons=(),
        # Sorted, as workers finish in any order.
        remarks=(
            *(one.describe_cut() for one in confirmations if one.confirmed and one.cut),
            *sorted(map(describe_remark, _remarks(statistics))),
        ),
        seed=plan.seed,
        interrupted=statistics.interrupted,
        time_up=statistics.time_up,
        max_time=plan.max_time,
    )
    reasons = [*reasons, *store.reasons, *_cut_short(plan, statistics)]
    if search.gave_up:
        reasons.append("the search ended there, before its time")
    if statistics.divergence is not None:
        reasons.append(f"not deterministic: {statistics.divergence}")
    with quiet():
        required = required_activity(plan.engine.make_adapter().capabilities)
    return _with_verdict(result, reasons, required)


def _cut_short(plan: SearchPlan, statistics: SearchStatistics) -> Iterator[str]:
    """The reason against a verdict on a search that ended before half of its work.

    A search that has a finding does not hold so far.
    """
    if statistics.unjudged:
        yield (
            f"time was up before the control runs of {statistics.unjudged} suspicions "
            "had ended: they are left as *.unconfirmed.json"
        )
    needed = 0 if plan.workload else plan.profile.verdict_floor
    is_cut = statistics.time_up and statistics.examples < needed
    if is_cut and not statistics.findings:
        yield (
            f"holds so far: {statistics.examples} workloads of {plan.profile.name} "
            f"were searched in time, and a verdict needs {needed}"
        )


_NEVER_JUDGED = Reason(ReasonKind.NEVER_JUDGED)


def _with_verdict(
    result: Result, reasons: list[str], required: Collection[str]
) -> Result:
    """The result with its verdict; green needs all activity that is required."""
    verdicts = {claim.verdict for claim in result.claims}
    # A search stops at its first finding: activity that it missed is no news then.
    if Verdict.VIOLATED not in verdicts:
        reasons += _not_reached(result, required)
    if result.interrupted:
        reasons.append("interrupted")
    reasons = list(dict.fromkeys(reasons))
    verdict = Verdict.INCONCLUSIVE if reasons else Verdict.HOLDS
    if Verdict.VIOLATED in verdicts:
        verdict = Verdict.VIOLATED
    return msgspec.structs.replace(result, verdict=verdict, reasons=tuple(reasons))


def _not_reached(result: Result, required: Collection[str]) -> Iterator[str]:
    unjudged = []
    for claim in result.claims:
        if claim.verdict is not Verdict.INCONCLUSIVE:
            continue
        reason = claim.reason
        if reason is not None and reason.kind is ReasonKind.NEVER_JUDGED:
            unjudged.append(claim.id)
        else:
            yield f"{claim.id}: {describe_reason(claim.id, reason)}"
    if unjudged:
        yield f"never judged, as no run came to its end: {', '.join(unjudged)}"
    missing = result.reached.missing(required)
    if missing:
        yield f"never reached: {', '.join(missing)}"


def _claim_results(
    statistics: SearchStatistics, violated: set[str]
) -> tuple[ClaimResult, ...]:
    results, unseen = [], tuple(_never_seen(statistics))
    for claim in CLAIMS:
        evidence = statistics.evidence.get(claim.id, 0)
        reason: Reason | None = statistics.reasons.get(claim.id, _NEVER_JUDGED)
        crashed = reason is not None and reason.kind in LASTING
        if claim.id in violated:
            verdict, reason = Verdict.VIOLATED, None
        elif claim.id in statistics.not_applicable:
            verdict = Verdict.NOT_APPLICABLE
        elif unseen and claim.on_values:
            verdict, reason = Verdict.INCONCLUSIVE, Reason(ReasonKind.OPAQUE, unseen)
        elif evidence and not crashed:
            verdict, reason = Verdict.HOLDS, None
        else:
            verdict = Verdict.INCONCLUSIVE
        results.append(
            ClaimResult(id=claim.id, verdict=verdict, evidence=evidence, reason=reason)
        )
    return tuple(results)


def _never_seen(statistics: SearchStatistics) -> Iterator[str]:
    """Yields each kind of operation of which no value was seen whole."""
    for kind, sight in sorted(statistics.sight.items()):
        if sight.opaque == sight.values:
            yield f"{kind.replace('_', ' ')} ({_types(sight)})"


_FEW = 0.01
"""Values in part only that deserve no remark: an engine may return an error that holds
an object of C now and then."""


def _remarks(statistics: SearchStatistics) -> Iterator[AnyRemark]:
    """Yields the remarks on runs, and on kinds of values that were seen in part."""
    yield from statistics.remarks
    for kind, sight in statistics.sight.items():
        if sight.opaque > _FEW * sight.values:
            yield ValuesSeenInPart(kind, sight.opaque, sight.values, _types(sight))


def _types(sight: Sight) -> str:
    return ", ".join(f"{part.type}: {part.cause}" for part in sorted(sight.parts))
