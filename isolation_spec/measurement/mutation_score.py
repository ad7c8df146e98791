"""The catching power of the specification: planted faults, searched for from cold.

Each fault is searched for under several seeds, each time from nothing: no scenario,
weight or corpus that was made for a fault is used. A *catch* is one (fault, seed) pair.
Trials are kept in a file, so that an interrupted measurement can be resumed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2s
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from isolation_spec.claims import CLAIMS
from isolation_spec.diagnosis.shrink.predicate import FailurePredicate
from isolation_spec.diagnosis.shrink.shrinker import Shrinker
from isolation_spec.diagnosis.shrink.sort_key import size
from isolation_spec.engines.faults import FAULTS, Fault, least_of, mechanism_of
from isolation_spec.engines.registry import Engine, find_engine
from isolation_spec.execution.containment import without_pool_warnings
from isolation_spec.execution.isolation.process_map import map_in_processes
from isolation_spec.execution.process_memory import frozen_heap
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import judge_with_solos
from isolation_spec.measurement.workloads import gathered
from isolation_spec.search.plan import make_plan
from isolation_spec.search.statistics import SearchStatistics
from isolation_spec.search.worker import Share, import_strategies, search_share

__all__ = [
    "Baseline",
    "Score",
    "Scores",
    "Totals",
    "Trial",
    "measure",
]

Baseline: TypeAlias = Literal["search", "random", "fifo", "gather"]
"""The search, or a control: random schedules, plain order without cancellation, or one
test with `asyncio.gather` over five users."""

PROFILE = "quick"
LIMIT = 1000
"""Interleavings after which a fault counts as missed."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One search for one fault under one seed.

    `interleavings` and `seconds` (wall clock, of the search alone) are those to the
    first catch; `operations` and `decisions` are the size of the shrunk scenario, -1
    where it was not shrunk; `shrink_seconds` is wall clock, and `least` the known
    minimum of operations and decisions together, for the claim that was shrunk.
    """

    fault: str
    seed: int
    layer: Baseline = "search"
    caught: bool
    claims: tuple[str, ...]
    interleavings: int
    seconds: float
    operations: int = -1
    decisions: int = -1
    shrink_seconds: float = -1.0
    least: int = -1


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The score of one fault: `caught` of `seeds` searches."""

    id: str
    mechanism: str
    claims: tuple[str, ...]
    seeds: int
    caught: int
    interleavings_median: float
    interleavings_p95: float
    seconds_median: float
    operations: int
    decisions: int
    shrink_seconds: float
    least: int


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Over all (fault, seed) pairs; a miss counts as the limit plus one.

    Attributes:
        caught_at_100: pairs that were caught within 100 interleavings.
        alone: claim -> faults that no other claim caught, noninterference apart.
        controls: layer -> faults that it caught under any seed.
        shrunk: faults whose first catch was shrunk, and whose minimum is known.
        shrunk_exactly: those of them that came to their minimum.
        ratio_mean, ratio_worst: operations and decisions over the minimum.
        shrink_seconds_median, shrink_seconds_worst: wall clock.
    """

    faults: int
    mechanisms: int
    pairs: int
    caught: int
    caught_at_100: int
    limit: int
    interleavings_median: float
    interleavings_p95: float
    seconds_median: float
    seconds_p95: float
    alone: dict[str, tuple[str, ...]]
    controls: dict[str, int]
    shrunk: int
    shrunk_exactly: int
    ratio_mean: float
    ratio_worst: float
    shrink_seconds_median: float
    shrink_seconds_worst: float


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """The scores of all faults."""

    faults: tuple[Score, ...]
    totals: Totals

    def to_json(self) -> bytes:
        """The scores as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One search to make."""

    fault: str
    seed: int
    layer: Baseline
    examples: int


def measure(
    faults: Iterable[Fault],
    *,
    seeds: int,
    examples: int,
    jobs: int,
    layers: tuple[Baseline, ...] = ("search",),
    kept: Path | None = None,
    progressed: Callable[[Trial, int, int], None] = lambda *_: None,
) -> Scores:
    """The scores of searches for each fault under each seed.

    Arguments:
        seeds: 0 and up, so many.
        examples: workloads of one search, at most; it ends at `LIMIT` interleavings.
        jobs: processes at work at once.
        layers: "search", and the controls.
        kept: a file of trials, one a line; trials in it are not repeated.
        progressed: takes each trial, the number of trials so far, and of all.
    """
    faults = tuple(faults)
    wanted = [
        Wanted(fault=fault.id, seed=seed, layer=layer, examples=examples)
        for layer in layers
        for seed in range(seeds if layer != "gather" else 1)
        for fault in faults
    ]
    done: dict[str, Trial] = {}
    old = _read(kept)
    for one in wanted:
        if (name := _name(one)) in old:
            done[name] = old[name]
    missing = [one for one in wanted if _name(one) not in done]
    for one, catch in _made(missing, jobs):
        done[_name(one)] = catch
        _keep(kept, one, catch)
        progressed(catch, len(done), len(wanted))
    return _scores(faults, [done[_name(one)] for one in wanted])


def _made(wanted: list[Wanted], jobs: int) -> Iterator[tuple[Wanted, Trial]]:
    if jobs <= 1:
        for one in wanted:
            yield one, _hunt(one)
        return
    import_strategies()
    yield from map_in_processes(_hunt, wanted, Trial, jobs=jobs, name="a trial")


# One search


@without_pool_warnings()
def _hunt(wanted: Wanted) -> Trial:
    """One search, from cold; the first seed's catch is shrunk."""
    engine = find_engine(f"reference+{wanted.fault}")
    started = time.perf_counter()
    if wanted.layer == "gather":
        statistics = _gather(engine)
    else:
        plan = make_plan(
            engine,
            PROFILE,
            examples=wanted.examples,
            seed=wanted.seed,
            control="none" if wanted.layer == "search" else wanted.layer,
        )
        statistics = search_share(
            Share(plan), lambda so_far: so_far.interleavings < LIMIT
        )
    seconds = time.perf_counter() - started
    shrunk = _Shrunk()
    if statistics.findings and wanted.layer == "search" and not wanted.seed:
        shrunk = _shrink(engine, wanted.fault, statistics)
    return Trial(
        fault=wanted.fault,
        seed=wanted.seed,
        layer=wanted.layer,
        caught=bool(statistics.findings),
        claims=tuple(sorted({found.violation.claim for found in statistics.findings})),
        interleavings=statistics.interleavings if statistics.findings else LIMIT + 1,
        seconds=round(seconds, 4),
        operations=shrunk.operations,
        decisions=shrunk.decisions,
        shrink_seconds=shrunk.seconds,
        least=shrunk.least,
    )


