"""The options of the plugin, on the command line and in the ini file."""

import re
from pathlib import Path

import pytest

from tests.cli.command import isolation_spec
from tests.in_process import STRANGERS
from tests.plugin.session import (
    ALL,
    GREEN,
    RED,
    SCOPE,
    session,
    session_process,
    three_lines,
)


def test_an_engine_is_verified_by_its_name(folder: Path) -> None:
    """Each engine that an option names is a test case, in a folder without tests."""
    options = ("--isolation-engine", GREEN, "--isolation-engine", RED)

    result = session(folder, "-v", *options)
    found = result.verdicts

    assert {f"isolation-engine::{GREEN}::{name}" for name in ALL} <= set(found)
    assert "FAILED" == found[f"isolation-engine::{RED}::context-ownership"]
    assert "PASSED" == found[f"isolation-engine::{GREEN}::context-ownership"]
    assert result.has_line(f"isolation-spec: *engines {GREEN}, {RED}")


def test_an_engine_may_stand_beside_the_user(folder: Path) -> None:
    """`module:factory` is found in the folder from which pytest is started."""
    (folder / "mine.py").write_text("from notebook import NotebookAdapter as Mine")

    done = session(folder, "-q", "--isolation-engine", "mine:Mine")

    assert 0 == done.code, done.out


def test_the_engines_of_an_ini_file_stand_with_the_test_paths(folder: Path) -> None:
    """They are verified unless the user names a path, also by several processes."""
    (folder / "pytest.ini").write_text(
        f"[pytest]\nisolation_profile = tiny\nisolation_engine =\n    {GREEN}\n"
    )
    (folder / "test_other.py").write_text("def test_other(): pass")

    everything = session_process(folder, "-n", "2", "-W", "error", *SCOPE)
    one = session(folder, "test_other.py")

    assert {"passed": len(ALL) + 1} == everything.counts, everything.out
    assert {"passed": 1} == one.counts, one.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--isolation-profile", "nope"), "*'nope'*quick*ci*deep*"),
        (("--isolation-profile", "nope", "-n", "2"), "*'nope'*quick*ci*deep*"),
        (("-o", "isolation_profile=nope"), "*'nope'*quick*ci*deep*"),
        (("--isolation-engine", "nope"), "*'nope'*reference*module:factory*"),
        (("--isolation-engine", "nope:nope"), "*'nope:nope'*import path*"),
        (("--isolation-replay", "nope"), "*no file or folder*nope*"),
        (("--isolation-replay", "empty"), "*empty holds no failure file (*.json)"),
        (("--isolation-failures", "conftest.py"), "*cannot be saved*conftest.py*"),
    ],
)
def test_an_impossible_option_is_a_usage_error(
    folder: Path,
    options: tuple[str, ...],
    words: str,
) -> None:
    """One line names the option and the alternatives, before any test runs."""
    (folder / "empty").mkdir()

    result = session(folder, *options)

    assert pytest.ExitCode.USAGE_ERROR == result.code
    assert result.has_line(f"ERROR: {words}")
    assert "Traceback" not in result.out


def test_the_option_decides_the_profile_of_all(folder: Path) -> None:
    """--isolation-profile outranks the test case, the test case the ini file."""
    (folder / "test_engine.py").write_text(
        three_lines("TestMine", GREEN, more=", profile='starved'")
    )

    own = session(folder, "-q")
    given = session(folder, "-q", "--isolation-profile", "tiny")

    assert (1, 0) == (own.code, given.code)
    assert "profile starved" in own.out
    assert "profile tiny" in given.out


@pytest.mark.parametrize(
    "options",
    [("--isolation-failures", "kept"), ("-o", "isolation_failures=kept")],
    ids=["option", "ini"],
)
def test_failure_files_go_where_the_user_says(
    folder: Path, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of the option or of the ini file gets them, and no other."""
    (folder / "test_leak.py").write_text(three_lines("TestLeak", RED))

    result = session(folder, *options)
    saved = set(re.findall(r"^Saved in (.*)$", result.out, re.MULTILINE))
    files = list((folder / "kept").glob("*.json"))
    replay = ("replay", *files, "--engine", RED)

    assert files
    assert saved == {f"kept/{file.name}" for file in files}, result.out
    assert not (folder / ".isolation-spec").exists()
    monkeypatch.syspath_prepend(STRANGERS)
    done = isolation_spec(*replay, folder=folder)
    assert len(files) == len(re.findall(r"^REPRODUCED", done.out, re.MULTILINE))


def test_markers_select(folder: Path) -> None:
    """`isolation` is on every test of ours, and on no other."""
    (folder / "test_engine.py").write_text(
        three_lines("TestMine", GREEN) + "\n\ndef test_other(): pass\n"
    )
    options = ("--collect-only", "-q", "--strict-markers", "--isolation-engine", GREEN)

    ours = session(folder, *options, "-m", "isolation")
    others = session(folder, *options, "-m", "not isolation")

    assert 2 * len(ALL) == len([line for line in ours.lines if "::" in line])
    (other,) = [line for line in others.lines if "::" in line]
    assert "test_engine.py::test_other" == other
