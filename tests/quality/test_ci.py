"""The script that runs all checks: it passes only where all of them were run."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "run"
VERSIONS = ("3.11", "3.12", "3.13")


@pytest.mark.parametrize("missing", VERSIONS)
def test_a_missing_python_fails(missing: str, tmp_path: Path) -> None:
    """Where a supported Python is missing, the script says so and fails at once."""
    (tmp_path / "bash").symlink_to(shutil.which("bash") or "")
    for version in VERSIONS:
        if version != missing:
            python = tmp_path / f"python{version}"
            python.write_text("#!/bin/sh\n")
            python.chmod(0o755)
    done = subprocess.run(
        ["bash", SCRIPT],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (1, f"Python {missing} is not here\n") == (done.returncode, done.stdout)
