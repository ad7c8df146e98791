"""One search for all processes of a session under pytest-xdist."""

from pathlib import Path

import pytest

from tests.plugin.session import ALL, GREEN, RED, SCOPE, STRICT, session_process

COUNTED = """
import os
from isolation_spec import isolation_test_case
from {module} import {adapter}


class Counted({adapter}):
    async def start(self, environment):
        with open("pids.txt", "a") as file:
            print(os.getpid(), file=file)
        await super().start(environment)


TestMine = isolation_test_case(Counted)
"""


@pytest.mark.parametrize(
    ("spread", "engine", "profile", "failing"),
    [
        ("load", RED, "tiny", "context-ownership"),
        ("worksteal", GREEN, "starved", "everything-reached"),
        ("loadscope", GREEN, "starved", "everything-reached"),
    ],
)
def test_processes_share_one_search(
    folder: Path, spread: str, engine: str, profile: str, failing: str
) -> None:
    """Under pytest-xdist one process searches, and all of them report its verdict."""
    module, adapter = engine.split(":")
    (folder / "test_leak.py").write_text(COUNTED.format(module=module, adapter=adapter))
    options = ("-n", "2", "--dist", spread, *STRICT, "--strict-config", *SCOPE)

    result = session_process(folder, "-v", "--isolation-profile", profile, *options)
    found = result.verdicts

    assert {f"test_leak.py::TestMine::{name}" for name in ALL} == set(found)
    assert "FAILED" == found[f"test_leak.py::TestMine::{failing}"]
    assert 1 == len(set((folder / "pids.txt").read_text().split()))
    assert 1 == result.out.count("\nclaim ")


def test_a_process_that_ends_is_not_followed_by_the_next(folder: Path) -> None:
    """An engine that ends its process ends one worker; other tests give the reason."""
    (folder / "test_exit.py").write_text(
        COUNTED.format(module="notebook", adapter="NotebookAdapter")
        + "\n\nasync def leave(self, environment):\n    os._exit(3)\n\n\n"
        "Counted.start = leave\n"
    )

    result = session_process(folder, "-n", "2", *SCOPE)

    assert 1 == result.code
    assert 1 == result.out.count("crashed while running")
    assert result.has_line("*the process that searched*ended all at once*")
