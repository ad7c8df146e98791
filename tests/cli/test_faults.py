"""`isolation-spec faults`: the catching power, as a table and as JSON."""

import json
from pathlib import Path

from tests.cli.command import assert_refused, isolation_spec

ONLY = ("--only", "heartbeat-survives", "--seeds", 1, "--jobs", 1)


def test_a_fault_is_measured(tmp_path: Path) -> None:
    """The table names fault and claims, the JSON holds the figures, the exit is 0."""
    done = isolation_spec("faults", *ONLY, "--json", "scores.json", folder=tmp_path)
    scores = json.loads((tmp_path / "scores.json").read_text())

    assert (0, "") == (done.code, done.err), done.out
    assert "heartbeat-survives" in done.out
    assert "teardown" in done.out
    assert "1 of 1 searches caught theirs" in " ".join(done.out.split())
    (score,) = scores["faults"]
    assert ("heartbeat-survives", 1, 1) == (
        score["id"],
        score["seeds"],
        score["caught"],
    )
    assert 1 == scores["totals"]["pairs"]


def test_a_fault_that_is_missed_is_no_success(tmp_path: Path) -> None:
    """With too few workloads the exit code says that something was missed."""
    done = isolation_spec(
        "faults", "--only", "line-blocked", "--seeds", 1, "--examples", 1,
        folder=tmp_path,
    )  # fmt: skip

    assert 1 == done.code, done.out
    assert "0/1" in done.out


def test_an_unknown_fault_is_refused(tmp_path: Path) -> None:
    """The error names those that there are."""
    done = isolation_spec("faults", "--only", "no-such-fault", folder=tmp_path)

    assert_refused(done, "no-such-fault", "broadcast-to-all")
