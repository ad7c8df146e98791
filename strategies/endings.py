"""The end of a scenario: its users look at the effects of the work before."""

from __future__ import annotations

import enum
from typing import NamedTuple

from hypothesis import strategies as st

__all__ = ["Ending", "FinalRound", "final_rounds"]


class Ending(enum.Enum):
    """The end of a scenario."""

    NONE = "none"
    """The scenario ends with its last drawn operation."""
    LOOK = "look"
    """Everybody runs an agent once more, and reads."""
    INTRUSION = "intrusion"
    """After that look, one user reads a context of another."""
    DEPARTURE = "departure"
    """After that look, all users leave together while their agents work."""


_ENDINGS = (
    *(Ending.NONE, Ending.NONE),
    *(Ending.LOOK, Ending.LOOK, Ending.LOOK, Ending.LOOK),
    *(Ending.INTRUSION, Ending.DEPARTURE),
)
"""Three of four scenarios end with a look: effects of a race show late. An intrusion or
a departure costs one or two operations for each user, so each ends one of eight. The
shares are those of the arithmetic on the seed that these draws replace; they were not
measured against others."""


class FinalRound(NamedTuple):
    """The choices at the end of a scenario.

    Attributes:
        stores: whether each run stores a value before the others look.
        tool: the tool that each run calls.
        same_question: whether all ask their model the same, unless one model is slow.
        intruder, victim: drawn numbers of the users of an intrusion.
    """

    ending: Ending = Ending.NONE
    stores: bool = False
    tool: str = "echo"
    same_question: bool = False
    intruder: int = 0
    victim: int = 0


def final_rounds() -> st.SearchStrategy[FinalRound]:
    """Every combination of the choices; the smallest has no final round."""
    return st.builds(
        FinalRound,
        ending=st.sampled_from(_ENDINGS),
        stores=st.booleans(),
        tool=st.sampled_from(("echo", "slow")),
        same_question=st.booleans(),
        intruder=st.integers(0, 15),
        victim=st.integers(0, 15),
    )
