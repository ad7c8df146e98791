"""Values that carry their owner's canary."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec

from isolation_spec.model.scenario import (
    CallTool,
    Emit,
    Fail,
    Remember,
    Return,
    Spawn,
    Step,
    Think,
    Transact,
    WriteState,
    canary,
)

__all__ = ["sign"]


def sign(script: tuple[Step, ...], label: str, operation: int) -> tuple[Step, ...]:
    """The script with a canary of its own, of this user and operation, in every
    value but those that are the same for all."""
    values = (canary(label, operation, n) for n in itertools.count(1))
    return tuple(_sign(step, values) for step in script)


def _sign(step: Step, values: Iterator[str]) -> Step:
    match step:
        case Think(prompt=""):
            return msgspec.structs.replace(step, prompt=next(values))
        case CallTool(argument=""):
            return msgspec.structs.replace(step, argument=next(values))
        case WriteState() | Remember() | Return():
            return msgspec.structs.replace(step, value=next(values))
        case Emit():
            return msgspec.structs.replace(step, payload=next(values))
        case Fail():
            return msgspec.structs.replace(step, message=next(values))
        case Transact():
            items = tuple((key, next(values)) for key, _ in step.items)
            return msgspec.structs.replace(step, items=items)
        case Spawn():
            script = tuple(_sign(inner, values) for inner in step.script)
            return msgspec.structs.replace(step, script=script)
        case _:
            return step
