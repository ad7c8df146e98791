"""Verifies an engine: shards the search, shrinks what it finds, and gives a result."""

from __future__ import annotations

import os
import time
import unittest
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import msgspec

from isolation_spec.adapter import Adapter, AdapterError
from isolation_spec.adapters import Engine, find_engine, own_engine
from isolation_spec.adapters.offered import reachable
from isolation_spec.claims import CLAIMS, Verdict, Violation, find_claim
from isolation_spec.determinism import Difference, repeated
from isolation_spec.explain import explain
from isolation_spec.failure import make_failure
from isolation_spec.fuzz import Database
from isolation_spec.history import History
from isolation_spec.interrupts import Interrupts
from isolation_spec.journal import load_under_way
from isolation_spec.keeping import Keeper, Unsaved
from isolation_spec.leaving import quiet
from isolation_spec.report import (
    BrokenOff,
    ClaimResult,
    Event,
    FailureFound,
    FailureSaved,
    Listener,
    Result,
    SearchEnded,
    SearchStarted,
    Shrinking,
    Shrunk,
    WorldKind,
)
from isolation_spec.report.failures import tell
from isolation_spec.run import run
from isolation_spec.scenario import Scenario
from isolation_spec.search import Found, Tally, check_strategies
from isolation_spec.shards import Shards
from isolation_spec.shrink import Probe, Shrinker, size
from isolation_spec.story import tell_story
from isolation_spec.watchdog import RUN_TIMEOUT, Slate, beating, run_apart
from isolation_spec.world.live import Live
from isolation_spec.world.live_database import check_database
from isolation_spec.world.scheduler import Scheduler

__all__ = [
    "FOLDER",
    "FUZZ",
    "IsolationTestCase",
    "confirm",
    "isolation_test_case",
    "verify",
]

