"""Identities that engines confuse: prefixes, cases, separators, wildcards.

Small on purpose: a collision needs two identities of one family in one scenario, and
sixteen users are the most that a scenario has. Sources: CVE-2026-71433 (prefixes and
wildcards), modelcontextprotocol/python-sdk #2655 (equal ids).
"""

from __future__ import annotations

import random
from typing import NamedTuple

from hypothesis import strategies as st

__all__ = ["FAMILIES", "LABELS", "identities", "threads"]

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

_THREADS = ("t", "t1", "t10", "T")
_SEPARATORS = "/.:|#_%-,"


class _Family(NamedTuple):
    """User ids that some engine takes for one another, and threads that go with
    them."""

    users: tuple[str, ...]
    threads: tuple[str, ...] = _THREADS


def _separated(separator: str) -> _Family:
    """Each a prefix of the next; with a separator and a thread, equal for several."""
    s = separator
    users = tuple("u" + f"{s}1" * (n // 2) + s * (n % 2) for n in range(16))
    return _Family(users, ("t", f"1{s}t", f"1{s}1{s}t", f"{s}t"))


FAMILIES: dict[str, tuple[_Family, ...]] = {
    "plain": (_Family(LABELS),),
    # Prefixes of each other; joined to a thread without a separator, equal, too.
    "prefixes": (
        _Family(tuple("u" + "1" * n for n in range(1, 17)), ("t", "1t", "11t", "T")),
    ),
    "separators": tuple(map(_separated, _SEPARATORS)),
    # Cases, blanks, and what a pattern may match.
    "patterns": (
        _Family(
            (
                *("user", "USER", "user ", "us_r", "us%r", " user", "User", "user\t"),
                *("user%", "user_", "use", "user1", "USER ", "use_", "%", "user1%"),
            )
        ),
    ),
    # One letter in two Unicode forms, in two widths, in cases that fold together.
    "unicode": (
        _Family(
            (
                *("\u00e9", "e\u0301", "E\u0301", "\u00df", "ss", "SS", "1", "\uff11"),
                *("K", "\u212a", "k", "i", "\u0131", "I", "a b", "a\u00a0b"),
            )
        ),
    ),
    # Texts of one number: ids that are numbers here and texts there.
    "numbers": (
        _Family(
            (
                *("1", "01", "+1", "1.0", "\uff11", "1 ", "001", "0x1"),
                *("10", "010", "1e1", "10.0", "2", "02", "+2", "2.0"),
            )
        ),
    ),
    # Long ids that differ at their end alone.
    "long": (_Family(tuple("u" * 64 + str(n) for n in range(10, 26))),),
}
"""Neighbours of a family are what some engine takes for the same."""
_KINDS = (
    *("plain", "prefixes", "prefixes", "separators", "separators"),
    *("patterns", "patterns", "unicode", "numbers", "long"),
)


def identities(
    count: int, chance: random.Random
) -> tuple[tuple[str, ...], dict[str, str]]:
    """So many different neighbours of one family, and what its threads are called.

    Chosen by a generator that is seeded with what was drawn, not drawn themselves:
    Hypothesis tries each example in about seven similar forms, which left 57 choices of
    identities among 400 examples.
    """
    family = chance.choice(FAMILIES[chance.choice(_KINDS)])
    start = chance.randrange(len(family.users))
    names = (family.users + family.users)[start : start + count]
    return names, dict(zip(_THREADS, family.threads, strict=True))


def threads() -> st.SearchStrategy[str]:
    """Thread ids, until `identities` renames them; users share them, as two users may
    well choose the same one."""
    return st.sampled_from(_THREADS)
