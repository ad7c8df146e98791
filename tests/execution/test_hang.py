"""The file of a run that hung or died."""

from pathlib import Path

import pytest

from isolation_spec.execution.hang import (
    BadHangFile,
    HangReport,
    hang_name,
    load_hang,
    save_hang,
)
from tests.builders import make_scenario, open_context

HANG = HangReport(
    engine="mine:Adapter",
    how="hung",
    why="within 3 s",
    method="Adapter.read",
    scenario=make_scenario(open_context(1)),
)

SPAWNS = 20_000
DEEP = (
    '{"engine": "e", "how": "hung", "why": "w", "scenario": {"users": [], '
    '"operations": [{"operation": "run_agent", "id": 1, "user": 0, "context": "x", '
    '"script": ' + '[{"step": "spawn", "script": ' * SPAWNS
)
"""Scripts inside scripts: deeper than the stack, smaller than the largest file."""


def test_a_saved_hang_is_loaded_as_it_was(tmp_path: Path) -> None:
    """The folder is made, and holds one file that only its owner can read."""
    path = save_hang(HANG, tmp_path / "new")

    assert HANG == load_hang(path)
    assert [path] == list(path.parent.iterdir())
    assert 0o600 == path.stat().st_mode & 0o777


def test_the_name_tells_engine_method_and_scenario() -> None:
    """Characters that a path may not have are replaced."""
    other = HangReport(engine="mine:Adapter", how="died", why="SIGKILL")

    assert hang_name(HANG).startswith("mine-Adapter-read-")
    assert hang_name(other).startswith("mine-Adapter-engine-")
    assert all(hang_name(one).endswith(".hang.json") for one in (HANG, other))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not the file of a run that hung"),
        ('{"engine": "e", "how": "hung", "why": "w"}', "it has no scenario"),
        (DEEP, "is not the file of a run that hung"),
        (" " * (1024 * 1024 + 1), "it is larger than 1048576 bytes"),
    ],
)
def test_other_files_are_refused(text: str, says: str, tmp_path: Path) -> None:
    """The error names the file and the reason."""
    path = tmp_path / "x.hang.json"
    path.write_text(text)

    with pytest.raises(BadHangFile, match=says) as caught:
        load_hang(path)

    assert str(path) in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The error says that it cannot be read."""
    with pytest.raises(BadHangFile, match="cannot be read"):
        load_hang(tmp_path / "none")