def _gather(engine: Engine) -> SearchStatistics:
    """One run of five users at once, as in a hand-written test."""
    statistics = SearchStatistics(interleavings=1)
    history = run(gathered(), engine.make_adapter)
    for judgement in judge_with_solos(history, engine.make_adapter):
        statistics.count(judgement)
        for violation in judgement.violations[:1]:
            statistics.add_finding(history.scenario, violation)
    return statistics


class _Shrunk(NamedTuple):
    operations: int = -1
    decisions: int = -1
    seconds: float = -1.0
    least: int = -1


@frozen_heap()
def _shrink(engine: Engine, fault: str, statistics: SearchStatistics) -> _Shrunk:
    """Shrinks the first finding, preferably of a claim that the fault names."""
    (planted,) = find_faults((fault,))
    named = [
        one for one in statistics.findings if one.violation.claim in planted.claims
    ]
    found = (named or statistics.findings)[0]
    probe = FailurePredicate(
        engine.make_adapter, found.scenario, (found.violation,), same_clause=False
    )
    started = time.perf_counter()
    small = Shrinker(probe.fails, observe=probe.observe).shrink(found.scenario)
    seconds = round(time.perf_counter() - started, 3)
    operations, decisions, _ = size(small)
    least = least_of(fault, found.violation.claim)
    return _Shrunk(operations, decisions, seconds, -1 if least is None else sum(least))


# The file of trials


def _name(one: Wanted) -> str:
    return f"{one.layer}/{one.fault}/{one.seed}/{one.examples}"


class _Kept(msgspec.Struct, frozen=True):
    name: str
    sources: str
    catch: Trial


def _sources() -> str:
    """A digest of all modules: trials of other sources say nothing of these."""
    package = Path(__file__).resolve().parent.parent
    digest = blake2s(digest_size=8)
    # `rglob` does not follow the link that `strategies` is in a checkout.
    for folder in (package, package / "strategies"):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _read(kept: Path | None) -> dict[str, Trial]:
    if kept is None or not kept.exists():
        return {}
    found = {}
    sources = _sources()
    for line in kept.read_bytes().splitlines():
        try:
            one = msgspec.json.decode(line, type=_Kept)
        except msgspec.MsgspecError:
            # The last line of a run that was cut off.
            continue
        if one.sources == sources:
            found[one.name] = one.catch
    return found


