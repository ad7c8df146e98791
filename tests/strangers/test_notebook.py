"""A third-party engine without database and connections gets a complete verdict."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.command import isolation_spec
from tests.plugin.session import SCOPE, session

HERE = Path(__file__).parent
SCRIPT = Path(sys.executable).with_name("isolation-spec")
LEAKING = "leaking_notebook:LeakingNotebookAdapter"
CORRECT = "notebook:NotebookAdapter"
TEST = """\
from isolation_spec import isolation_test_case
from notebook import NotebookAdapter
TestNotebook = isolation_test_case(NotebookAdapter)
"""


def run_process(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a process whose PYTHONPATH has only the two engines and the package."""
    path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [str(argument) for argument in arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "80", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_notebook_holds_under_strict_pytest(tmp_path: Path) -> None:
    """Three lines in an empty folder verify the engine, with warnings as errors."""
    (tmp_path / "test_notebook.py").write_text(TEST)

    done = run_process(
        tmp_path, sys.executable, "-m", "pytest", "-q", "-W", "error", *SCOPE
    )

    assert 0 == done.returncode, done.stdout
    assert done.stdout.splitlines()[-1].startswith("7 passed in ")
    assert not (tmp_path / ".isolation-spec").exists()


@pytest.mark.xdist_group("the notebook")
@pytest.mark.usefixtures("one_search")
def test_the_notebook_holds_under_plain_pytest(tmp_path: Path) -> None:
    """The same without any option."""
    (tmp_path / "test_notebook.py").write_text(TEST)

    done = session(tmp_path, "-q")

    assert 0 == done.code, done.out
    assert done.lines[-1].startswith("7 passed in ")
    assert not (tmp_path / ".isolation-spec").exists()


@pytest.mark.xdist_group("the notebook")
@pytest.mark.usefixtures("one_search")
def test_the_whole_verdict_is_green(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claims about its capabilities hold, and all others are not applicable."""
    monkeypatch.syspath_prepend(HERE)
    done = isolation_spec("verify", CORRECT, "--json", "result.json", folder=tmp_path)
    result = json.loads((tmp_path / "result.json").read_text())
    verdicts = {claim["id"]: claim["verdict"] for claim in result["claims"]}

    assert (0, "") == (done.code, done.err), done.out
    assert ("holds", []) == (result["verdict"], result["reasons"])
    assert {
        "event-routing",
        "event-lifecycle",
        "exact-limits",
        "database-sessions",
    } == {name for name, verdict in verdicts.items() if verdict == "not applicable"}
    assert {"holds", "not applicable"} == set(verdicts.values())
    assert 0 == result["reached"]["handshakes"] == result["reached"]["events_delivered"]


class Leak(NamedTuple):
    """The search of the leaking variant, and its failure file."""

    done: subprocess.CompletedProcess[str]
    file: Path


@pytest.fixture(scope="module")
def leak(tmp_path_factory: pytest.TempPathFactory) -> Leak:
    folder = tmp_path_factory.mktemp("leak")
    done = run_process(folder, SCRIPT, "verify", LEAKING, "--failures", "failures")
    (file,) = (folder / "failures").glob("*context-ownership*")
    return Leak(done, file)


def test_the_leak_is_found(leak: Leak) -> None:
    """The leak violates context ownership, and the saved failure is confirmed."""
    assert 1 == leak.done.returncode
    assert re.search(r"^context-ownership +violated", leak.done.stdout, re.MULTILINE), (
        leak.done.stdout
    )
    assert json.loads(leak.file.read_text())["confirmed"]


def test_the_leak_is_shrunk(leak: Leak) -> None:
    """The shrunk scenario has two users with a context and a run each, and at most one
    step or decision that makes the runs overlap."""
    scenario = json.loads(leak.file.read_text())["scenario"]

    assert 2 == len(scenario["users"])
    assert ["open_context", "open_context", "run_agent", "run_agent"] == sorted(
        operation["operation"] for operation in scenario["operations"]
    )
    schedule = scenario["schedule"]
    decisions = len(schedule["classes"]) + len(schedule["demotions"])
    steps = sum(
        len(operation.get("script", ())) for operation in scenario["operations"]
    )
    assert steps + decisions <= 1


@pytest.mark.parametrize(
    ("engine", "outcome", "code"),
    [(LEAKING, "REPRODUCED", 1), (CORRECT, "FIXED", 0)],
)
def test_the_leak_is_replayed(leak: Leak, engine: str, outcome: str, code: int) -> None:
    """The file reproduces the leak in the leaking variant and is fixed in the
    notebook."""
    done = run_process(
        leak.file.parent, SCRIPT, "replay", leak.file, "--engine", engine
    )

    assert (code, "") == (done.returncode, done.stderr), done.stdout
    assert f"{outcome}: context-ownership on {engine}" == done.stdout.splitlines()[0]
