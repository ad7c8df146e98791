"""Why a claim is violated, in words: the scenario, and "Let ... Then ... However
..."."""

from __future__ import annotations

from collections.abc import Iterator

from isolation_spec.claims import Violation, find_claim
from isolation_spec.scenario import (
    AdvanceTime,
    Cancellation,
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
    Transact,
    Write,
)

__all__ = ["describe_operation", "describe_schedule", "explain", "printable"]


def explain(scenario: Scenario, violation: Violation) -> Iterator[str]:
    """Yields the lines of the story: claim, scenario, choices, contradiction.

    Control characters are escaped: the text of a file must not steer a terminal.
    """
    return map(printable, _story(scenario, violation))


def printable(line: str) -> str:
    """The line with every character that could steer a reader's screen escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def _story(scenario: Scenario, violation: Violation) -> Iterator[str]:
    claim = find_claim(violation.claim)
    yield f"{violation.claim}: {claim.statement}"
    yield ""
    yield from _identities(scenario)
    yield "Scenario"
    for operation in scenario.operations:
        user = getattr(operation, "user", None)
        who = "world" if user is None else scenario.users[user].label
        victim = getattr(operation, "victim", None)
        whose = "" if victim is None else f", naming {scenario.users[victim].label}'s"
        yield f"  {operation.id:>3}  {who:<6} {describe_operation(operation)}{whose}"
    choices = tuple(describe_schedule(scenario))
    yield ""
    yield "Choices" if choices else "Choices: none, plain asyncio order"
    yield from (f"  {line}" for line in choices)
    yield ""
    for index, fact in enumerate(violation.let):
        yield f"{'Let' if index == 0 else 'and'} {fact}."
    yield f"Then {violation.then}."
    yield f"However, {violation.however}: contradiction."


def _identities(scenario: Scenario) -> Iterator[str]:
    """What the engine knows users by, where that is not what the story calls them."""
    named = [f"{u.label} is {u.id!r}" for u in scenario.users if u.id != u.label]
    if named:
        yield f"Users: {', '.join(named)}"
        yield ""


def describe_operation(operation: Operation) -> str:
    """One operation in a few words."""
    words = type(operation).__name__
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in words).strip()
    detail = _detail(operation)
    cancel = getattr(operation, "cancel", None)
    text = f"{words} {detail}".strip()
    return f"{text}, cancelled {_when(cancel)}" if cancel else text


def _when(cancel: Cancellation) -> str:
    side = "after" if cancel.early else "before"
    return f"{side} its step {cancel.step}"


def _detail(operation: Operation) -> str:
    match operation:
        case Connect():
            how = " with a token of nobody's" if operation.forged else ""
            return f"{operation.connection}{how}"
        case Disconnect():
            how = " without a closing handshake" if operation.abrupt else ""
            return f"{operation.connection}{how}"
        case Reconnect():
            return f"{operation.connection}, then close {operation.replaces}"
        case OpenContext():
            return f"{operation.context} on thread {operation.thread!r}"
        case RunAgent():
            script = "; ".join(map(_describe_step, operation.script)) or "nothing"
            where = " in the background" if operation.background else ""
            return f"in {operation.context}{where}: {script}"
        case Mutate():
            return f"{operation.context} with {operation.value}"
        case Write():
            return f"{operation.key}={operation.value} in {operation.context}"
        case AdvanceTime():
            how = ", the outside stalled" if operation.stalled else ""
            return f"by {operation.seconds:g} s{how}"
        case _:
            named = getattr(operation, "context", None) or getattr(operation, "run", "")
            return f"{named}"


def _describe_step(step: Step) -> str:
    name = str(type(step).__struct_config__.tag).replace("_", " ")
    if isinstance(step, Spawn):
        return f"spawn ({'; '.join(map(_describe_step, step.script)) or 'nothing'})"
    if isinstance(step, Transact):
        written = ", ".join(f"{key}={value}" for key, value in step.items)
        return f"transact {written}{' and raise' if step.fails else ''}"
    values = [str(getattr(step, field)) for field in step.__struct_fields__]
    return " ".join([name, *values])


def describe_schedule(scenario: Scenario) -> Iterator[str]:
    """Yields one line for each decision of the schedule."""
    schedule = scenario.schedule
    for chain, number in schedule.classes.items():
        yield f"arrivals of {chain} yield to others (class {number})"
    for demotion in schedule.demotions:
        arrivals = "arrival" if demotion.consumed == 1 else "arrivals"
        yield f"{demotion.chain} comes last after {demotion.consumed} {arrivals}"
    if schedule.burst:
        more = "arrival comes" if schedule.burst == 1 else "arrivals come"
        yield f"up to {schedule.burst} {more} in before ready callbacks run"
    if schedule.split:
        yield "adjacent data arrives piece by piece"
