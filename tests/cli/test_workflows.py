"""The workflows that `init --ci` writes: valid, careful, and their commands work."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.command import FAULTY, environment

FOLDER = files("isolation_spec.cli") / "workflows"
NAMES = ("isolation-nightly.yml", "isolation-pull-request.yml")
each_workflow = pytest.mark.parametrize("name", NAMES)
LAYOUT = {"result.json", "events.jsonl", "junit.xml", "results.sarif", "failures"}
"""The upload of a job, besides the corpus of a fuzzing run."""


def read(name: str) -> dict[Any, Any]:
    found = yaml.safe_load((FOLDER / name).read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def steps(name: str) -> Iterator[dict[str, Any]]:
    for job in read(name)["jobs"].values():
        yield from job["steps"]


def commands() -> dict[str, str]:
    """Every command of every workflow, and the file in which it stands first."""
    found: dict[str, str] = {}
    for name in NAMES:
        for step in steps(name):
            if "run" in step:
                found.setdefault(step["run"], name)
    return found


VERIFICATIONS = [run for run in commands() if run.startswith("isolation-spec ")]


def run_as_a_job(command: str, folder: Path, **variables: str) -> int:
    """Runs a command of a workflow as the runner would: by bash, ending at errors."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", command],
        cwd=folder,
        env={**environment(), "CI": "true", "PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode


def test_these_are_the_workflows() -> None:
    """Two templates beside the own workflow, each with something to run and when."""
    assert set(NAMES) == {path.name for path in FOLDER.iterdir()}
    for name in NAMES:
        # YAML 1.1 reads the key `on` as true.
        assert {"name", True, "permissions", "env", "jobs"} <= set(read(name))


@each_workflow
def test_a_workflow_may_read_and_no_more(name: str) -> None:
    """No job can write to the repository or run for ever."""
    workflow = read(name)

    assert {"contents": "read"} == workflow["permissions"]
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert job["timeout-minutes"] <= 180


@each_workflow
def test_actions_are_pinned_to_a_major_version(name: str) -> None:
    """Each is one of the runner's own makers, at a version."""
    used = [step["uses"] for step in steps(name) if "uses" in step]

    assert used
    for one in used:
        assert re.fullmatch(r"actions/[a-z/-]+@v\d+", one), one


@each_workflow
def test_the_folder_is_always_uploaded(name: str) -> None:
    """The last step uploads the hidden folder, also after a failure."""
    *_, last = steps(name)

    assert last["uses"].startswith("actions/upload-artifact@")
    assert "always()" == last["if"]
    assert ".isolation-spec" == last["with"]["path"]
    assert last["with"]["include-hidden-files"] is True


def test_there_are_no_commands_but_these() -> None:
    """The commands are the installation and the verifications tested below."""
    others = [run for run in commands() if run not in VERIFICATIONS]

    assert ["python -m pip install . isolation-spec"] == others
    assert VERIFICATIONS


@pytest.mark.parametrize("command", VERIFICATIONS)
def test_a_verification_fails_the_job_and_leaves_the_folder(
    command: str, tmp_path: Path
) -> None:
    """A faulty engine ends the job with 1, and all that is uploaded is there."""
    code = run_as_a_job(
        command, tmp_path, ENGINE=FAULTY, PROFILE="quick", MAX_TIME="5m"
    )
    folder = tmp_path / ".isolation-spec"

    assert 1 == code
    assert {path.name for path in folder.iterdir()} == LAYOUT
    assert list(folder.glob("failures/*.json"))


@pytest.mark.parametrize("command", VERIFICATIONS)
@pytest.mark.parametrize("profile", ["ci", "deep", "fuzz"])
def test_a_verification_works_with_each_profile(
    command: str, profile: str, tmp_path: Path
) -> None:
    """With next to no time the search is inconclusive, and all files exist.

    The corpus of fuzzing lies inside the folder that is cached.
    """
    code = run_as_a_job(
        command, tmp_path, ENGINE="reference", PROFILE=profile, MAX_TIME="0.1"
    )
    folder = tmp_path / ".isolation-spec"
    result = json.loads((folder / "result.json").read_bytes())
    fuzz = {"fuzz"} if profile == "fuzz" else set()

    assert 3 == code
    assert (profile, True) == (result["profile"], result["time_up"])
    assert LAYOUT | fuzz == {path.name for path in folder.iterdir()}


@each_workflow
def test_a_workflow_names_existing_profiles(name: str) -> None:
    """Its profiles and times are those that the command takes."""
    from isolation_spec.cli.duration import Duration
    from isolation_spec.strategies.profiles import find_profile

    workflow = read(name)
    wanted = [workflow["env"]]
    for job in workflow["jobs"].values():
        wanted += job.get("strategy", {}).get("matrix", {}).get("include", [])
    profiles = [one[k] for one in wanted for k in ("PROFILE", "profile") if k in one]
    times = [one[k] for one in wanted for k in ("MAX_TIME", "max-time") if k in one]

    assert profiles
    assert len(profiles) == len(times)
    for profile, text in zip(profiles, times, strict=True):
        assert find_profile(profile)
        assert 0 < Duration().convert(text, None, None)
