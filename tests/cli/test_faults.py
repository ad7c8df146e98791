"""`isolation-spec faults`: the catching power, as a table and as JSON."""

import io
import json
from pathlib import Path

from rich.console import Console
from rich.live import Live

from isolation_spec.cli.faults import _Progress
from isolation_spec.measurement.mutation_score import Trial
from tests.cli.command import assert_refused, isolation_spec

ONLY = ("--only", "heartbeat-survives", "--seeds", 1, "--jobs", 1)


def test_a_fault_is_measured(tmp_path: Path) -> None:
    """The table names fault and claims, the JSON holds the figures, the exit is 0."""
    done = isolation_spec("faults", *ONLY, "--json", "scores.json", folder=tmp_path)
    scores = json.loads((tmp_path / "scores.json").read_text())

    assert (0, "") == (done.code, done.err), done.out
    assert "heartbeat-survives" in done.out
    assert "teardown" in done.out
    assert "1 of 1 searches caught their fault" in " ".join(done.out.split())
    (score,) = scores["faults"]
    assert ("heartbeat-survives", 1, 1) == (
        score["id"],
        score["seeds"],
        score["caught"],
    )
    assert 1 == scores["totals"]["pairs"]


def test_a_fault_that_is_missed_is_no_success(tmp_path: Path) -> None:
    """With too few workloads the exit code reports the missed fault."""
    done = isolation_spec(
        "faults", "--only", "line-blocked", "--seeds", 1, "--examples", 1,
        folder=tmp_path,
    )  # fmt: skip

    assert 1 == done.code, done.out
    assert "0/1" in done.out


def test_an_unknown_fault_is_refused(tmp_path: Path) -> None:
    """The error names the existing faults."""
    done = isolation_spec("faults", "--only", "no-such-fault", folder=tmp_path)

    assert_refused(done, "no-such-fault", "broadcast-to-all")


def test_a_log_hears_of_the_measurement_once_a_minute() -> None:
    """Outside a terminal, progress is printed once a minute."""
    output = io.StringIO()
    console = Console(file=output)
    catch = Trial(
        fault="one-agent", seed=3, layer="search", caught=True, claims=(),
        interleavings=1, seconds=0.1, operations=-1, decisions=-1,
        shrink_seconds=-1.0, least=-1,
    )  # fmt: skip
    with Live("", console=console, auto_refresh=False, transient=True) as live:
        progress = _Progress(console, live)
        progress(catch, 1, 9)
        progress.printed -= 60
        progress(catch, 2, 9)
        progress(catch, 3, 9)

    assert ["2 of 9: one-agent, seed 3, caught"] == output.getvalue().split("\n")[:1]
    assert "3 of 9" not in output.getvalue()
