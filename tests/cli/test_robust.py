"""No finding is lost on a full disk, without a home or with a poor terminal."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from isolation_spec.failure import load
from tests.cli.command import (
    FAULTY,
    SCRIPT,
    assert_refused,
    environment,
    isolation_spec,
)
from tests.in_process import Done


def full_disk() -> None:
    """No file may grow, as on a full disk; a terminal and a semaphore still may."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))


def test_on_a_full_disk_every_file_is_printed(tmp_path: Path) -> None:
    """The output has the explanation and the contents of the files; exit code 1."""
    done = subprocess.run(
        [SCRIPT, "verify", FAULTY, "--json", "result.json"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=full_disk,
    )
    lines = done.stdout.splitlines()

    assert 1 == done.returncode, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert 1 == len(done.stderr.splitlines()), done.stderr
    assert "result.json cannot be written: " in done.stderr
    assert any(line.endswith(": contradiction.") for line in lines)
    assert "Saved in" not in done.stdout
    assert "Not saved in .isolation-spec/failures/" in done.stdout

    (whole,) = [line for line in lines if line.startswith('{"format"')]
    (tmp_path / "kept.json").write_text(whole)
    assert load(tmp_path / "kept.json").confirmed
    assert 1 == isolation_spec("replay", "kept.json", folder=tmp_path).code

    result = json.loads(done.stdout[done.stdout.index('{\n  "engine"') :])
    assert ("violated", []) == (result["verdict"], result["failures"])


@pytest.mark.skipif(0 == os.geteuid(), reason="root writes into any folder")
def test_a_read_only_folder_is_refused_at_once(tmp_path: Path) -> None:
    """A read-only folder is refused before the search, not after it."""
    folder = tmp_path / "kept"
    folder.mkdir(mode=0o500)

    done = isolation_spec("verify", FAULTY, "--failures", folder, folder=tmp_path)

    assert_refused(done, "kept", "not writable")


def test_without_a_home_nothing_is_missed(tmp_path: Path) -> None:
    """The command needs no home folder."""
    homeless = {
        name: value
        for name, value in environment().items()
        if name not in ("HOME", "USER", "LOGNAME") and not name.startswith("XDG")
    }
    done = subprocess.run(
        [SCRIPT, "verify", FAULTY],
        cwd=tmp_path,
        env=homeless,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (1, "") == (done.returncode, done.stderr)


UNICODE = """
from notebook import NotebookAdapter

class Spoken(NotebookAdapter):
    async def read(self, user, context):
        raise ValueError("café \\N{SNOWMAN}")
"""


def test_a_terminal_that_knows_ascii_alone_is_enough(tmp_path: Path) -> None:
    """A letter that a terminal cannot show is shown by its number."""
    strangers = Path(__file__).parents[1] / "strangers"
    (tmp_path / "spoken.py").write_text(UNICODE, encoding="utf-8")
    plain = {
        **environment(),
        "LC_ALL": "C",
        "LANG": "C",
        "PYTHONIOENCODING": "ascii",
        "PYTHONPATH": str(strangers),
    }
    done = subprocess.run(
        [SCRIPT, "verify", "spoken:Spoken", "--processes", "1"],
        cwd=tmp_path,
        env=plain,
        capture_output=True,
        check=False,
    )
    out = done.stdout.decode("ascii")

    assert (1, b"") == (done.returncode, done.stderr), out
    assert "caf\\xe9" in out


def test_the_package_is_the_command_too(tmp_path: Path) -> None:
    """`python -m isolation_spec` does the same, and its usage line shows the call."""
    module = [sys.executable, "-m", "isolation_spec"]

    def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*module, *arguments],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert isolation_spec("claims", folder=tmp_path).out == ran("claims").stdout
    assert ran("--help").stdout.startswith("Usage: python -m isolation_spec [OPTIONS]")
    assert 2 == ran("verify", "nothing:there").returncode


FAULT = """
import runpy, sys

import isolation_spec.cli.claims as claims

class Planted(Exception):
    pass

def list_claims(**options):
    raise Planted("two\\nlines")

claims.command.callback = list_claims
sys.argv[1:] = ["claims"]
"""
WAYS_IN = {
    "command": "from isolation_spec.cli import main; main()",
    "module": "runpy.run_module('isolation_spec', run_name='__main__')",
}


def ran_with_a_fault(way: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", FAULT + WAYS_IN[way]],
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("way", WAYS_IN)
def test_a_fault_of_ours_is_no_violation(way: str) -> None:
    """An exception that no command expects exits with 2, and is one sentence."""
    done = ran_with_a_fault(way)

    assert_refused(
        Done(done.returncode, done.stdout, done.stderr),
        "Error: Planted: two lines, raised in __main__:list_claims: ",
        "please report it",
    )


def test_the_traceback_of_a_fault_is_there_for_a_report() -> None:
    """`ISOLATION_SPEC_TRACEBACK` shows where a fault comes from."""
    done = ran_with_a_fault("command", ISOLATION_SPEC_TRACEBACK="1")

    assert 2 == done.returncode
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("--help",), ("claims",), ("verify", "--max-time", "1")]
)
def test_a_closed_output_is_no_violation(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    """A reader that closes the output early gets exit code 2, not that of a
    violation."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [SCRIPT, *arguments],
        cwd=tmp_path,
        env=environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writing)

    assert 2 == done.returncode, done.stderr
    assert "Error: the output was closed before its end\n" == done.stderr
