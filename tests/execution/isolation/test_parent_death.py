"""Children of this package end with their parent, even if SIGKILL ends it."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.cli.command import environment

pytestmark = pytest.mark.slow

DEADLINE = 60.0
"""Seconds; the children end within one, unless the machine is busy."""
COMMAND = "from isolation_spec.cli import main; main()"
APART = """
import time
from isolation_spec.execution.isolation.subprocess import Stop, run_in_subprocess

def work(parent):
    time.sleep(600)

run_in_subprocess(
    work, Stop, receive=print, name="", engine="", adapter="", allowed=600
)
"""
BY_THREAD = (
    "import isolation_spec.execution.isolation.parent_death as p; "
    "p._kernel_kills = lambda: False\n"
)
PARENTS = {
    "workers": (COMMAND, "verify", "--profile", "deep", "--processes", "2"),
    "pool": (COMMAND, "faults", "--seeds", "99", "--jobs", "2"),
    "apart": (APART,),
    "workers by thread": (
        BY_THREAD + COMMAND,
        *("verify", "--profile", "deep", "--processes", "2"),
    ),
    "apart by thread": (BY_THREAD + APART,),
}


def wait_until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def is_alive(process: psutil.Process) -> bool:
    # Where the first process of a container reaps no orphan, it stays as a zombie.
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("parent", PARENTS)
def test_children_end_with_a_killed_parent(parent: str, tmp_path: Path) -> None:
    """No worker, no process of the pool and no run apart outlives its parent."""
    program, *arguments = PARENTS[parent]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    wanted = 1 if "apart" in parent else 2
    family = psutil.Process(process.pid)
    born = wait_until(lambda: wanted <= len(family.children(recursive=True)))
    children = family.children(recursive=True)
    process.kill()
    process.wait()
    gone = wait_until(lambda: not any(map(is_alive, children)))
    for child in filter(is_alive, children):
        child.kill()

    assert born
    assert gone
