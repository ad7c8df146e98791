"""The figures of the benchmark agree with each other."""

import msgspec
import pytest

from isolation_spec.claims import CLAIMS
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.execution.run import run
from isolation_spec.measurement.benchmark import Amount, Benchmark, bench
from isolation_spec.measurement.workloads import workload

TINY = Amount(
    rounds=3, interleavings=40, examples=2, machine_rounds=1, failures=2, replays=1
)


@pytest.fixture(scope="module")
def measured() -> tuple[Benchmark, list[str]]:
    """One tiny measurement, and its lines of progress."""
    lines: list[str] = []
    return bench(TINY, progressed=lines.append), lines


def test_figures_agree_with_each_other(measured: tuple[Benchmark, list[str]]) -> None:
    """Ratios are those of the seconds given, and the parts add up to the whole."""
    figures, _ = measured
    parts = {part.name: part.seconds for part in figures.parts}
    judged = parts.pop("claims")
    loop = parts.pop("of which loop")
    whole = figures.simulated_seconds

    assert whole == pytest.approx(sum(parts.values()))
    assert figures.simulated_over_live == pytest.approx(
        whole / figures.live_seconds, abs=1e-3
    )
    assert figures.claims_over_none == pytest.approx((whole + judged) / whole, abs=1e-3)
    assert 0 < loop < whole
    assert len(CLAIMS) == figures.claims


def test_interleavings_are_counted_once(measured: tuple[Benchmark, list[str]]) -> None:
    """At most as many interleavings as runs, at the same pace, and memory is there."""
    figures, _ = measured

    assert 1 < figures.interleavings <= figures.runs == 40
    assert figures.interleavings / figures.runs == pytest.approx(
        figures.interleavings_per_second / figures.runs_per_second, abs=1e-2
    )
    assert 10 < figures.memory_mb < 1000


def test_progress_is_reported(measured: tuple[Benchmark, list[str]]) -> None:
    """Each round and each batch of runs is reported in a line."""
    _, lines = measured

    assert "one interleaving: round 3 of 3" in lines
    assert "machines: round 1 of 1" in lines
    assert "sustained: 20 of 40 runs" in lines


def test_json_is_read_back(measured: tuple[Benchmark, list[str]]) -> None:
    """The JSON holds every figure."""
    figures, _ = measured

    assert figures == msgspec.json.decode(figures.to_json(), type=Benchmark)


def test_workload_does_real_work() -> None:
    """Three users shake hands, run, use a tool and the database, and overlap."""
    history = run(workload(), ReferenceAdapter)
    reached = history.reached

    assert (3, 3, 3, 3) == (
        reached.users,
        reached.handshakes,
        reached.runs_completed,
        reached.tools_run,
    )
    assert 9 <= reached.database_sessions
    assert 3 * 5 <= reached.events_delivered
    assert history.overlapped


def test_parts_of_the_workload_are_parts() -> None:
    """Each smaller workload lacks exactly the part in its name."""
    connecting = run(workload(running=False), ReferenceAdapter).reached
    not_storing = run(workload(storing=False), ReferenceAdapter).reached
    whole = run(workload(), ReferenceAdapter).reached

    assert (3, 0) == (connecting.handshakes, connecting.database_sessions)
    assert 3 == not_storing.runs_completed
    assert whole.database_sessions - 6 == not_storing.database_sessions
    assert () == workload(connected=False, running=False).operations
