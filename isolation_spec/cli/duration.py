"""Lengths of time as people write them: `90`, `90s`, `5m`, `1h`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

__all__ = ["Duration"]

# For a type checker alone: at run time the class takes a parameter from click 8.4 on.
if TYPE_CHECKING:
    _ParamType = click.ParamType[float]
else:
    _ParamType = click.ParamType

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Duration(_ParamType):
    """A positive length of time in seconds; a plain number counts seconds."""

    name = "DURATION"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Returns the seconds that a text stands for.

        Raises:
            BadParameter: the text is no length of time, or one of 0.
        """
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smh]?)", str(value), re.ASCII)
        seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
        if seconds <= 0:
            self.fail(f"{value!r} is not a length of time: write 90, 90s, 5m or 1h")
        return seconds
