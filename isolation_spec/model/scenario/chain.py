"""Streams of arrivals from outside: the keys of the scheduler's choices."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Chain", "ChainKind", "number_in"]

_WORLD = "world"
"""The owner's place in the text of a chain that no operation owns."""


_MOST_CACHED = 4096
"""A run has some 130 chains and asks for one at every arrival: cached, that takes half
the time of formatting the text."""


class ChainKind(StrEnum):
    """The kinds of arrivals; a chain in a file may be of any other, which never comes.

    `START` is the start of an operation itself, and `CALL` a completion of the engine's
    own: a model's answer, a tool's, or a job of an executor.
    """

    START = "start"
    CALL = "call"
    DATABASE = "database"
    CONNECT = "connect"
    ACCEPT = "accept"
    TO_SERVER = "to-server"
    TO_CLIENT = "to-client"


class Chain(NamedTuple):
    """One stream of arrivals, in text `owner/kind` or `owner/kind/ordinal`.

    Schedulers, schedules and histories hold the text: it is a key of JSON objects, and
    strings hash faster than tuples where every arrival is counted.

    Attributes:
        owner: the id of the operation that causes the arrivals; None for the world.
        kind: the kind of the arrivals, usually a `ChainKind`.
        ordinal: 0 for the owner's first stream of the kind, 1 for the second.
    """

    owner: int | None
    kind: str
    ordinal: int = 0

    @staticmethod
    @lru_cache(maxsize=_MOST_CACHED)
    def text(owner: int | None, kind: str, ordinal: int = 0) -> str:
        """The text of a chain with these attributes."""
        text = f"{_WORLD if owner is None else owner}/{kind}"
        return f"{text}/{ordinal}" if ordinal else text

    @staticmethod
    @lru_cache(maxsize=_MOST_CACHED)
    def parse(text: str) -> Chain:
        """The chain of a text; an unreadable owner is None, an ordinal 0."""
        owner, _, rest = text.partition("/")
        kind, _, ordinal = rest.partition("/")
        return Chain(number_in(owner), kind, number_in(ordinal) or 0)


def number_in(text: str) -> int | None:
    """The number that a text spells; None for any other text, or a monstrous number."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
    return int(text) if is_number else None


_DIGITS = 18
"""Python refuses to read very long numbers, and ids of operations are short."""
