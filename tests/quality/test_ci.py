"""The project's own check: its script and its workflow."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".ci" / "run"
VERSIONS = ("3.11", "3.12", "3.13")


@pytest.mark.parametrize("missing", VERSIONS)
def test_a_missing_python_fails_the_check(missing: str, tmp_path: Path) -> None:
    """Without one of the supported versions the check names it and runs nothing."""
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

    assert (1, "") == (done.returncode, done.stdout)
    assert f"missing versions of Python: {missing}\n" == done.stderr


def test_the_workflow_checks_each_supported_version() -> None:
    """Each supported version has a job that must pass; a newer one may fail."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    job = workflow["jobs"]["check"]
    matrix = job["strategy"]["matrix"]

    assert list(VERSIONS) == matrix["python"]
    assert [False] == matrix["experimental"]
    assert [{"python": "3.14", "experimental": True}] == matrix["include"]
    assert ".ci/run ${{ matrix.python }}" == job["steps"][-1]["run"]


def test_the_selected_tests_are_there() -> None:
    """Each path of the script exists, and each name is a function of its file."""
    selected = re.findall(r"tests/[\w/]+(?:\.py(?:::\w+)?)?", SCRIPT.read_text())
    missing = []
    for one in selected:
        path, _, name = one.partition("::")
        there = (ROOT / path).exists()
        if not there or (name and f"def {name}(" not in (ROOT / path).read_text()):
            missing.append(one)

    assert len(selected) > 1
    assert [] == missing
