"""`isolation-spec verify --live`: its refusals, and its report of a fault."""

import json
from pathlib import Path

import pytest

from isolation_spec.failure import load
from tests.cli.command import FAULTY, assert_refused, isolation_spec


def test_violation_is_reported_and_saved_unconfirmed(tmp_path: Path) -> None:
    """A fault found live exits 1, is called not replayable, and is saved as such."""
    done = isolation_spec(
        "verify", FAULTY, "--live", "--json", "r.json", folder=tmp_path
    )
    result = json.loads((tmp_path / "r.json").read_bytes())
    files = [tmp_path / name for name in result["failures"]]

    assert 1 == done.code, done.out + done.err
    assert ("live", "violated") == (result["world"], result["verdict"])
    assert "Found live: not replayable" in done.out
    assert "Replay with" not in done.out
    assert files
    assert not any(load(file).confirmed for file in files)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--database", "sqlite+aiosqlite://"), ("--live",)),
        (("--live", "--database", "nonsense"), ("database nonsense",)),
        (("--live", "--database", "sqlite:///x"), ("asyncio",)),
        (
            ("--live", "--database", "postgresql+nodriver://u:secret@h/x"),
            ("cannot be used",),
        ),
    ],
)
def test_bad_options_are_refused(
    options: tuple[str, ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    """An impossible option is refused in one line, without a password, with exit 2."""
    done = isolation_spec("verify", "reference", *options, folder=tmp_path)

    assert_refused(done, *words)
    assert "secret" not in done.err
