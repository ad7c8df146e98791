"""A test case of an engine: one test for each claim, and its report."""

import os
import re
import shlex
import signal
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from isolation_spec.failure import load
from tests.cli.command import isolation_spec
from tests.in_process import STRANGERS
from tests.plugin.session import (
    ALL,
    GREEN,
    RED,
    Session,
    make_project,
    session,
    session_process,
    three_lines,
)

MISTAKEN = "mistaken:MistakenAdapter"
MISTAKEN_SOURCE = """
from leaking_notebook import LeakingNotebook, LeakingNotebookAdapter


class Mistaken(LeakingNotebook):
    async def close(self, session):
        await super().close(session)
        if hasattr(session, "mistaken"):
            self.sessions.append(session)

    def user_of(self, session):
        user = super().user_of(session)
        if user != session.user:
            session.mistaken = True
        return user


class MistakenAdapter(LeakingNotebookAdapter):
    engine_class = Mistaken
"""
"""The engine never closes the run of a mistaken user: each leak is two violations."""


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session with a test case of the mistaken one, started below the rootdir."""
    folder = make_project(tmp_path_factory.mktemp("red"), ini="")
    (folder / "tests").mkdir()
    (folder / "tests/mistaken.py").write_text(MISTAKEN_SOURCE)
    (folder / "tests/test_leak.py").write_text(three_lines("TestLeak", MISTAKEN))
    return session(folder / "tests", "-v", "--junitxml", "junit.xml")


def test_three_lines_are_a_test_of_each_claim(green: Session) -> None:
    """Each claim that applies is one test, and a green session leaves no file."""
    expected = {f"test_engine.py::TestMine::{name}": "PASSED" for name in ALL}

    assert expected == green.verdicts, green.out
    assert 0 == green.code
    assert green.has_line("isolation-spec: *, profile tiny")
    assert not (green.folder / ".isolation-spec").exists()


def test_green_is_quiet(green: Session) -> None:
    """Without -v one line replaces the table."""
    done = session(green.folder, "-q")

    (line,) = [line for line in done.lines if "isolation" in line]
    assert re.fullmatch(
        rf"isolation: {GREEN} holds: 6 claims hold, \d+ interleavings, [\d.]+ s "
        r"\(profile tiny, seed 0\)",
        line,
    )
    assert "\nclaim  " in green.out


def test_distinct_claims_are_distinct_failures(red: Session) -> None:
    """Each violated claim is a failure with its explanation and without our code.

    A claim without a verdict is skipped, beside the failure that stopped the search.
    """
    verdicts = {name.split("::")[-1]: how for name, how in red.verdicts.items()}

    assert 1 == red.code
    failed = {name for name, how in verdicts.items() if how == "FAILED"}
    assert {"context-ownership", "teardown"} <= failed, red.out
    assert failed == {name for name in ALL if red.has_line(f"{name} * violated *")}
    assert "SKIPPED" == verdicts["everything-reached"]
    assert len(failed) == red.out.count("\nHowever, ")
    assert "Traceback" not in red.out
    assert "isolation_spec/" not in red.out
    assert red.has_line("context-ownership  violated *")
    assert red.has_line("event-routing      not applicable *0")


def test_an_explanation_is_printed_once_where_pytest_repeats_messages(
    red: Session,
) -> None:
    """Where CI is set, pytest's own summary has the first sentence of each failure."""
    done = session(red.folder, CI="true")

    assert done.counts["failed"] == done.out.count("\nHowever, ")
    assert done.has_line("FAILED *::teardown - teardown: *")