FOLDER = Path(".isolation-spec/failures")
"""Where failures are saved unless the user says otherwise."""
FUZZ = Path(".isolation-spec/fuzz")
"""Where the profile `fuzz` keeps what the next run goes on from."""
SHRINK_SECONDS = 10.0
"""How long one failure is shrunk, at most; most take less than a second."""


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
    check_strategies()
    from strategies.profiles import find_profile

    started = time.monotonic() if started is None else started
    if workload is not None:
        kept = load_under_way(workload)
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
        listen(BrokenOff(path=str(path), engine=engine.name))
    keeper = Keeper(folder, listen)
    shards = Shards(
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
                listen(BrokenOff(path=str(path), engine=engine.name))
        failures, reasons = _handle_found(engine, tally, keeper, listen, apart)
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
        required = reachable(engine.make_adapter().capabilities)
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


def _claim_results(tally: Tally, violated: set[str]) -> tuple[ClaimResult, ...]:
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


# Under a test runner


class IsolationTestCase(unittest.TestCase):
    """Verifies one engine; `isolation_test_case` makes subclasses.

    Under pytest each claim is a test. Under unittest there is one test, and each
    violated claim is a failed subtest of it.

    Attributes:
        engine: what is verified.
        profile: the name of a profile; None for quick, or what pytest is told.
    """

    engine: Engine
    profile: str | None = None

    def runTest(self) -> None:
        """No claim is violated, and everything was really exercised.

        Raises:
            IsolationViolated: the subclass that belongs to the claim; its text is the
                whole story, with the command that replays it.
        """
        saved: list[FailureSaved] = []

        def listen(event: Event) -> None:
            if isinstance(event, FailureSaved) and event.confirmed:
                saved.append(event)

        profile = self.profile or "quick"
        result = verify(self.engine, profile=profile, processes=0, listen=listen)
        for event in saved:
            exception = find_claim(event.violation.claim).exception
            with self.subTest(claim=event.violation.claim):
                text = "\n".join(("", *tell(event)))
                raise exception(event.violation, story=text)
        if not saved and result.verdict is not Verdict.HOLDS:
            self.fail(f"inconclusive: {'; '.join(result.reasons)}")


def isolation_test_case(
    engine: str | Callable[[], Adapter], *, profile: str | None = None
) -> type[IsolationTestCase]:
    """A test case that verifies an engine; assign it to a name that starts with `Test`.

        TestMyEngine = isolation_test_case(MyAdapter)

    Raises:
        EngineNotFound: no engine has that name, or it gives no adapter.
    """
    __tracebackhide__ = True
    try:
        found = find_engine(engine) if isinstance(engine, str) else own_engine(engine)
    except AdapterError as error:
        # It is raised while a test file is imported: the line there is what matters.
        raise error.with_traceback(None) from None
    return type(
        "IsolationTestCase",
        (IsolationTestCase,),
        {"engine": found, "profile": profile},
    )


# What was found


class _Saved(msgspec.Struct, frozen=True):
    claim: str
    path: str
    confirmed: bool
    difference: Difference | None = None
    stuck: str = ""


def _handle_found(
    engine: Engine,
    tally: Tally,
    keeper: Keeper,
    listen: Listener,
    run_timeout: float | None,
) -> tuple[list[_Saved], list[str]]:
    """Shrinks, confirms and saves one failure for each claim that was violated.

    In processes of their own, unless `run_timeout` is None. Interrupted, it keeps the
    file that was saved as found.
    """
    saved: dict[str, _Saved] = {}
    reasons: list[str] = []
    first: list[str] = []

    def remember(event: Event) -> None:
        if isinstance(event, FailureFound):
            first.append(event.path)
        listen(event)

    for one in tally.found:
        claim = one.violation.claim
        if claim in saved:
            continue
        if one.history is not None:
            saved[claim] = _save_live(engine, one, one.history, keeper, listen)
            continue
        try:
            with Interrupts() as interrupts:
                if run_timeout is None:
                    failure = confirm(
                        engine, one, keeper.folder, remember, interrupts.check, keeper
                    )
                else:
                    failure = _confirm_apart(
                        engine, one, keeper, remember, interrupts, run_timeout
                    )
        except KeyboardInterrupt:
            tally.interrupted = True
            saved.update({p: _Saved(claim, p, False) for p in first[-1:]})
            break
        saved[claim] = failure
        if failure.stuck:
            reasons.append(f"{claim}: violated once, then {failure.stuck}")
        elif not failure.confirmed:
            reasons.append(f"{claim}: violated once, but {_unlike(failure)}")
    return list(saved.values()), reasons


def _unlike(failure: _Saved) -> str:
    if failure.difference is None:
        return "not deterministic: no step of a second run differed, but its verdict"
    return f"not deterministic: {failure.difference}"


class _Told(msgspec.Struct, kw_only=True):
    """What a process that confirms a failure tells."""

    event: Event | None = None
    unsaved: Unsaved | None = None
    saved: _Saved | None = None
    interrupted: bool = False
    error: str = ""


def _confirm_apart(
    engine: Engine,
    found: Found,
    keeper: Keeper,
    listen: Listener,
    interrupts: Interrupts,
    run_timeout: float,
) -> _Saved:
    """As `confirm`, in a process that the engine may hang, or end.

    Raises:
        KeyboardInterrupt: there was an interrupt.
        AdapterError: the adapter broke its contract.
    """
    told = _Told()
    first = ""

    def work(
        slate: Slate, send: Callable[[bytes], None], stopped: Callable[[], bool]
    ) -> None:
        slate.began(0, found.scenario, Scheduler(found.scenario.schedule))
        watched = engine._replace(make_adapter=beating(engine.make_adapter, slate))

        def tell(**fields: Any) -> None:
            send(msgspec.msgpack.encode(_Told(**fields)))

        def check() -> None:
            if stopped():
                raise KeyboardInterrupt

        own = Keeper(keeper.folder, lambda event: tell(event=event))
        own.unsaved_listener = lambda unsaved: tell(unsaved=unsaved)
        try:
            saved = confirm(
                watched, found, own.folder, lambda e: tell(event=e), check, own
            )
            tell(saved=saved)
        except KeyboardInterrupt:
            tell(interrupted=True)
        except AdapterError as error:
            tell(error=str(error))
        except Exception as error:
            tell(error=f"the shrinking broke off: {type(error).__name__}: {error}")

    def heard(data: bytes) -> None:
        nonlocal told, first
        told = msgspec.msgpack.decode(data, type=_Told)
        if isinstance(told.event, FailureFound):
            first = told.event.path
        if told.event is not None:
            listen(told.event)
        if told.unsaved is not None:
            keeper.take_unsaved(told.unsaved)

    stuck = run_apart(
        work,
        heard=heard,
        engine=engine.name,
        adapter=engine.adapter_name,
        allowed=run_timeout,
        interrupted=lambda: interrupts.heard,
    )
    if told.interrupted or (stuck is not None and interrupts.heard):
        raise KeyboardInterrupt
    if told.error:
        raise AdapterError(told.error)
    if told.saved is not None:
        return told.saved
    assert stuck is not None
    path = keeper.keep_stuck(stuck)
    told_of = stuck.sentence()
    return _Saved(found.violation.claim, first or path, False, stuck=told_of)


def _save_live(
    engine: Engine, found: Found, history: History, keeper: Keeper, listen: Listener
) -> _Saved:
    """Saves a violation as it was found: it can be neither shrunk nor replayed."""
    failure = make_failure(engine.name, history, found.violation, confirmed=False)
    path = keeper.keep(failure)
    listen(
        FailureSaved(
            scenario=failure.scenario,
            violation=found.violation,
            engine=engine.name,
            path=keeper.place(path),
            confirmed=False,
            world="live",
            story=explain(tell_story(history, found.violation, None)),
        )
    )
    return _Saved(found.violation.claim, keeper.place(path), False)


def confirm(
    engine: Engine,
    found: Found,
    folder: Path,
    listen: Listener,
    check: Callable[[], None] = lambda: None,
    keeper: Keeper | None = None,
    seconds: float = SHRINK_SECONDS,
) -> _Saved:
    """Saves a violation as found, shrinks it, replays it twice, and saves the result.

    Shrinking ends after so many seconds with the smallest scenario so far. `check` is
    called before each run; what it raises leaves the file that was saved first.
    """
    keeper = keeper or Keeper(folder, listen)
    history = run(found.scenario, engine.make_adapter)
    unshrunk = make_failure(engine.name, history, found.violation, confirmed=False)
    first = keeper.keep(unshrunk)
    listen(FailureFound(violation=found.violation, path=keeper.place(first)))
    probe = Probe(engine.make_adapter, found.scenario, (found.violation,), check=check)
    if not probe.fails(found.scenario):
        difference = found.difference or repeated(history, engine.make_adapter)
        place = keeper.place(first)
        return _Saved(found.violation.claim, place, False, difference)

    def progressed(runs: int, smallest: Scenario) -> None:
        so_far = size(smallest)[:2]
        listen(Shrinking(claim=found.violation.claim, runs=runs, size=so_far))

    shrinker = Shrinker(
        probe.fails, look=probe.places, seconds=seconds, progressed=progressed
    )
    small = shrinker.shrink(found.scenario)
    listen(
        Shrunk(
            claim=found.violation.claim,
            before=size(found.scenario)[:2],
            after=size(small)[:2],
            runs=shrinker.runs,
        )
    )
    # What is confirmed is run anew, the runs of single users included.
    fails = Probe(
        engine.make_adapter, found.scenario, (found.violation,), check=check
    ).failure
    return _confirm_small(engine, found, small, fails, first, keeper, listen, check)


Fails = Callable[[Scenario], tuple[History, Violation] | None]


def _confirm_small(
    engine: Engine,
    found: Found,
    small: Scenario,
    fails: Fails,
    first: Path,
    keeper: Keeper,
    listen: Listener,
    check: Callable[[], None],
) -> _Saved:
    """Saves what a first replay shows, confirmed if a second one shows the same.

    Should neither fail as the scenario did that was found, that stays as it was saved.
    """
    runs = [shown for shown in (fails(small), fails(small)) if shown is not None]
    if not runs:
        history = run(small, engine.make_adapter)
        difference = repeated(history, engine.make_adapter) or found.difference
        place = keeper.place(first)
        return _Saved(found.violation.claim, place, False, difference)
    history, violation = runs[0]
    digests = {shown[0].digest() for shown in runs}
    confirmed = len(runs) == 2 and len(digests) == 1
    difference = None
    if not confirmed:
        difference = repeated(history, engine.make_adapter) or found.difference
    failure = make_failure(engine.name, history, violation, confirmed=confirmed)

    def make_adapter() -> Adapter:
        check()
        return engine.make_adapter()

    # Before it is saved: whoever interrupts this keeps the file saved as found.
    story = explain(tell_story(history, violation, make_adapter))
    path = keeper.keep(failure)
    if path != first:
        keeper.drop(first)
    listen(
        FailureSaved(
            scenario=failure.scenario,
            violation=violation,
            engine=engine.name,
            path=keeper.place(path),
            confirmed=confirmed,
            difference=str(difference or ""),
            story=story,
        )
    )
    return _Saved(violation.claim, keeper.place(path), confirmed, difference)
