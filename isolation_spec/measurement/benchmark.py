"""Measures the speed of a search, and the parts of one interleaving.

Everything is measured in one process on one core, with one scripted workload: three
connected users, each with a context and a run that thinks, calls a tool, stores a
value, emits an event and reads the value back. Compared variants take turns within
one measurement, and medians are taken, as machines are noisy.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2s

import msgspec
import psutil

from isolation_spec.claims import CLAIMS, judge
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.process_memory import proportional_set_size
from isolation_spec.execution.run import run
from isolation_spec.measurement.replay_fidelity import Replays, measure_replays
from isolation_spec.measurement.workloads import NullAdapter, workload
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Schedule
from isolation_spec.world import World
from isolation_spec.world.live.world import LiveWorld
from isolation_spec.world.schedulers.base import Scheduler

__all__ = [
    "FULL",
    "QUICK",
    "REPLAYS",
    "Amount",
    "Benchmark",
    "Part",
    "bench",
]

_COLLECT_EVERY = 20
_TURNS = 2000
_SCHEDULES = 1000


class Amount(msgspec.Struct, frozen=True, kw_only=True):
    """The amount of measuring.

    Attributes:
        rounds: how often each compared variant takes its turn.
        interleavings: over how many the rate and the growth of memory are taken.
        examples: drawn by each machine in each of its rounds.
        machine_rounds: how often each machine takes its turn.
        failures, replays: so many are replayed in so many fresh processes.
    """

    rounds: int
    interleavings: int
    examples: int
    machine_rounds: int
    failures: int
    replays: int


FULL = Amount(
    rounds=100,
    interleavings=10_000,
    examples=20,
    machine_rounds=9,
    failures=40,
    replays=5,
)
QUICK = Amount(
    rounds=15,
    interleavings=500,
    examples=10,
    machine_rounds=5,
    failures=20,
    replays=2,
)


REPLAYS = (200, 50)
"""Failures, and fresh processes in which each is replayed, for the whole figure."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The seconds of one part of an interleaving, and how they were found."""

    name: str
    seconds: float
    how: str


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one measurement.

    Attributes:
        interleavings_per_second: different ones, with all claims judged and garbage
            collected every 20 runs, on one core.
        runs_per_second: the same, those counted twice that arrived in equal order.
        simulated_seconds, live_seconds: one run of the workload in either world.
        simulated_over_live: their ratio.
        claims_over_none: one run with all claims judged, over one without claims.
        machine_over_bare: drawing one example, over an example of a state machine of
            as many steps that draws nothing.
        parts: where the time of one interleaving goes.
        memory_mb: proportional set size of the process tree in the end, 10^6 bytes.
        memory_growth_mb: slope of that over all `runs`, by least squares.
        distinct_schedules: different orders of arrivals among the first `schedules`,
            of one workload with far more than 10^5 of them.
        replays: of failures as found, in fresh processes with random hash seeds.
    """

    interleavings_per_second: float
    runs_per_second: float
    simulated_seconds: float
    live_seconds: float
    simulated_over_live: float
    claims_over_none: float
    machine_over_bare: float
    parts: tuple[Part, ...]
    memory_mb: float
    memory_growth_mb: float
    interleavings: int
    runs: int
    distinct_schedules: int
    schedules: int
    replays: Replays
    rounds: int
    claims: int
    python: str
    cores: int
    seconds: float

    def to_json(self) -> bytes:
        """The figures as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def bench(
    amount: Amount = FULL, *, progressed: Callable[[str], None] = lambda _: None
) -> Benchmark:
    """The figures; `progressed` takes a line about each part of the measurement."""
    started = time.monotonic()
    # As in a search: objects that are alive before are never collected.
    gc.collect()
    gc.freeze()
    try:
        medians = _compare(amount.rounds, progressed)
        machines = _compare_machines(amount, progressed)
        sustained = _Sustained(amount.interleavings, progressed)
        replays = measure_replays(
            amount.failures, amount.replays, progressed=progressed
        )
    finally:
        gc.unfreeze()
    whole, judged = medians["whole"], medians["judged"]
    return Benchmark(
        interleavings_per_second=round(sustained.interleavings / sustained.seconds, 2),
        runs_per_second=round(sustained.runs / sustained.seconds, 2),
        simulated_seconds=whole,
        live_seconds=medians["live"],
        simulated_over_live=round(whole / medians["live"], 4),
        claims_over_none=round((whole + judged) / whole, 4),
        machine_over_bare=round(machines["machine"] / machines["bare"], 3),
        parts=_parts(medians),
        memory_mb=round(sustained.memory[-1], 1),
        memory_growth_mb=round(sustained.growth(), 2),
        interleavings=sustained.interleavings,
        runs=sustained.runs,
        distinct_schedules=len(set(sustained.arrivals)),
        schedules=len(sustained.arrivals),
        replays=replays,
        rounds=amount.rounds,
        claims=len(CLAIMS),
        python=platform.python_version(),
        cores=psutil.cpu_count() or 1,
        seconds=round(time.monotonic() - started, 1),
    )


# One interleaving and its parts


def _compare(rounds: int, progressed: Callable[[str], None]) -> dict[str, float]:
    """Variant -> median seconds; the variants take turns."""
    make = find_engine("reference").make_adapter
    capabilities = make().capabilities
    whole, histories = workload(), [run(workload(), make)]
    nothing = workload(connected=False, running=False)
    connecting, not_storing = workload(running=False), workload(storing=False)

    def run_whole() -> None:
        histories[0] = run(whole, make)

    variants: dict[str, Callable[[], object]] = {
        "world": lambda: run(nothing, NullAdapter),
        "started": lambda: run(nothing, make),
        "connected": lambda: run(connecting, make),
        "ran": lambda: run(not_storing, make),
        "whole": run_whole,
        "judged": lambda: judge(histories[0], capabilities),
        "live": lambda: run(whole, make, world=LiveWorld()),
        "turns": _run_turns,
    }
    medians = _take_turns(variants, rounds, progressed, "one interleaving")
    medians["turns"] *= _turns(histories[0]) / _TURNS
    return medians


