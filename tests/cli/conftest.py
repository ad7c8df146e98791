"""One failure file, made by the command itself, for all tests of the command."""

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.command import FAULTY, isolation_spec_process
from tests.in_process import Done


class Verified(NamedTuple):
    """A verification of a faulty engine, and the folder in which it was made."""

    done: Done
    folder: Path
    json: Path
    failure: Path


@pytest.fixture(scope="session")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Verified:
    """The faulty engine, verified once with a JSON result."""
    folder = tmp_path_factory.mktemp("verified")
    done = isolation_spec_process(
        "verify", FAULTY, "--profile", "quick", "--json", "result.json", folder=folder
    )
    (failure,) = (folder / ".isolation-spec" / "failures").iterdir()
    return Verified(done, folder, folder / "result.json", failure)
