"""The scenario under way survives the process that runs it."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from isolation_spec.model.scenario import OpenContext, Scenario, User
from isolation_spec.search.in_flight import (
    BadWorkload,
    InFlightLog,
    InFlightRun,
    load_in_flight,
    process_of,
)

SCENARIO = Scenario(
    users=(User(label="alice", id="alice"),),
    operations=(OpenContext(id=1, user=0, context="x1", thread="t"),),
)
ENTRY = InFlightRun(
    engine="reference",
    profile="fuzz",
    seed=1,
    number=2,
    workload=SCENARIO,
    search=((1, 2), 0, True, 3),
    run=4,
    scenario=SCENARIO,
)


def test_an_entry_is_read_again(tmp_path: Path) -> None:
    """An entry comes back as it was, from a file that names the process."""
    log = InFlightLog(tmp_path / "new")
    log.begin(ENTRY)

    assert ENTRY == load_in_flight(log.path)
    assert os.getpid() == process_of(log.path)


def test_the_last_entry_alone_is_kept(tmp_path: Path) -> None:
    """There is one file while runs follow each other, and no file after the last."""
    log = InFlightLog(tmp_path)
    for run in (1, 1000, 3):
        log.begin(msgspec.structs.replace(ENTRY, run=run))

    assert 3 == load_in_flight(log.path).run
    assert [log.path] == list(tmp_path.iterdir())

    log.end()

    assert [] == list(tmp_path.iterdir())


def test_a_process_that_dies_leaves_its_entry(tmp_path: Path) -> None:
    """Nothing has to be flushed or closed: the entry is there when the run begins."""
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from isolation_spec.search.in_flight import InFlightLog\n"
        "from tests.search.test_in_flight import ENTRY\n"
        "InFlightLog(Path(sys.argv[1])).begin(ENTRY)\n"
        "os.abort()\n"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", script, tmp_path], cwd=root, check=False)
    (left,) = tmp_path.glob("*.json")

    assert ENTRY == load_in_flight(left)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        (b"", "not a workload"),
        (b"{}", "not a workload"),
        (b"[" * 5000, "not a workload"),
        (b" " * (4 * 1024 * 1024 + 1), "larger"),
        (
            msgspec.json.encode(ENTRY).replace(b'"user":0', b'"user":9'),
            "not a workload",
        ),
    ],
    ids=["missing", "empty", "no-fields", "deep", "large", "no-such-user"],
)
def test_a_file_without_a_workload_is_refused(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    """A file that holds no workload raises one typed error that names it."""
    path = tmp_path / "some.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(BadWorkload, match=why) as caught:
        load_in_flight(path)

    assert str(path) in str(caught.value)
