"""Sessions of pytest as the plugin's users start them, and the projects they test."""

import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.command import hear_interrupts
from tests.in_process import STRANGERS, run_in_process

BIN = Path(sys.executable).parent
GREEN = "notebook:NotebookAdapter"
RED = "leaking_notebook:LeakingNotebookAdapter"
CLAIMS = [
    "context-ownership",
    "stored-writes",
    "tool-isolation",
    "error-containment",
    "teardown",
    "noninterference",
]
"""The claims that apply to the notebook."""
ALL = [*CLAIMS, "everything-reached"]
PROFILES = """
import isolation_spec.strategies.profiles as profiles

profiles.PROFILES += (
    profiles.Profile("tiny", examples=24, steps=8, schedules=2),
    profiles.Profile("starved", examples=3, steps=8, schedules=2),
)
"""
STRICT = ("-W", "error", "-p", "no:cacheprovider", "--strict-markers")
SCOPE = ("-o", "asyncio_default_fixture_loop_scope=function")
"""pytest-asyncio warns where this option is unset."""


def three_lines(name: str, engine: str, *, more: str = "") -> str:
    """Returns the test file that the README shows, for this engine."""
    module, adapter = engine.split(":")
    return (
        "from isolation_spec import isolation_test_case\n"
        f"from {module} import {adapter}\n"
        f"{name} = isolation_test_case({adapter}{more})\n"
    )


class Session(NamedTuple):
    """The exit code and the output of a session, and its working directory."""

    code: int
    out: str
    folder: Path

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def verdicts(self) -> dict[str, str]:
        """The outcome of each test of a session with -v, by its node id."""
        line = re.compile(r"^(\S+::\S+) ([A-Z]{6,})", re.MULTILINE)
        spread = re.compile(r"^\[gw\d+\] \[ *\d+%\] ([A-Z]+) (\S+::\S+)", re.MULTILINE)
        one = dict(line.findall(self.out))
        return {**one, **{name: how for how, name in spread.findall(self.out)}}

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of tests that passed, failed, and so on."""
        found = re.findall(r"(\d+) ([a-z]+)", self.lines[-1].partition(" in ")[0])
        return {outcome: int(count) for count, outcome in found}

    def has_line(self, pattern: str) -> bool:
        return any(fnmatch(line, pattern) for line in self.lines)


def session(folder: Path, *options: object, **variables: str) -> Session:
    """Runs a session of pytest inside this process."""
    arguments = ["pytest", *map(str, options)]
    with pytest.MonkeyPatch.context() as patch:
        # A conftest adds to them; the next session must not find them.
        from isolation_spec.strategies import profiles

        patch.setattr(profiles, "PROFILES", profiles.PROFILES)
        patch.syspath_prepend(STRANGERS)
        done = run_in_process(
            lambda: int(pytest.main([*SCOPE, *arguments[1:]])),
            arguments,
            folder=folder,
            variables=environment(**variables),
        )
    return Session(done.code, done.out + done.err, folder)


def session_process(
    folder: Path, *options: object, executable: str = "pytest", **variables: str
) -> Session:
    """Runs a session of pytest, or another command, in a process of its own."""
    done = subprocess.run(
        [BIN / executable, *map(str, options)],
        cwd=folder,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        preexec_fn=hear_interrupts,
    )
    return Session(done.returncode, done.stdout, folder)


def environment(**variables: str) -> dict[str, str]:
    """Returns the environment of a user: no continuous integration and no colours."""
    unlike = {"FORCE_COLOR", "CI", "BUILD_NUMBER"}
    plain = {name: value for name, value in os.environ.items() if name not in unlike}
    path = os.pathsep.join([str(STRANGERS), *filter(None, [plain.get("PYTHONPATH")])])
    return {**plain, "PYTHONPATH": path, "COLUMNS": "80", "NO_COLOR": "1", **variables}


def make_project(folder: Path, *, ini: str = "isolation_profile = tiny") -> Path:
    """Gives a folder an ini file, and a conftest with two profiles that end at once."""
    (folder / "conftest.py").write_text(PROFILES)
    (folder / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
    return folder
