"""The form and the fields that all parts of a scenario have in common.

Meanings and bounds of fields serve files and their schema; a constructor checks
nothing.
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
    Meta(ge=0, le=LARGEST, description="Unique in the scenario; shrinking keeps it."),
]
UserIndex: TypeAlias = Annotated[
    int,
    Meta(
        ge=0, lt=MOST_USERS, description="The user who acts: an index into the users."
    ),
]
Victim: TypeAlias = Annotated[
    Annotated[int, Meta(ge=0, lt=MOST_USERS)] | None,
    Meta(description="The owner of the context, run or connection, if another user."),
]
ConnectionName: TypeAlias = Annotated[
    str, Meta(description="The user's name of the connection.")
]
ContextName: TypeAlias = Annotated[
    str, Meta(description="The owner's name of the context.")
]
Key: TypeAlias = Annotated[str, Meta(description="The key of the stored value.")]
Value: TypeAlias = Annotated[str, Meta(description="The stored value; a canary.")]
Seconds: TypeAlias = Annotated[
    float, Meta(ge=0, le=1_000_000, description="Virtual seconds.")
]


class User(Data, frozen=True, kw_only=True):
    """A user: the label that canaries carry, and the identity for the engine."""

    label: Annotated[str, Meta(description="The name in explanations and canaries.")]
    id: Annotated[str, Meta(description="The identity that the engine is given.")]