def test_a_failure_file_lands_under_the_rootdir_and_replays(
    red: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever pytest is started, files go to one place, and the command works."""
    files = list((red.folder.parent / ".isolation-spec/failures").glob("*.json"))
    commands = set(re.findall(r"^Replay with: (.*)$", red.out, re.MULTILINE))

    assert red.counts["failed"] == len(files) == len(commands)
    assert not (red.folder / ".isolation-spec").exists()
    monkeypatch.syspath_prepend(STRANGERS)
    for command in commands:
        name, *words = shlex.split(command)
        done = isolation_spec(*words, folder=red.folder)
        assert ("isolation-spec", 1) == (name, done.code)
        assert done.out.startswith("REPRODUCED: ")


def test_junit_has_the_properties(red: Session) -> None:
    """A machine reads verdict, evidence, seed, interleavings and file of each claim."""
    cases = {
        case.get("name"): {one.get("name"): one.get("value") for one in case[0]}
        for case in ElementTree.parse(red.folder / "junit.xml").iter("testcase")
    }

    properties = cases["context-ownership"]
    assert ("context-ownership", "violated") == (
        properties["claim"],
        properties["verdict"],
    )
    assert int(properties["evidence"] or 0) > 0
    assert int(properties["interleavings"] or 0) > 0
    assert ("0", MISTAKEN, "quick") == (
        properties["seed"],
        properties["engine"],
        properties["profile"],
    )
    assert load(red.folder / str(properties["failure_file"])).confirmed
    assert "violated" == cases["everything-reached"]["verdict"]


def test_an_inconclusive_search_fails_and_names_the_missing_activity(
    folder: Path,
) -> None:
    """A search too short to reach everything is red, not green."""
    (folder / "test_engine.py").write_text(
        three_lines("TestMine", GREEN, more=", profile='starved'")
    )

    result = session(folder, "-v")

    assert 1 == result.code
    assert "FAILED" == result.verdicts["test_engine.py::TestMine::everything-reached"]
    assert result.has_line("inconclusive: never reached: *")


def test_a_claim_alone_is_never_green_for_want_of_evidence(folder: Path) -> None:
    """A claim without a verdict fails where its session runs no other test."""
    (folder / "test_leak.py").write_text(three_lines("TestLeak", RED))

    result = session(folder, "test_leak.py::TestLeak::error-containment")

    assert {"failed": 1} == result.counts, result.out
    assert result.has_line(
        "inconclusive: the search stopped when it found context-ownership violated"
    )


def test_fixtures_that_are_around_every_test_are_around_these(folder: Path) -> None:
    """An autouse fixture of the user surrounds each test of a claim."""
    (folder / "test_engine.py").write_text(
        "import os, pytest\n"
        "from isolation_spec import IsolationTestCase, isolation_test_case\n"
        "from notebook import NotebookAdapter\n"
        "class Needy(NotebookAdapter):\n"
        "    async def start(self, environment):\n"
        "        os.environ['ADDRESS']\n"
        "        await super().start(environment)\n"
        "@pytest.fixture(autouse=True)\n"
        "def address(monkeypatch):\n"
        "    monkeypatch.setenv('ADDRESS', 'here')\n"
        "TestMine = isolation_test_case(Needy)\n"
    )

    result = session(folder)

    # The base class beside it is no test case.
    assert {"passed": len(ALL)} == result.counts, result.out


SLOW = """

import pytest

def pytest_addoption(parser):
    parser.addoption("--runslow", action="store_true")

def pytest_collection_modifyitems(config, items):
    for item in items:
        if item.get_closest_marker("slow") and not config.getoption("--runslow"):
            item.add_marker(pytest.mark.skip(reason="need --runslow"))
"""
SKIPPED = {
    "skip": "@pytest.mark.skip(reason='later')",
    "skipif": "@pytest.mark.skipif(True, reason='later')",
    "runslow": "@pytest.mark.slow",
}


@pytest.mark.parametrize("form", SKIPPED)
def test_a_skipped_case_is_skipped_and_not_searched(folder: Path, form: str) -> None:
    """A marker on a test case skips each of its tests; the session goes on."""
    with (folder / "conftest.py").open("a") as conftest:
        conftest.write(SLOW)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    (folder / "test_leak.py").write_text(
        f"import pytest\n{three_lines('Leaking', RED)}"
        f"{SKIPPED[form]}\nclass TestLeak(Leaking):\n    pass\n"
        "del Leaking\n"
        "def test_beside(): pass\n"
    )

    result = session(folder, "-rs")

    assert {"passed": 1, "skipped": len(ALL)} == result.counts, result.out
    assert 0 == result.code


def test_a_skipped_reporter_hides_no_failure(folder: Path) -> None:
    """If the test that reports a violation is skipped, the others fail with it."""
    with (folder / "conftest.py").open("a") as conftest:
        conftest.write(
            "\nimport pytest\n"
            "def pytest_collection_modifyitems(items):\n"
            "    for item in items:\n"
            "        if item.name == 'context-ownership':\n"
            "            item.add_marker(pytest.mark.skip(reason='flaky'))\n"
        )
    (folder / "test_leak.py").write_text(three_lines("TestLeak", RED))

    result = session(folder, "-rs")

    assert 1 == result.code, result.out
    assert result.counts["failed"] >= 1
    assert 1 == result.counts["skipped"], result.out


def test_a_mark_on_a_module_skips_its_cases(folder: Path) -> None:
    """`pytestmark` skips each test of the cases in its module."""
    (folder / "test_leak.py").write_text(
        f"import pytest\n{three_lines('TestLeak', RED)}"
        "pytestmark = pytest.mark.skip(reason='later')\n"
    )

    result = session(folder)

    assert {"skipped": len(ALL)} == result.counts, result.out
    assert 0 == result.code


# A broken adapter and an interrupt


def test_a_broken_adapter_is_one_clear_failure(folder: Path) -> None:
    """One test names the method and the rule; the others point to it."""
    (folder / "test_engine.py").write_text(
        "from isolation_spec import isolation_test_case\n"
        "from notebook import NotebookAdapter\n"
        "class Broken(NotebookAdapter):\n"
        "    async def read(self, user, context):\n"
        "        return ['not a mapping']\n"
        "TestMine = isolation_test_case(Broken)\n"
    )

    result = session(folder)
    text = result.out

    assert {"failed": 1, "skipped": len(ALL) - 1} == result.counts, result.out
    assert re.search(r"^\S*read\b.*", text, re.MULTILINE), text
    assert "Traceback" not in text
    assert "isolation_spec/" not in text


def test_another_object_is_an_error_in_the_users_line(folder: Path) -> None:
    """The line of the test file is shown with the rule, and no code of ours."""
    (folder / "test_engine.py").write_text(
        "from isolation_spec import isolation_test_case\n"
        "TestMine = isolation_test_case(dict)\n"
    )

    result = session(folder)
    text = result.out

    assert {"error": 1} == result.counts, result.out
    assert "gave dict: it must be a class or function" in text
    assert "test_engine.py:2" in text
    assert "isolation_spec/" not in text


def test_an_interrupt_keeps_the_finding(folder: Path) -> None:
    """Interrupted while it shrinks, the session stops, and names the file it saved."""
    (folder / "test_leak.py").write_text(
        "import os, signal\n"
        "from isolation_spec import isolation_test_case\n"
        "from leaking_notebook import LeakingNotebookAdapter\n"
        "starts = []\n"
        "class Interrupted(LeakingNotebookAdapter):\n"
        "    async def start(self, environment):\n"
        "        starts.append(1)\n"
        "        saved = list(Path('.isolation-spec').rglob('*.json'))\n"
        "        if saved and len(starts) > 40:\n"
        f"            os.kill(os.getpid(), {int(signal.SIGINT)})\n"
        "        await super().start(environment)\n"
        "TestLeak = isolation_test_case(Interrupted)\n"
        "def test_later(): pass\n"
    )
    text = (folder / "test_leak.py").read_text()
    (folder / "test_leak.py").write_text(f"from pathlib import Path\n{text}")

    result = session_process(folder, "-v")
    (path,) = (folder / ".isolation-spec/failures").glob("*.json")

    assert pytest.ExitCode.INTERRUPTED == result.code
    assert not load(path).confirmed
    assert result.has_line(f"Saved in {os.path.relpath(path, folder)}")
    assert "test_later" not in result.out
