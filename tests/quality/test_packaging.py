"""The wheel has every file that its users need."""

from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]


def test_the_wheel_says_that_it_is_typed() -> None:
    """A type checker of a user reads the annotations of the package."""
    wheel = WheelBuilder(str(ROOT))
    files = {file.distribution_path for file in wheel.recurse_included_files()}

    assert "isolation_spec/py.typed" in files
