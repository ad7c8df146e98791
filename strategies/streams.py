"""Random streams: each has a name, and is seeded with integers."""

from __future__ import annotations

import enum
import random

__all__ = ["Stream", "random_stream"]


class Stream(enum.Enum):
    """The purposes for which random numbers are drawn, after Hypothesis has drawn."""

    FIRST_RUN = "first run"
    SEEDED_RUN = "seeded run"
    PCT = "pct"
    SMALL_SCOPE = "small scope"
    SCRIPT = "script"
    RANDOM_CONTROL = "random control"


def random_stream(stream: Stream, seed: int, number: int = 0) -> random.Random:
    """The stream of that purpose, independent of all others.

    Its text names values only: the name of a class in it, as in a `repr`, would make
    other streams of the same seed once the class is renamed.
    """
    return random.Random(f"{stream.value}/{seed}/{number}")
