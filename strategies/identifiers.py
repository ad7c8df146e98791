"""Identities that engines confuse: prefixes, cases, separators, wildcards.

Small on purpose: a collision needs two identities of one family in one scenario, and
sixteen users are the most that a scenario has. Sources: CVE-2026-71433 (prefixes and
wildcards), modelcontextprotocol/python-sdk #2655 (equal ids).
"""

from __future__ import annotations

import itertools
import random
from typing import NamedTuple

import msgspec
from hypothesis import strategies as st

from isolation_spec.model.scenario import OpenContext, Scenario, User

__all__ = [
    "FAMILIES",
    "LABELS",
    "identified",
    "identities",
    "threads",
]

LABELS = (
    "alice",
    "bob",
    "carol",
    "dave",
    "erin",
    "frank",
    *(f"user{n}" for n in range(7, 17)),
)
"""The names of users in explanations; canaries carry them."""

_THREADS = ("t", "t1", "t10", "T")
"""Few, so that users meet on them; prefixes and a case pair."""
_SEPARATORS = "////::::__--..|#%,"
"""Each is drawn as often as it stands here, the usual `/` and `:` most. The proportions
were not measured."""
_MEETING_SHARE = 0.85
"""Neighbours whose threads are one, or whose owners are one text when joined; an engine
that confuses owners shows it for such threads alone. Not measured."""


class Family(NamedTuple):
    """User ids that some engine takes for one another.

    With a `joint`, owner and thread put together with it can be one text for several
    owners.
    """

    users: tuple[str, ...]
    joint: str | None = None


def _joined(joint: str) -> Family:
    """Each a prefix of the next, one part longer."""
    return Family(tuple("u" + f"{joint}1" * n for n in range(16)), joint)


FAMILIES: dict[str, tuple[Family, ...]] = {
    "plain": (Family(LABELS),),
    # Prefixes of each other; joined to a thread, equal, too.
    "prefixes": (_joined(""),),
    "separators": tuple(map(_joined, _SEPARATORS)),
    "cases": (
        Family(
            (
                *("user", "USER", "User", "uSER", "usEr", "USer", "useR", "uSer"),
                *("UsEr", "uSeR", "USEr", "usER", "UsER", "uSEr", "UseR", "USeR"),
            )
        ),
    ),
    "blanks": (
        Family(
            (
                *("user", "user ", " user", "user\t", "  user", "user  ", " user "),
                *("\tuser", "user\n", "\nuser", " user\t", "user \t", "\tuser "),
                *("user\u00a0", "\u00a0user", "user\u2003"),
            )
        ),
    ),
    # Texts that a pattern matches.
    "patterns": (
        Family(
            (
                *("us_r", "user", "us%r", "user%", "use_", "us%", "use*", "user?"),
                *("us*", "u.er", "u%", "us.*", "u_er", "%", "use[r]", "*"),
            )
        ),
    ),
    # Letters in two Unicode forms, all one text when normalised; in two widths, and in
    # cases that fold together.
    "unicode": (
        Family(tuple(map("".join, itertools.product(("\u00e9", "e\u0301"), repeat=4)))),
        Family(
            (
                *("K", "\u212a", "k", "\uff2b", "ss", "\u00df", "SS", "\u017fs"),
                *("i", "\u0131", "I", "\u0130", "a b", "a\u00a0b", "\u00e9", "E\u0301"),
            )
        ),
    ),
    # Texts of one number: ids that are numbers here and texts there.
    "numbers": (
        Family(
            (
                *("1", "01", "+1", "001", "\uff11", "1 ", "+01", "0001"),
                *("1.0", "1.00", "1e0", "01.0", "10", "1e1", "0x1", "10.0"),
            )
        ),
    ),
    # Long ids that differ at their end alone.
    "long": (Family(tuple("u" * 64 + str(n) for n in range(10, 26))),),
}
"""Kind -> families. Some engine takes neighbours in a family for one user."""
_KINDS = (
    *("plain", "prefixes", "separators", "separators", "separators", "separators"),
    *("cases", "blanks", "patterns", "unicode", "numbers", "long"),
)
"""A third of the draws are separators, which have the most families. The proportions
were not measured."""
Names = tuple[str, dict[str, str]]
"""The identity of a user, and thread -> its name."""


def identities(count: int, chance: random.Random) -> tuple[Names, ...]:
    """So many different identities, with the names of their threads.

    Every two or three are neighbours of one family. Mostly their threads are one, or
    their owners are one text when they are joined.

    Hypothesis draws no identity: it tries each example in about seven similar forms,
    which left 57 choices among 400 examples. Each run of a workload has its own.
    """
    names: dict[str, Names] = {}
    while len(names) < count:
        fresh = _neighbours(min(chance.choice((2, 2, 3)), count - len(names)), chance)
        if not any(user in names for user, _ in fresh):
            names.update((name[0], name) for name in fresh)
    return tuple(names.values())


def _neighbours(count: int, chance: random.Random) -> list[Names]:
    family = chance.choice(FAMILIES[chance.choice(_KINDS)])
    start = chance.randrange(len(family.users))
    meeting = chance.random() < _MEETING_SHARE
    names = []
    for index in range(start, start + count):
        user = family.users[index % len(family.users)]
        threads = {thread: thread for thread in _THREADS}
        if meeting and family.joint is not None:
            last = len(family.users) - 1
            missing = last - index % len(family.users)
            threads = dict.fromkeys(_THREADS, f"1{family.joint}" * missing + "t")
        elif meeting:
            threads = dict.fromkeys(_THREADS, "t")
        names.append((user, threads))
    return names


def identified(scenario: Scenario, chance: random.Random) -> Scenario:
    """The same scenario, its users and threads called by names that engines confuse."""
    names = identities(len(scenario.users), chance)
    users = tuple(
        User(label=user.label, id=name)
        for user, (name, _) in zip(scenario.users, names, strict=True)
    )
    operations = tuple(
        msgspec.structs.replace(one, thread=names[one.user][1][one.thread])
        if isinstance(one, OpenContext)
        else one
        for one in scenario.operations
    )
    return msgspec.structs.replace(scenario, users=users, operations=operations)


def threads() -> st.SearchStrategy[str]:
    """Thread ids, until `identities` renames them; users share them, as two users may
    choose the same one."""
    return st.sampled_from(("t", "t", *_THREADS))
