"""The README is correct: its code runs, and its commands exist."""

import json
import math
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from isolation_spec.search.confirmation import confirm
from tests.cli.command import isolation_spec
from tests.plugin.session import session

TEXT = (Path(__file__).parents[2] / "README.md").read_text()
SCRIPT = Path(sys.executable).with_name("isolation-spec")


class Block(NamedTuple):
    """One block of code, and the mark in the line above it, "" if it has none."""

    mark: str
    language: str
    code: str


BLOCKS = tuple(
    Block(mark or "", language, code)
    for mark, language, code in re.findall(
        r"^(?:<!-- ([a-z ]+) -->\n)?```([a-z]*)\n(.*?)^```$",
        TEXT,
        re.MULTILINE | re.DOTALL,
    )
)
PYTHON = {block.mark: block.code for block in BLOCKS if block.language == "python"}


def run_process(
    folder: Path, *arguments: object, **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(argument) for argument in arguments],
        cwd=folder,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_python_block_has_a_test() -> None:
    """The blocks have exactly the marks that the tests execute."""
    blocks = [block.mark for block in BLOCKS if block.language == "python"]

    assert ["notebook", "test", "demo"] == blocks


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """A folder with the adapter in the README and the three lines that test it."""
    package = tmp_path / "mypackage"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "adapter.py").write_text(PYTHON["notebook"])
    (tmp_path / "test_engine.py").write_text(PYTHON["test"])
    return tmp_path


@pytest.mark.xdist_group("the adapter of the README")
@pytest.mark.usefixtures("one_search")
def test_the_notebook_is_verified(user: Path) -> None:
    """The adapter of the example holds, with no reason against it."""
    adapter = "mypackage.adapter:MyAdapter"
    done = isolation_spec("verify", adapter, "--json", "result.json", folder=user)
    result = json.loads((user / "result.json").read_text())

    assert (0, "") == (done.code, done.err), done.out
    assert ("holds", []) == (result["verdict"], result["reasons"])


def test_the_three_lines_are_a_test(user: Path) -> None:
    """The test in the README passes with the adapter in the README."""
    done = run_process(user, sys.executable, "-m", "pytest", "-q")

    assert 0 == done.returncode, done.stdout + done.stderr
    assert re.match(r"\d+ passed in ", done.stdout.splitlines()[-1])
    assert "everything-reached" not in done.stdout


def block(mark: str) -> str:
    (found,) = (block.code for block in BLOCKS if block.mark == mark)
    return found


@pytest.mark.xdist_group("the adapter of the README")
@pytest.mark.usefixtures("one_search")
def test_the_commands_of_pytest_run(user: Path) -> None:
    """Each line of the block works as described: verify, and replay saved failures."""
    failures = user / ".isolation-spec" / "failures"
    failures.mkdir(parents=True)
    (failures / "broken.json").write_text("{}")
    codes, last = [], ""
    for line in block("pytest commands").splitlines():
        name, *words = line.split()
        assert "pytest" == name
        done = session(user, *words, "-q")
        codes.append(done.code)
        last = done.out

    assert [0, 0, 1] == codes, last
    assert "FAILED isolation-replay::broken.json" in last


@pytest.mark.xdist_group("the adapter of the README")
@pytest.mark.usefixtures("one_search")
def test_the_ini_file_of_pytest_is_read(user: Path) -> None:
    """With the ini file in the README, the engine is verified without a test file."""
    (user / "pytest.ini").write_text(block("pytest ini"))
    (user / "test_engine.py").unlink()

    done = session(user, "-W", "error")

    assert 0 == done.code, done.out
    assert "isolation: mypackage.adapter:MyAdapter holds" in done.out


def test_the_demo_shows_each_client_its_own_events(tmp_path: Path) -> None:
    """The script runs on real sockets, and no client gets another's greeting."""
    (tmp_path / "demo.py").write_text(PYTHON["demo"])

    done = run_process(tmp_path, sys.executable, "-W", "error", "demo.py")
    lines = done.stdout.splitlines()

    assert (0, "") == (done.returncode, done.stderr)
    assert 6 == len(lines)
    assert ["alice"] * 3 + ["bob"] * 3 == sorted(line.split()[0] for line in lines)
    assert [] == [line for line in lines if "BOB" in line and line[:5] == "alice"]


def test_the_failure_is_a_real_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The explanation in the README equals the output of the command beside it."""
    # On a busy machine the usual ten seconds end before the scenario is the smallest.
    patient = partial(confirm, seconds=math.inf)
    monkeypatch.setattr("isolation_spec.search.findings.confirm", patient)

    done = isolation_spec("verify", "reference+reply-to-next", folder=tmp_path)

    output = done.out.partition("\nSaved in ")[0]
    explanation = output[output.index("\ncontext-ownership: ") :].strip()
    assert 1 == done.code
    assert f"```\n{explanation}\n```" in TEXT


def commands() -> list[str]:
    """Each use of the command in an unmarked shell block or in the text."""
    shell = [
        line
        for block in BLOCKS
        if block.language == "sh" and block.mark == ""
        for line in block.code.splitlines()
    ]
    text = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`(isolation-spec [^`]+)`", text)
    return sorted({*shell, *spans})


def test_there_are_commands_to_check() -> None:
    """The extraction of commands finds those of the table."""
    assert {"verify", "replay", "claims"} <= {line.split()[1] for line in commands()}


@pytest.mark.parametrize("line", commands())
def test_every_command_exists(tmp_path: Path, line: str) -> None:
    """The command has each subcommand and option that the README names."""
    _, name, *words = line.split()
    done = isolation_spec(name, "--help", folder=tmp_path)
    options = {option for word in words for option in re.findall(r"--[a-z-]+", word)}

    assert (0, "") == (done.code, done.err)
    assert [] == [option for option in sorted(options) if option not in done.out]


def test_the_two_commands_stand_alone() -> None:
    """The block of the two commands is marked and has two lines."""
    (block,) = (block for block in BLOCKS if block.mark == "two commands")

    assert 2 == len(block.code.splitlines())
