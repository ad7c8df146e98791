"""`isolation-spec export`: a test that outlives its failure file."""

import json
from pathlib import Path

import pytest

from tests.cli.command import FAULTY, assert_refused, isolation_spec
from tests.cli.conftest import Verified
from tests.failure.test_export import pytest_of


def test_the_exported_test_needs_no_file(verified: Verified, tmp_path: Path) -> None:
    """Exported, it fails with the explanation after the JSON file is deleted."""
    kept, path = tmp_path / "kept.json", tmp_path / "test_it.py"
    kept.write_bytes(verified.failure.read_bytes())
    exported = isolation_spec("export", kept, "-o", path, folder=tmp_path)
    kept.unlink()

    done = pytest_of(path)

    assert (0, "") == (exported.code, exported.err)
    assert 1 == done.returncode, done.stdout + done.stderr
    assert "TeardownViolated" in done.stdout
    assert "However, a task was still alive" in done.stdout


def test_without_a_file_it_is_written_to_the_terminal(
    verified: Verified, tmp_path: Path
) -> None:
    """Standard output holds the test and nothing else."""
    done = isolation_spec("export", verified.failure, folder=tmp_path)

    assert (0, "") == (done.code, done.err)
    assert f'ENGINE = "{FAULTY}"' in done.out
    compile(done.out, "test_it.py", "exec")


def test_an_engine_that_a_file_names_is_not_taken(
    verified: Verified, tmp_path: Path
) -> None:
    """A module named in a file gets into a test only if the user names it."""
    (tmp_path / "trap.py").write_text("open('sprung', 'w').close()\n")
    data = {**json.loads(verified.failure.read_text()), "engine": "trap:factory"}
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(data))

    done = isolation_spec("export", path, folder=tmp_path)

    assert_refused(done, "--engine trap:factory")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"", b"{}"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that cannot be read as a failure is refused in one line."""
    path = tmp_path / "some.json"
    path.write_bytes(content)

    assert_refused(isolation_spec("export", path, folder=tmp_path), str(path))


def test_a_test_that_cannot_be_written_is_refused(
    verified: Verified, tmp_path: Path
) -> None:
    """A missing folder is reported in one line."""
    path = tmp_path / "gone" / "test_it.py"

    done = isolation_spec("export", verified.failure, "-o", path, folder=tmp_path)

    assert_refused(done, "cannot be written")
