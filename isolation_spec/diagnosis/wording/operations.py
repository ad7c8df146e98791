"""The text of operations, of steps of a script, and of cancellations."""

from __future__ import annotations

from isolation_spec.diagnosis.wording.text import Phrase
from isolation_spec.model.history.entries import CancellationDelivered
from isolation_spec.model.scenario import (
    AdvanceTime,
    Cancellation,
    CancelRun,
    Connect,
    Disconnect,
    Mutate,
    OpenContext,
    Operation,
    Reconnect,
    RunAgent,
    Scenario,
    Spawn,
    Step,
    Think,
    Transact,
    Write,
)

__all__ = [
    "describe_cancellation",
    "describe_operation",
    "describe_owner",
    "describe_step",
    "phrase_operation",
]


def describe_operation(operation: Operation) -> str:
    """Returns an operation in a few words."""
    return str(phrase_operation(operation))


def phrase_operation(operation: Operation, *, cancellation: bool = True) -> Phrase:
    """Returns an operation in a few words; the lead ends before an agent's script."""
    name = type(operation).__name__
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
    cancel = operation.cancel if cancellation else None
    cancelled = f", cancelled {describe_cancellation(cancel)}" if cancel else ""
    if isinstance(operation, RunAgent):
        script = "; ".join(map(describe_step, operation.script)) or "nothing"
        where = " in the background" if operation.background else ""
        lead = f"{words} in {operation.context}{where}: "
        return Phrase(lead, f"{script}{cancelled}")
    return Phrase(f"{words} {_detail(operation)}".strip() + cancelled)


def describe_cancellation(cancel: Cancellation | CancellationDelivered) -> str:
    """Returns the moment of a cancellation, in steps of its task."""
    side = "after" if cancel.after_step else "before"
    turns = cancel.turns if isinstance(cancel, Cancellation) else 0
    later = f"{turns} turn{'s' * (turns > 1)} of the loop " if turns else ""
    return f"{later}{side} its step {cancel.step}"


def _detail(operation: Operation) -> str:
    match operation:
        case Connect():
            how = " with a forged token" if operation.forged else ""
            unread = ", which reads nothing" if operation.unread else ""
            return f"{operation.connection}{how}{unread}"
        case Disconnect():
            how = " without a closing handshake" if operation.abrupt else ""
            return f"{operation.connection}{how}"
        case Reconnect():
            return f"{operation.connection}, then close {operation.replaces}"
        case OpenContext():
            return f"{operation.context} on thread {operation.thread!r}"
        case Mutate():
            return f"{operation.context} with {operation.value}"
        case Write():
            return f"{operation.key}={operation.value} in {operation.context}"
        case AdvanceTime():
            how = ", the outside stalled" if operation.stalled else ""
            return f"by {operation.seconds:g} s{how}"
        case CancelRun():
            return f"{operation.run}"
        case _:
            return operation.context or ""


def describe_step(step: Step) -> str:
    """Returns a step of a script in a few words."""
    name = str(type(step).__struct_config__.tag).replace("_", " ")
    if isinstance(step, Spawn):
        return f"spawn ({'; '.join(map(describe_step, step.script)) or 'nothing'})"
    if isinstance(step, Think):
        slowly = f", answered after {step.seconds:g} s" if step.seconds else ""
        return f"think {step.prompt}{slowly}"
    if isinstance(step, Transact):
        written = ", ".join(f"{key}={value}" for key, value in step.items)
        return f"transact {written}{' and raise' if step.fails else ''}"
    values = [getattr(step, field) for field in step.__struct_fields__]
    flags = [field for field in step.__struct_fields__ if getattr(step, field) is True]
    words = [str(value) for value in values if not isinstance(value, bool)]
    return " ".join([name, *flags, *words])


def describe_owner(scenario: Scenario, operation: int | None) -> str:
    """Returns an operation by its owner: `bob's operation 7`."""
    for one in scenario.operations:
        if one.id == operation:
            user = one.user
            whose = "the world" if user is None else scenario.users[user].label
            return f"{whose}'s operation {operation}"
    return "the world" if operation is None else f"operation {operation}"