def _keep(kept: Path | None, one: Wanted, catch: Trial) -> None:
    if kept is None:
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    line = msgspec.json.encode(_Kept(_name(one), _sources(), catch))
    with kept.open("ab") as file:
        file.write(line + b"\n")


# Scores


def _scores(faults: tuple[Fault, ...], catches: list[Trial]) -> Scores:
    searched = [catch for catch in catches if catch.layer == "search"]
    scores = tuple(_score(fault, searched) for fault in faults)
    return Scores(faults=scores, totals=_totals(scores, searched, catches))


def _score(fault: Fault, catches: list[Trial]) -> Score:
    own = [catch for catch in catches if catch.fault == fault.id]
    interleavings = [catch.interleavings for catch in own]
    shrunk = next((catch for catch in own if catch.operations >= 0), None)
    return Score(
        id=fault.id,
        mechanism=mechanism_of(fault),
        claims=tuple(sorted({claim for catch in own for claim in catch.claims})),
        seeds=len(own),
        caught=sum(catch.caught for catch in own),
        interleavings_median=_median(interleavings),
        interleavings_p95=_percentile(interleavings),
        seconds_median=_median([catch.seconds for catch in own]),
        operations=-1 if shrunk is None else shrunk.operations,
        decisions=-1 if shrunk is None else shrunk.decisions,
        shrink_seconds=-1.0 if shrunk is None else shrunk.shrink_seconds,
        least=-1 if shrunk is None else shrunk.least,
    )


def _totals(
    scores: tuple[Score, ...], searched: list[Trial], catches: list[Trial]
) -> Totals:
    interleavings = [catch.interleavings for catch in searched]
    seconds = [catch.seconds for catch in searched]
    layers = {catch.layer: None for catch in catches if catch.layer != "search"}
    shrunk = [score for score in scores if score.operations >= 0 and score.least > 0]
    ratios = [(one.operations + one.decisions) / one.least for one in shrunk]
    shrinking = [score.shrink_seconds for score in shrunk]
    return Totals(
        faults=len(scores),
        mechanisms=len({score.mechanism for score in scores}),
        pairs=len(searched),
        caught=sum(catch.caught for catch in searched),
        caught_at_100=sum(c.caught and c.interleavings <= 100 for c in searched),
        limit=LIMIT,
        interleavings_median=_median(interleavings),
        interleavings_p95=_percentile(interleavings),
        seconds_median=_median(seconds),
        seconds_p95=_percentile(seconds),
        alone=_alone(scores),
        controls={
            layer: len({c.fault for c in catches if c.layer == layer and c.caught})
            for layer in layers
        },
        shrunk=len(shrunk),
        shrunk_exactly=sum(ratio <= 1 for ratio in ratios),
        ratio_mean=round(statistics.fmean(ratios), 4) if ratios else 0.0,
        ratio_worst=round(max(ratios, default=0.0), 4),
        shrink_seconds_median=_median(shrinking),
        shrink_seconds_worst=max(shrinking, default=0.0),
    )


def _alone(scores: tuple[Score, ...]) -> dict[str, tuple[str, ...]]:
    """Claim -> the faults that it alone caught; noninterference sees most, too."""
    alone: dict[str, list[str]] = {claim.id: [] for claim in CLAIMS}
    general = [claim.id for claim in CLAIMS if claim.compares]
    for score in scores:
        own = [c for c in score.claims if c not in general] or list(score.claims)
        if len(own) == 1:
            alone[own[0]].append(score.id)
    return {claim: tuple(found) for claim, found in alone.items()}


def _median(values: list[int] | list[float]) -> float:
    return round(statistics.median(values), 4) if values else 0.0


def _percentile(values: list[int] | list[float]) -> float:
    """The 95th percentile, a value that was measured: the nearest rank."""
    if not values:
        return 0.0
    ranked = sorted(values)
    return float(ranked[max(0, -(-95 * len(ranked) // 100) - 1)])


def find_faults(names: Iterable[str]) -> tuple[Fault, ...]:
    """The faults of these ids, all without an id.

    Raises:
        KeyError: there is no such fault; the text lists all faults.
    """
    wanted = tuple(names)
    known = {fault.id: fault for fault in FAULTS}
    for name in wanted:
        if name not in known:
            message = f"no fault is called {name!r}; there are {', '.join(known)}"
            raise KeyError(message)
    return tuple(known[name] for name in wanted) or FAULTS
