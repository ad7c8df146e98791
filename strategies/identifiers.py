"""Identities that engines confuse: prefixes, case pairs, separators, wildcards.

Small on purpose: a collision needs two identities of one family in one scenario, and
sixteen users are the most that a scenario has. Sources: CVE-2026-71433 (prefixes and
wildcards), modelcontextprotocol/python-sdk #2655 (equal ids).
"""

from __future__ import annotations

import random

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

_FAMILIES: tuple[tuple[str, ...], ...] = (
    LABELS,
    tuple("u" + "1" * n for n in range(1, 17)),
    (
        *("user", "USER", "user ", "us_r", "us%r", "us-r", "user/", "user:1"),
        *("user.1", "user|1", "user#1", "user1", "user10", "user01", "use", "User"),
    ),
    # One letter in two Unicode forms, in two widths, in cases that fold together.
    (
        *("\u00e9", "e\u0301", "E\u0301", "\u00df", "ss", "SS", "1", "\uff11"),
        *("K", "\u212a", "k", "i", "\u0131", "I", "a b", "a\u00a0b"),
    ),
    tuple(
        str(n) for n in (1, 10, 100, 11, 2, 20, 21, 12, 3, 30, 31, 13, 4, 40, 41, 14)
    ),
)
"""Neighbours of a family are what some engine takes for the same."""


def user_ids(count: int, chance: random.Random) -> tuple[str, ...]:
    """So many different neighbours of one family.

    Chosen by a generator that is seeded with what was drawn, not drawn themselves:
    Hypothesis tries each example in about seven similar forms, which left 57 choices of
    identities among 400 examples.
    """
    family = chance.choice(_FAMILIES)
    start = chance.randrange(len(family))
    return (family + family)[start : start + count]


def threads() -> st.SearchStrategy[str]:
    """Thread ids; users share them, as two users may well choose the same one."""
    return st.sampled_from(("t", "t1", "t10", "T"))
