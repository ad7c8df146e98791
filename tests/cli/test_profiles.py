"""`isolation-spec profiles`: the cost and the reach of each profile."""

from pathlib import Path

from isolation_spec.strategies.profiles import PROFILES
from tests.cli.command import isolation_spec


def test_every_profile_is_listed_in_full(tmp_path: Path) -> None:
    """Each profile has a paragraph of its name, its cost and its purpose."""
    done = isolation_spec("profiles", folder=tmp_path)
    text = [" ".join(paragraph.split()) for paragraph in done.out.split("\n\n")]

    assert (0, "") == (done.code, done.err)
    assert [f"{p.name} {p.spends()} {p.about}" for p in PROFILES] == text
    assert [] == [line for line in done.out.splitlines() if len(line) > 80]
