"""`isolation-spec bench`: its table, its file, and its refusals."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from isolation_spec.cli import bench as face
from isolation_spec.measurement import benchmark
from tests.cli.command import isolation_spec

TINY = benchmark.Amount(
    rounds=2, interleavings=20, examples=1, machine_rounds=1, failures=2, replays=1
)


pytestmark = pytest.mark.xdist_group("bench")


Bench = Callable[..., benchmark.Benchmark]


@pytest.fixture(scope="module")
def bench_once() -> Bench:
    """Measures next to nothing the first time, and has the same figures afterwards."""
    figures: list[benchmark.Benchmark] = []
    measure = benchmark.bench

    def bench(
        amount: benchmark.Amount, progressed: Callable[[str], None]
    ) -> benchmark.Benchmark:
        assert TINY is amount
        if not figures:
            figures.append(measure(amount, progressed=progressed))
        return figures[0]

    return bench


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, bench_once: Bench) -> None:
    """`--quick` measures next to nothing."""
    monkeypatch.setattr(benchmark, "QUICK", TINY)
    monkeypatch.setattr(benchmark, "bench", bench_once)


@pytest.mark.usefixtures("tiny")
def test_table_and_file_hold_the_same_figures(tmp_path: Path) -> None:
    """Every figure of the table stands in the JSON file; exit 0."""
    file = tmp_path / "figures.json"
    done = CliRunner().invoke(
        face.command, ["--quick", "--json", str(file)], standalone_mode=False
    )
    figures = json.loads(file.read_bytes())
    (line,) = (n for n in done.output.splitlines() if n.startswith("interleavings"))

    assert 0 == done.return_value, done.output
    assert f"{figures['interleavings_per_second']:.1f} /s" in line
    assert f"{figures['live_seconds'] * 1e3:.2f} ms" in done.output
    for part in figures["parts"]:
        assert f"{part['seconds'] * 1e3:.2f} ms" in done.output
    assert "\x1b" not in done.output


def test_replays_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the failures that are replayed, with all digests compared."""
    monkeypatch.setattr(benchmark, "QUICK", TINY)
    file = tmp_path / "replays.json"
    done = CliRunner().invoke(
        face.command,
        ["--quick", "--replays", "--json", str(file)],
        standalone_mode=False,
    )
    figures = json.loads(file.read_bytes())

    assert 0 == done.return_value, done.output
    assert (2, 1, 2) == tuple(
        figures[name] for name in ("failures", "processes", "identical")
    )
    assert "identical digests" in done.output
    assert "interleavings" not in done.output


@pytest.mark.usefixtures("tiny")
def test_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """The reason is one sentence, and not a traceback."""
    done = CliRunner().invoke(
        face.command, ["--quick", "--json", str(tmp_path / "no" / "file.json")]
    )

    assert 2 == done.exit_code
    assert "cannot be written" in done.output
    assert "Traceback" not in done.output


def test_command_is_listed(tmp_path: Path) -> None:
    """The help of the command line names it."""
    done = isolation_spec("--help", folder=tmp_path)

    assert "bench" in done.out
