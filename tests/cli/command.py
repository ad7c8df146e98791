"""The installed command, run as its user runs it: a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

SCRIPT = Path(sys.executable).with_name("isolation-spec")
FAULTY = "reference+heartbeat-survives"


class Done(NamedTuple):
    """How the command ended, and what it wrote."""

    code: int
    out: str
    err: str


def environment() -> dict[str, str]:
    # Narrow and without colours, whatever the terminal of the tests is.
    plain = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    return {**plain, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}


def isolation_spec(*arguments: object, folder: Path, seconds: float = 60.0) -> Done:
    done = subprocess.run(
        [SCRIPT, *map(str, arguments)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def assert_refused(done: Done, *words: str) -> None:
    """Exit 2, one line on stderr that holds the words, and no traceback."""
    context = f"{done.code}\n{done.out}\n{done.err}"

    assert "Traceback" not in done.out + done.err, context
    assert 2 == done.code, context
    assert 1 == len(done.err.splitlines()), context
    for word in words:
        assert word in done.err, context
