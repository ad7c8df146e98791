"""What everything inside a scenario has in common: its form and its fields.

What fields mean and how large they may be, for files and for the schema of a file; a
constructor checks nothing.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

__all__ = [
    "LARGEST",
    "MOST_OPERATIONS",
    "MOST_USERS",
    "ConnectionName",
    "ContextName",
    "Data",
    "Id",
    "Key",
    "Seconds",
    "User",
    "UserIndex",
    "Value",
    "Victim",
]


class Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Common form of everything inside a scenario."""


MOST_USERS = 64
MOST_OPERATIONS = 10_000
LARGEST = 2**31 - 1

Id: TypeAlias = Annotated[
    int,
    Meta(ge=0, le=LARGEST, description="Unique in the scenario; kept by shrinking."),
]
UserIndex: TypeAlias = Annotated[
    int,
    Meta(ge=0, lt=MOST_USERS, description="Who asks: an index into the users."),
]
Victim: TypeAlias = Annotated[
    Annotated[int, Meta(ge=0, lt=MOST_USERS)] | None,
    Meta(description="Whose it is that is named, if another user's: an index."),
]
ConnectionName: TypeAlias = Annotated[
    str, Meta(description="What the user calls the connection.")
]
ContextName: TypeAlias = Annotated[
    str, Meta(description="What its owner calls the context.")
]
Key: TypeAlias = Annotated[str, Meta(description="Under which it is stored.")]
Value: TypeAlias = Annotated[str, Meta(description="What is stored; a canary.")]
Seconds: TypeAlias = Annotated[
    float, Meta(ge=0, le=1_000_000, description="Virtual seconds.")
]


class User(Data, frozen=True, kw_only=True):
    """A user: the label that canaries carry, and the identity told to the engine."""

    label: Annotated[str, Meta(description="The name in stories and canaries.")]
    id: Annotated[str, Meta(description="The identity told to the engine.")]
