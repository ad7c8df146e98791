"""Identities that engines confuse: prefixes, case pairs, separators, wildcards.

Small on purpose: a collision needs two identities of one family in one scenario, and
sixteen users are the most that a scenario has. Sources: CVE-2026-71433 (prefixes and
wildcards), modelcontextprotocol/python-sdk #2655 (equal ids).
"""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["LABELS", "threads", "user_ids"]

LABELS = (
    "alice",
    "bob",
    "carol",
    "dave",
    "erin",
    "frank",
    *(f"user{n}" for n in range(7, 17)),
)
"""What users are called in a story; canaries carry them."""

_FAMILIES = (
    LABELS,
    tuple("u" + "1" * n for n in range(1, 17)),
    (
        *("user", "Us_r", "us%r", "USER", "user/", "user:1", "user.1", "user|1"),
        *("user#1", "user_1", "user%1", "us-er", "user1", "user10", "user01", "use"),
    ),
    tuple(
        str(n) for n in (1, 10, 100, 11, 2, 20, 21, 12, 3, 30, 31, 13, 4, 40, 41, 14)
    ),
)


@st.composite
def user_ids(draw: st.DrawFn, count: int) -> tuple[str, ...]:
    """So many different identities of one family, plain names first."""
    family = draw(st.sampled_from(_FAMILIES))
    return family[:count]


def threads() -> st.SearchStrategy[str]:
    """Thread ids; users share them, as two users may well choose the same one."""
    return st.sampled_from(("t", "t1", "t10", "T"))
