"""The result of checking one method of an adapter, and the users of the check."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from isolation_spec.model.scenario import User

__all__ = [
    "ALICE",
    "BOB",
    "LATER",
    "THREAD",
    "MethodBegan",
    "MethodResult",
    "Status",
]

Status: TypeAlias = Literal[
    "ok", "not written", "breaks", "not exercised", "hint", "engine"
]
"""How a method stands; a hint is about a method that works but looks incomplete, and
`engine` about an adapter that works and shows a fault of its engine."""

ALICE, BOB = User(label="alice", id="alice"), User(label="bob", id="bob")
THREAD = "thread-1"
LATER = "an earlier method does not work yet"


class MethodBegan(msgspec.Struct, frozen=True, tag=True):
    """The check of a method begins; sent by the process in which it runs."""

    method: str


class MethodResult(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How one method stands, and the code to write where it fails."""

    method: str
    status: Status
    note: str = ""
