"""How a method of an adapter stands, and who asks for it."""

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

Status: TypeAlias = Literal["ok", "not written", "breaks", "not exercised", "hint"]
"""How a method stands; a hint is about what works, but is likely to be an oversight."""

ALICE, BOB = User(label="alice", id="alice"), User(label="bob", id="bob")
THREAD = "thread-1"
LATER = "what comes before it does not work yet"


class MethodBegan(msgspec.Struct, frozen=True, tag=True):
    """The check of a method begins; sent by the process in which it runs."""

    method: str


class MethodResult(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How one method stands, and what to write where it does not do."""

    method: str
    status: Status
    note: str = ""
