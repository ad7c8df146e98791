"""Parts of observed values that cannot be seen."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

__all__ = ["OpaqueCause", "OpaquePart", "Sight"]


class OpaqueCause(StrEnum):
    """Why the walk through a value ended before it saw everything."""

    DEPTH = "depth"
    """The part lies too deep."""
    SIZE = "size"
    """The value has too many parts."""
    NATIVE = "native"
    """An object of a C type that shows nothing to the garbage collector."""
    CODE = "code"
    """A function; its closure and its defaults are seen, its globals are not."""
    LAZY = "lazy"
    """A generator, a coroutine, a future: to look into it would run it."""


class OpaquePart(msgspec.Struct, frozen=True, order=True):
    """An object at which the walk through a value ended, by the name of its type."""

    type: str
    cause: OpaqueCause


class Sight(msgspec.Struct):
    """How much was seen of the values that one kind of operation or step gave.

    A function counts as seen: its closure and its defaults are, and its globals are
    code. Each other part that cannot be seen may hold another user's value.

    Attributes:
        values: how many values there were.
        opaque: how many had a part that cannot be seen, other than a function.
        parts: the parts that cannot be seen, each once.
    """

    values: int = 0
    opaque: int = 0
    parts: list[OpaquePart] = []

    def count(self, parts: Iterable[OpaquePart]) -> None:
        """Adds one value with these parts that cannot be seen."""
        found = list(parts)
        self.values += 1
        self.opaque += any(part.cause is not OpaqueCause.CODE for part in found)
        self.parts += [part for part in found if part not in self.parts]

    def add(self, other: Sight) -> None:
        """Adds the values that another run gave."""
        self.values += other.values
        self.opaque += other.opaque
        self.parts += [part for part in other.parts if part not in self.parts]
