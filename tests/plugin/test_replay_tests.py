"""Failure files, replayed as tests of their own names."""

import re
from pathlib import Path

import msgspec
import pytest

from isolation_spec.engines.registry import find_engine
from isolation_spec.failure import Failure, load, save
from isolation_spec.failure.replay_command import replay_command
from isolation_spec.search.verification import verify
from tests.in_process import STRANGERS
from tests.plugin.session import (
    GREEN,
    RED,
    SCOPE,
    STRICT,
    session,
    session_process,
)


@pytest.fixture(scope="module")
def leak(tmp_path_factory: pytest.TempPathFactory) -> Failure:
    """A failure of the leaking notebook's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(STRANGERS)
        folder = tmp_path_factory.mktemp("leak")
        verify(find_engine(RED), processes=0, folder=folder)
    (path,) = folder.glob("*context-ownership*")
    return load(path)


def drifting(failure: Failure) -> Failure:
    """The failure without its operations, so that nothing tests the claim."""
    scenario = msgspec.structs.replace(failure.scenario, operations=())
    return msgspec.structs.replace(failure, scenario=scenario)


def kept(folder: Path, leak: Failure) -> dict[str, str]:
    """Files of each kind in the folder `kept`, and how each of them must go.

    Unconfirmed files and files in subfolders are left out.
    """
    replace = msgspec.structs.replace
    fixed = replace(leak, engine=GREEN)
    files = {
        "reproduced.json": (leak, "FAILED"),
        "fixed.json": (fixed, "PASSED"),
        "drifted.json": (drifting(fixed), "FAILED"),
        "unsupported.json": (replace(leak, engine="nobody:Nothing"), "FAILED"),
    }
    (folder / "kept/older").mkdir(parents=True)
    for name, (failure, _) in files.items():
        save(failure, folder / "saving").rename(folder / "kept" / name)
    for name in ("broken.json", "left-out.unconfirmed.json", "older/left-out.json"):
        (folder / "kept" / name).write_text("{}")
    return {
        **{f"isolation-replay::{name}": how for name, (_, how) in files.items()},
        "isolation-replay::broken.json": "FAILED",
    }


GIVEN = """
import sys
sys.modules["hypothesis"] = None
from isolation_spec import isolation_test_case
from leaking_notebook import LeakingNotebookAdapter
from notebook import NotebookAdapter
TestGreen = isolation_test_case(NotebookAdapter)
TestRed = isolation_test_case(LeakingNotebookAdapter)
"""


@pytest.mark.parametrize("spread", [(), ("-n", "2")], ids=["one", "two"])
def test_each_kept_file_is_a_test_of_its_own_name(
    folder: Path, leak: Failure, spread: tuple[str, ...]
) -> None:
    """FIXED passes, every other outcome fails with a reason, and no test needs
    Hypothesis."""
    (folder / "conftest.py").write_text("")
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_given.py").write_text(GIVEN)
    expected = kept(folder, leak)
    # Hypothesis' own plugin would import the module that cannot be imported.
    without = ("-p", "no:hypothesispytest", *STRICT, *SCOPE)
    options = ("--isolation-replay", "kept", "-m", "isolation_replay", *without)

    result = session_process(folder, "-v", *options, *spread)
    text = result.out

    assert expected == result.verdicts, result.out
    assert 1 == result.code
    assert f"REPRODUCED: context-ownership on {RED}" in text
    assert "\nHowever, " in text
    assert "DRIFTED: context-ownership" in text
    assert re.search(
        r"^differs from the saved run: inconclusive: .*; "
        r"at step \d+ \(expected .+, saw .+\)$",
        text,
        re.MULTILINE,
    )
    assert "UNSUPPORTED: the file names the engine 'nobody:Nothing'" in text
    assert "broken.json is not a failure file" in text
    assert "Traceback" not in text
    (line,) = [one for one in result.lines if one.startswith("isolation: replayed")]
    for part in ("1 FIXED", "1 REPRODUCED", "1 DRIFTED", "2 UNSUPPORTED"):
        assert part in line


def test_one_file_is_replayed_with_the_engine_that_is_given(
    folder: Path, leak: Failure
) -> None:
    """`--isolation-engine` gives an engine that a file names and that is not
    registered."""
    path = save(leak, folder / "kept")
    options = ("--isolation-replay", path, "-m", "isolation_replay", "-v")

    given = session(folder, *options, "--isolation-engine", RED)
    alone = session(folder, *options)

    assert {f"isolation-replay::{path.name}": "FAILED"} == given.verdicts
    assert given.has_line(f"REPRODUCED: context-ownership on {RED}")
    assert alone.has_line(f"UNSUPPORTED: *--isolation-engine {RED}*")


def test_the_command_names_an_engine_that_is_not_registered() -> None:
    """A path with a space is quoted, and an engine of the user's is given by them."""
    command = replay_command("my failures/a.json", "mine:Adapter")

    assert "isolation-spec replay a.json" == replay_command("a.json", "reference")
    assert "isolation-spec replay 'my failures/a.json' --engine mine:Adapter" == command
