"""Moving an operation to another user, whose canaries it then carries."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec

from isolation_spec.model.scenario import CANARY, Operation, canary

__all__ = ["reassign", "remove_canaries"]

replace = msgspec.structs.replace


def reassign(operation: Operation, user: int, label: str) -> Any:
    """The operation as this user's; its canaries carry the label and its own id.

    With the canaries of the former user, the engine's correct answer would look like a
    leak.
    """
    ordinals = itertools.count(1)
    text = CANARY.sub(
        lambda _: canary(label, operation.id, next(ordinals)), _to_json(operation)
    )
    signed: Any = msgspec.json.decode(text, type=Operation)
    return replace(signed, user=user)


def remove_canaries(operation: Operation) -> str:
    """The JSON of the operation without its canaries.

    Equal for two operations that differ in canaries alone.
    """
    return CANARY.sub("", _to_json(operation))


def _to_json(operation: Operation) -> str:
    return msgspec.json.encode(operation).decode()
