"""Lengths of time on the command line."""

import subprocess
import sys

import click
import pytest

from isolation_spec.cli.duration import Duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("5m", 300), ("1h", 3600), ("0.5", 0.5), ("1.5m", 90)],
)
def test_a_length_of_time_is_read(text: str, seconds: float) -> None:
    """A plain number counts seconds; s, m and h are seconds, minutes and hours."""
    assert seconds == Duration().convert(text, None, None)


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "5 m", "5d", "m", "nan", "inf", "1e9", "5m30", "٣"]
)
def test_any_other_text_is_refused(text: str) -> None:
    """The error shows the accepted forms."""
    with pytest.raises(click.BadParameter, match="write 90, 90s, 5m or 1h"):
        Duration().convert(text, None, None)


AS_BEFORE_8_4 = """
import click

class ParamType:
    pass

click.ParamType = ParamType
import isolation_spec.cli.duration
"""


def test_a_click_whose_types_take_no_parameter_is_enough() -> None:
    """The oldest click that is declared, 8.1, has a ParamType that is not generic."""
    subprocess.run([sys.executable, "-c", AS_BEFORE_8_4], check=True, timeout=60)