def _run_turns() -> None:
    """So many turns of a loop in which one task does nothing in each."""

    async def main() -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    with World(Scheduler(Schedule())) as world:
        world.run(main())


def _turns(history: History) -> int:
    return max(entry.turn for entry in history.entries)


def _take_turns(
    variants: Mapping[str, Callable[[], object]],
    rounds: int,
    progressed: Callable[[str], None],
    subject: str,
) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for variant in variants.values():
        variant()
    for number in range(rounds):
        progressed(f"{subject}: round {number + 1} of {rounds}")
        gc.collect()
        for name, variant in variants.items():
            began = time.perf_counter()
            variant()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def _parts(medians: Mapping[str, float]) -> tuple[Part, ...]:
    """Differences of scenarios, each of which holds one thing more than the last."""

    def part(name: str, more: str, less: str | None, how: str) -> Part:
        seconds = medians[more] - (0.0 if less is None else medians[less])
        return Part(name=name, seconds=seconds, how=how)

    return (
        part("world", "world", None, "users without operations, no engine"),
        part("engine and schema", "started", "world", "the engine, minus world"),
        part("handshakes", "connected", "started", "users connect, minus that"),
        part("runs and tools", "ran", "connected", "each has a run, minus that"),
        part("database", "whole", "ran", "each stores and reads a value, minus that"),
        part("claims", "judged", None, "all claims judge the history"),
        part("of which loop", "turns", None, "as many turns with nothing to do"),
    )


# Machines


def _compare_machines(
    amount: Amount, progressed: Callable[[str], None]
) -> dict[str, float]:
    """Seconds in which the machine, and a bare one, are through with the examples."""
    import hypothesis
    from hypothesis.stateful import (
        RuleBasedStateMachine,
        rule,
        run_state_machine_as_test,
    )

    from isolation_spec.strategies.machine import IsolationMachine
    from isolation_spec.strategies.profiles import find_profile

    class Bare(RuleBasedStateMachine):
        @rule()
        def step(self) -> None:
            """Does nothing and draws nothing."""

    class Drawing(IsolationMachine):
        examine = staticmethod(lambda scenario, search: None)

    settings = find_profile("quick").settings(examples=amount.examples)

    def through(machine: type[RuleBasedStateMachine]) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            run_state_machine_as_test(hypothesis.seed(0)(machine), settings=settings)

    return _take_turns(
        {"machine": lambda: through(Drawing), "bare": lambda: through(Bare)},
        amount.machine_rounds,
        progressed,
        "machines",
    )


# Sustained


class _Sustained:
    """Many interleavings in a row, with the rate and the memory that they take.

    Attributes:
        interleavings: different ones; equal arrival orders count once.
        seconds: the time of all runs at the median pace of 20.
        memory: 10^6 bytes, measured at regular distances.
        arrivals: digest of the order of arrivals of each of the first 1,000 runs.
    """

    def __init__(self, count: int, progressed: Callable[[str], None]) -> None:
        self.runs = count - count % _COLLECT_EVERY or _COLLECT_EVERY
        self.memory: list[float] = []
        self.arrivals: list[str] = []
        orders: set[bytes] = set()
        paces: list[float] = []
        runs = self._runs()
        batches = self.runs // _COLLECT_EVERY
        for batch in range(batches):
            progressed(f"sustained: {batch * _COLLECT_EVERY} of {self.runs} runs")
            began = time.perf_counter()
            for _ in range(_COLLECT_EVERY):
                orders.add(next(runs))
            gc.collect()
            paces.append(time.perf_counter() - began)
            if batch % max(1, batches // 25) == 0:
                self.memory.append(proportional_set_size(psutil.Process()) / 1e6)
        self.interleavings = len(orders)
        self.seconds = statistics.median(paces) * batches

    def _runs(self) -> Iterator[bytes]:
        """Yields the identity of each interleaving, scheduled as the search does."""
        from isolation_spec.strategies.cancellations import FirstRunReport
        from isolation_spec.strategies.schedules import SearchParameters
        from isolation_spec.strategies.seeded_schedules import seeded_runs

        make = find_engine("reference").make_adapter
        capabilities = make().capabilities
        scenario = workload()
        history = run(scenario, make, count_steps=True)
        search = SearchParameters(change_points=(), burst=0, split=False, seed=0)
        first = FirstRunReport(history.steps, choices=history.choices)
        for scheduled in seeded_runs(scenario, search, self.runs, first):
            history = run(scheduled.scenario, make, scheduler=scheduled.scheduler)
            judge(history, capabilities)
            if len(self.arrivals) < _SCHEDULES:
                self.arrivals.append(history.arrivals)
            # A digest, as objects that the measurement keeps would count as growth.
            operations = msgspec.json.encode(history.scenario.operations)
            yield blake2s(operations + history.arrivals.encode()).digest()

    def growth(self) -> float:
        """The growth of the memory over all runs, after the first fifth of them."""
        steady = self.memory[len(self.memory) // 5 :]
        if len(steady) < 2:
            return 0.0
        slope = statistics.linear_regression(range(len(steady)), steady).slope
        return slope * len(self.memory)
