"""Parts of observed values that cannot be seen."""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["OpaqueCause", "OpaquePart"]


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
