"""Verifies an engine: shards the search, shrinks what it finds, and gives a result."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from isolation_spec.claims import CLAIMS, Verdict
from isolation_spec.contract.capability_filter import required_activity
from isolation_spec.engines.registry import Engine
from isolation_spec.execution.containment import quiet
from isolation_spec.execution.isolation.time_limit import RUN_TIMEOUT
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
from isolation_spec.search.result import ClaimResult, Result, WorldKind
from isolation_spec.search.statistics import SearchStatistics
from isolation_spec.search.worker_pool import WorkerPool
from isolation_spec.world.live.database import check_database
from isolation_spec.world.live.world import Live

__all__ = ["FOLDER", "FUZZ", "verify"]

FOLDER = Path(".isolation-spec/failures")
"""Where failures are saved unless the user says otherwise."""
FUZZ = Path(".isolation-spec/fuzz")
"""Where the profile `fuzz` keeps what the next run goes on from."""


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
    """Searches the engine for a violation of any claim.

    Stops at the first workload that violates one, shrinks it for each claim that it
    violates, replays it twice, and saves it. With `processes=0` everything happens in
    this process; by default there is one worker process for each core. With `live`,
    all runs are in live worlds, and what violates a claim is saved as it was found.
    A run in a worker that takes more than `run_timeout` seconds, or ends the worker, is
    saved, and the search goes on after it.
    `pct` is the depth of a share that is run as pure PCT, None for the profile's own.

    No run is begun `max_time` seconds after the start, of which the profile has a
    default; what was found then is still shrunk. The default seed is 0, and for the
    profile `fuzz` one that the database in the folder `fuzz` has not seen. A `workload`
    from that database is searched alone instead, as it was when it was kept.

    Raises:
        AdapterError: the adapter broke its contract, or the database is of no use.
        BadWorkload: the file holds no workload.
        OSError: the folder `fuzz` cannot be written.
        KeyError: there is no such profile.
    """
    from isolation_spec.strategies.profiles import find_profile

    started = time.monotonic() if started is None else started
    if workload is not None:
        kept = load_in_flight(workload)
        profile, seed = kept.profile, kept.seed
    spent = find_profile(profile)
    if processes is None:
        processes = os.cpu_count() or 1
    if live is not None:
        check_database(live.database)
    world: WorldKind = "simulated" if live is None else "live"
    database = None
    if workload is not None:
        processes = min(processes, 1)
    elif profile == "fuzz":
        database = Database(fuzz, engine.name)
    if seed is None:
        seed = 0 if database is None else database.fresh_seed()
    salvaged = [] if database is None else database.begin(profile, seed)
    max_time = spent.seconds if max_time is None else max_time
    listen(
        SearchStarted(
            engine=engine.name,
            profile=profile,
            seed=seed,
            processes=processes,
            world=world,
            max_time=max_time,
        )
    )
    for path in salvaged:
        listen(WorkerCrashed(path=str(path), engine=engine.name))
    keeper = FailureStore(folder, listen)
    shards = WorkerPool(
        engine,
        profile,
        spent.examples,
        seed,
        processes,
        listen,
        live,
        pct,
        deadline=started + max_time if max_time else None,
        fuzz=None if database is None else fuzz,
        workload=workload,
        stuck=keeper.keep_stuck,
        run_timeout=run_timeout,
    )
    apart = run_timeout if processes else None
    try:
        try:
            tally = shards.run() if processes else shards.run_here()
        finally:
            told = shards.saved_processes
            for path in [] if database is None else database.salvage(told):
                listen(WorkerCrashed(path=str(path), engine=engine.name))
        failures, reasons = confirm_findings(engine, tally, keeper, listen, apart)
    finally:
        keeper.tell()
    reasons += keeper.reasons
    if shards.gave_up:
        reasons.append("the search ended there, before its time")
    if tally.difference is not None:
        reasons.append(f"not deterministic: {tally.difference}")
    violated = {f.claim for f in failures if f.confirmed or live is not None}
    result = Result(
        engine=engine.name,
        world=world,
        profile=profile,
        verdict=Verdict.HOLDS,
        examples=tally.examples,
        interleavings=tally.interleavings,
        seconds=round(time.monotonic() - started, 3),
        peak_memory_mb=round(shards.peak_memory / 1e6, 1),
        claims=_claim_results(tally, violated),
        reached=tally.reached,
        places=len(tally.places | tally.cancelled),
        places_cancelled=len(tally.cancelled),
        reruns=tally.reruns,
        exhausted=tally.exhausted,
        pct=tally.pct,
        coverage=tally.coverage,
        failures=tuple(f.path for f in failures if f.path),
        stuck=keeper.stuck,
        reasons=(),
        seed=seed,
        interrupted=tally.interrupted,
        time_up=tally.time_up,
        max_time=max_time,
    )
    with quiet():
        required = required_activity(engine.make_adapter().capabilities)
    result = _conclude(result, reasons, required)
    if database is not None:
        database.end(result)
    listen(SearchEnded(result=result))
    return result


_NEVER_JUDGED = "never reached"


def _conclude(result: Result, reasons: list[str], required: Collection[str]) -> Result:
    """Violated outranks inconclusive, and green needs that everything was reached.

    Everything that the engine has a surface for, that is.
    """
    verdicts = {claim.verdict for claim in result.claims}
    # A search that found something stopped there: what it did not reach says nothing.
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
        if claim.reason == _NEVER_JUDGED:
            unjudged.append(claim.id)
        else:
            yield f"{claim.id}: {claim.reason}"
    if unjudged:
        yield f"never judged, as no run came to its end: {', '.join(unjudged)}"
    missing = result.reached.missing(required)
    if missing:
        yield f"never reached: {', '.join(missing)}"


def _claim_results(
    tally: SearchStatistics, violated: set[str]
) -> tuple[ClaimResult, ...]:
    results = []
    for claim in CLAIMS:
        evidence = tally.evidence.get(claim.id, 0)
        crash = tally.reasons.get(f"{claim.id} crashed", "")
        reason = crash or tally.reasons.get(claim.id, _NEVER_JUDGED)
        if claim.id in violated:
            verdict, reason = Verdict.VIOLATED, ""
        elif claim.id in tally.not_applicable:
            verdict = Verdict.NOT_APPLICABLE
        elif evidence and not crash:
            verdict, reason = Verdict.HOLDS, ""
        else:
            verdict = Verdict.INCONCLUSIVE
        results.append(
            ClaimResult(id=claim.id, verdict=verdict, evidence=evidence, reason=reason)
        )
    return tuple(results)
