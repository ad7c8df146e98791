"""The files of a verification: one by one, and the whole folder that a job uploads."""

import json
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

from tests.cli.command import FAULTY, assert_refused, isolation_spec
from tests.in_process import Done

BROKEN = """\
from isolation_spec.engines.reference.adapter import ReferenceAdapter


class engine(ReferenceAdapter):
    async def start(self, environment):
        raise OSError("port taken")
"""
DYING = """\
import os

from isolation_spec.engines.reference.adapter import ReferenceAdapter


class engine(ReferenceAdapter):
    async def open_context(self, user, thread, metadata):
        os._exit(3)
"""


class Run(NamedTuple):
    """A verification, and the folder that it wrote."""

    done: Done
    folder: Path

    def result(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "result.json").read_bytes()))

    def events(self) -> list[dict[str, Any]]:
        lines = (self.folder / "events.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def sarif(self) -> dict[str, Any]:
        (run,) = json.loads((self.folder / "results.sarif").read_bytes())["runs"]
        return dict(run)

    def junit(self) -> ElementTree.Element:
        return ElementTree.parse(self.folder / "junit.xml").getroot()


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A faulty engine, verified quietly, with everything in one folder."""
    here = tmp_path_factory.mktemp("here")
    (here / "out").mkdir()
    (here / "out" / "result.json").write_text("old")
    done = isolation_spec("verify", FAULTY, "--output", "out", "--quiet", folder=here)
    return Run(done, here / "out")


def test_the_folder_of_a_run_is_laid_out_as_documented(red: Run) -> None:
    """Four files and the failures, by the names that other commands rely on."""
    assert 1 == red.done.code, red.done
    assert {
        "result.json",
        "events.jsonl",
        "junit.xml",
        "results.sarif",
        "failures",
    } == {path.name for path in red.folder.iterdir()}
    (failure,) = (red.folder / "failures").iterdir()
    assert [f"out/failures/{failure.name}"] == red.result()["failures"]


def test_all_files_report_the_same_search(red: Run) -> None:
    """Result, last event, JUnit XML and SARIF agree on the violation."""
    result, events = red.result(), red.events()
    violated = [c["id"] for c in result["claims"] if c["verdict"] == "violated"]
    failed = [
        case.attrib["name"]
        for case in red.junit().iter("testcase")
        if case.find("failure") is not None
    ]

    assert ["teardown"] == violated
    assert violated == failed
    assert violated == [found["ruleId"] for found in red.sarif()["results"]]
    assert ("SearchStarted", "SearchEnded") == (events[0]["event"], events[-1]["event"])
    assert result == events[-1]["result"]
    assert sorted(e["seconds"] for e in events) == [e["seconds"] for e in events]


def test_a_quiet_red_search_prints_the_explanation_and_the_verdict(red: Run) -> None:
    """The output is the explanation, the replay command and one line."""
    lines = red.done.out.splitlines()

    assert lines[0].startswith("teardown: ")
    assert lines[-2].startswith("Replay with: isolation-spec replay out/failures/")
    assert lines[-1].startswith("violated: ")
    assert "evidence" not in red.done.out


def test_an_uploaded_folder_replays_on_another_machine(
    red: Run, tmp_path: Path
) -> None:
    """The folder alone, copied elsewhere, shows the failure again."""
    shutil.copytree(red.folder, tmp_path / ".isolation-spec")
    (failure,) = tmp_path.glob(".isolation-spec/failures/*.json")

    done = isolation_spec("replay", failure.relative_to(tmp_path), folder=tmp_path)

    assert 1 == done.code
    assert f"REPRODUCED: teardown on {FAULTY}" == done.out.splitlines()[0]


def test_a_search_that_breaks_leaves_no_green_file(tmp_path: Path) -> None:
    """No result of an earlier run stays, and each file has the reason."""
    (tmp_path / "broken.py").write_text(BROKEN)
    out = tmp_path / "out"
    out.mkdir()
    (out / "result.json").write_text("old")
    done = isolation_spec("verify", "broken:engine", "--output", "out", folder=tmp_path)
    run = Run(done, out)
    (error,) = run.junit().iter("error")
    (invocation,) = run.sarif()["invocations"]

    assert_refused(done, "engine.start", "port taken")
    result = json.loads((out / "result.json").read_bytes())
    assert "error" == result["verdict"]
    assert "port taken" in result["reasons"][0]
    assert "SearchFailed" == run.events()[-1]["event"]
    assert "port taken" in error.attrib["message"]
    assert not invocation["executionSuccessful"]


@pytest.mark.parametrize("option", ["--json", "--jsonl", "--junit", "--sarif"])
def test_a_file_that_cannot_be_written_is_refused_at_once(
    tmp_path: Path, option: str
) -> None:
    """It is found before the search, not after it."""
    done = isolation_spec("verify", FAULTY, option, "no-such/file", folder=tmp_path)

    assert_refused(done, "no-such/file")
    assert not (tmp_path / ".isolation-spec").exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A folder below a file is refused in one line."""
    (tmp_path / "file").touch()

    done = isolation_spec("verify", FAULTY, "--output", "file/x", folder=tmp_path)

    assert_refused(done, "file/x")


@pytest.mark.parametrize("text", ["0", "soon", "-5"])
def test_a_bad_time_is_refused(tmp_path: Path, text: str) -> None:
    """The error names the option and shows the accepted forms."""
    done = isolation_spec("verify", "--max-time", text, folder=tmp_path)

    assert 2 == done.code
    assert "--max-time" in done.err
    assert "write 90, 90s, 5m or 1h" in done.err


def test_the_end_of_the_time_is_reported(tmp_path: Path) -> None:
    """The result and the last line report the end of the time."""
    done = isolation_spec(
        "verify", "--max-time", "0.1", "--json", "r.json", folder=tmp_path
    )
    result = json.loads((tmp_path / "r.json").read_bytes())

    assert 3 == done.code, done
    assert (True, 0.1) == (result["time_up"], result["max_time"])
    assert "; time was up after 0.1 s" in " ".join(done.out.split())
    assert "\nRepeat with: isolation-spec verify reference --profile quick" in done.out


def test_the_workload_of_a_dead_worker_is_saved_and_runs_again(tmp_path: Path) -> None:
    """While fuzzing, the scenario is in a file from which it is searched again, too."""
    (tmp_path / "dying.py").write_text(DYING)
    done = isolation_spec(
        "verify",
        "dying:engine",
        "--profile",
        "fuzz",
        "--output",
        "out",
        folder=tmp_path,
    )
    kept = sorted(tmp_path.glob("out/fuzz/*/broken-off/*.json"))
    entry = json.loads(kept[0].read_bytes())

    assert 3 == done.code, done
    assert "engine.open_context (dying.py:8 in open_context) ended the" in done.out
    assert [op["operation"] for op in entry["scenario"]["operations"]]

    again = isolation_spec(
        "verify", "dying:engine", "--workload", kept[0], folder=tmp_path
    )

    assert 3 == again.code, again
    assert "open_context) ended the" in again.out
    (command, *_) = re.findall(r"^Replay with: isolation-spec (.*)$", done.out, re.M)
    assert 1 == isolation_spec(*command.split(), folder=tmp_path).code
    assert f"profile fuzz, seed {entry['seed']}" in again.out


def test_a_bad_workload_is_refused(tmp_path: Path) -> None:
    """A file that holds no workload is refused in one line that names it."""
    (tmp_path / "w.json").write_text("{}")

    done = isolation_spec("verify", "--workload", "w.json", folder=tmp_path)

    assert_refused(done, "w.json", "not a workload")
