"""The command, run in this process, or as its user runs it: a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from isolation_spec.cli import main
from tests.in_process import Done, run_in_process

SCRIPT = Path(sys.executable).with_name("isolation-spec")
FAULTY = "reference+heartbeat-survives"


def environment() -> dict[str, str]:
    # Narrow and without colours, on any terminal.
    plain = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    return {**plain, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}


def isolation_spec(*arguments: object, folder: Path) -> Done:
    """Runs the command in this process, which saves the seconds that imports take."""
    return run_in_process(
        main, [SCRIPT, *arguments], folder=folder, variables=environment()
    )


def isolation_spec_process(*arguments: object, folder: Path, **variables: str) -> Done:
    """Runs the installed command in a process of its own."""
    done = subprocess.run(
        [SCRIPT, *map(str, arguments)],
        cwd=folder,
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def hear_interrupts() -> None:
    """Undoes an ignored SIGINT, which the jobs of a shell script inherit."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def assert_refused(done: Done, *words: str) -> None:
    """Exit 2, one line on stderr that holds the words, and no traceback."""
    context = f"{done.code}\n{done.out}\n{done.err}"

    assert "Traceback" not in done.out + done.err, context
    assert 2 == done.code, context
    assert 1 == len(done.err.splitlines()), context
    for word in words:
        assert word in done.err, context
