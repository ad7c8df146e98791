"""What one user asked for, asked by another: with canaries of their own."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec

from isolation_spec.model.scenario import CANARY, Operation, canary

__all__ = ["asked_by", "unsigned"]

replace = msgspec.structs.replace


def asked_by(operation: Operation, user: int, label: str) -> Any:
    """The operation as this user's, every canary in it theirs and of its number."""
    ordinals = itertools.count(1)
    text = CANARY.sub(
        lambda _: canary(label, operation.id, next(ordinals)), _text(operation)
    )
    signed: Any = msgspec.json.decode(text, type=Operation)
    return replace(signed, user=user)


def unsigned(operation: Operation) -> str:
    """What is asked for, whoever asks: equal for two that differ in canaries alone."""
    return CANARY.sub("", _text(operation))


def _text(operation: Operation) -> str:
    return msgspec.json.encode(operation).decode()
