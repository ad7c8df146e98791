"""`isolation-spec schema`: the form of a failure file, for people and machines."""

from pathlib import Path

from isolation_spec.failure import read_schema
from tests.cli.command import isolation_spec


def test_the_shipped_schema_is_printed(tmp_path: Path) -> None:
    """The command prints the file that the package ships."""
    done = isolation_spec("schema", folder=tmp_path)

    assert (0, "") == (done.code, done.err)
    assert read_schema() == done.out
