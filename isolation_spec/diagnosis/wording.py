"""Plain words for operations, for what was observed, and for choices of a schedule."""

from __future__ import annotations

import json
import re

from rich.cells import cell_len, set_cell_size

from isolation_spec.model.history.entries import (
    AgentStepped,
    CancellationDelivered,
    ConnectionClosed,
    ConnectionOpened,
    Entry,
    EventReceived,
    ExceptionUnhandled,
    GaugeRead,
    IdentityChanged,
    ObjectShared,
    OperationEnded,
    OperationStarted,
    PhaseStarted,
    ResourceAlive,
    RowStored,
    SessionMoved,
    ThreadStarted,
    ToolRan,
)
from isolation_spec.model.history.rendering import render
from isolation_spec.model.scenario import (
    CANARY,
    AdvanceTime,
    Cancellation,
    CancelRun,
    Chain,
    ChainKind,
    Connect,
    Demotion,
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
    canary,
)
from isolation_spec.model.scenario.chain import number_in

__all__ = [
    "around",
    "describe_cancellation",
    "describe_chain",
    "describe_demotion",
    "describe_entry",
    "describe_operation",
    "describe_owner",
    "describe_step",
    "printable",
    "strip_canary_digests",
]


def printable(text: str) -> str:
    """The text with control characters escaped: it must not steer a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


_VERB = re.compile(r".{0,30}?(?:: | gives | receives \S+ )")
_LEAST = 8


def around(text: str, place: int, room: int, keep: int = 0) -> str:
    """As much of a text as there is room for: its beginning, and what stands around a
    place.

    Kept of the beginning are so many characters, and the verb, if it is not too long.
    """
    if cell_len(text) <= room:
        return text
    verb = match.end() if (match := _VERB.match(text)) else 0
    keep = verb if keep < verb <= room * 2 // 3 else keep
    if place > keep and place + _LEAST > room - len(_GAP):
        begin = max(place - max(room - keep, 0) // 3, keep)
        # From a whole word on, if there is one before the place.
        blank = text.find(" ", begin, place)
        text = f"{text[:keep]}{_GAP}{text[blank + 1 if blank >= 0 else begin :]}"
    if cell_len(text) <= room:
        return text
    return set_cell_size(text, max(room - len(_GAP), 0)).rstrip() + _GAP


_GAP = "..."


def strip_canary_digests(text: str) -> str:
    """The text with each canary told by owner and place, without its digest."""
    return CANARY.sub(_without_digest, text)


def _without_digest(match: re.Match[str]) -> str:
    owner, operation, ordinal, _ = match.groups()
    place = number_in(operation), number_in(ordinal)
    if None in place or canary(owner, *place) != match.group():  # type: ignore[arg-type]
        return match.group()
    return f"{owner}~{operation}.{ordinal}"


# Operations


def describe_operation(operation: Operation) -> str:
    """One operation in a few words."""
    words = type(operation).__name__
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in words).strip()
    detail = _detail(operation)
    cancel = operation.cancel
    text = f"{words} {detail}".strip()
    return f"{text}, cancelled {describe_cancellation(cancel)}" if cancel else text


def describe_cancellation(cancel: Cancellation | CancellationDelivered) -> str:
    """When it strikes, in steps of the task and turns of the loop."""
    side = "after" if cancel.after_step else "before"
    turns = cancel.turns if isinstance(cancel, Cancellation) else 0
    later = f"{turns} turn{'s' * (turns > 1)} of the loop " if turns else ""
    return f"{later}{side} its step {cancel.step}"


def _detail(operation: Operation) -> str:
    match operation:
        case Connect():
            how = " with a token of nobody's" if operation.forged else ""
            unread = ", which reads nothing" if operation.unread else ""
            return f"{operation.connection}{how}{unread}"
        case Disconnect():
            how = " without a closing handshake" if operation.abrupt else ""
            return f"{operation.connection}{how}"
        case Reconnect():
            return f"{operation.connection}, then close {operation.replaces}"
        case OpenContext():
            return f"{operation.context} on thread {operation.thread!r}"
        case RunAgent():
            script = "; ".join(map(describe_step, operation.script)) or "nothing"
            where = " in the background" if operation.background else ""
            return f"in {operation.context}{where}: {script}"
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
    """One step of a script in a few words."""
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


# Choices


def describe_owner(scenario: Scenario, operation: int | None) -> str:
    """Whose operation it is: `bob's operation 7`."""
    for one in scenario.operations:
        if one.id == operation:
            user = one.user
            whose = "the world" if user is None else scenario.users[user].label
            return f"{whose}'s operation {operation}"
    return "the world" if operation is None else f"operation {operation}"


_STREAMS = {
    "start": "the start of @",
    "database": "the database's answers to @",
    "call": "what model and tools answer to @",
    "connect": "the connecting of @",
    "accept": "the accepting of the connection of @",
    "to-server": "what the client of @ sends",
    "to-client": "what is sent to the client of @",
}


def describe_chain(scenario: Scenario, chain: str) -> str:
    """What arrives in a chain: `the database's answers to bob's operation 7`."""
    owner, kind, ordinal = Chain.parse(chain)
    words = _STREAMS.get(kind, f"{kind or 'what arrives'} of @")
    before, _, after = words.partition("@")
    which = f" (stream {ordinal + 1})" if ordinal else ""
    return f"{before}{describe_owner(scenario, owner)}{after}{which}"


def describe_demotion(scenario: Scenario, demotion: Demotion) -> str:
    """What a demotion does, as a noun: `holding back ... from its second on`."""
    chain = describe_chain(scenario, demotion.chain)
    if not demotion.consumed or Chain.parse(demotion.chain).kind == ChainKind.START:
        return f"holding back {chain}"
    first = "first" if demotion.consumed == 1 else f"first {demotion.consumed}"
    return f"holding back {chain} after the {first}"


# What was observed

_PHASES = {
    "operations": "the operations begin",
    "cleanup": "all operations are over; every user is cleaned up",
    "teardown": "the engine is shut down",
    "observed": "an independent observer reads what is stored",
}


def describe_entry(entry: Entry) -> str:
    """What was observed, in a few words, without whose and in which operation."""
    match entry:
        case OperationStarted():
            return "begins"
        case OperationEnded():
            said = " ".join((entry.error or entry.value.removeprefix("None")).split())
            ended = "never ends" if entry.outcome == "unfinished" else entry.outcome
            return f"{ended}: {said}" if said else ended
        case AgentStepped():
            return _stepped(entry)
        case IdentityChanged():
            return f"the engine works for {entry.identity!r}, at {entry.place}"
        case ConnectionOpened():
            return f"{entry.connection} is connected"
        case ConnectionClosed():
            return f"{entry.connection} is closed, code {entry.code}"
        case EventReceived():
            return f"{entry.connection} receives {_event(entry.text)}"
        case SessionMoved():
            return f"database session {entry.session} {_MOVES[entry.move]}"
        case CancellationDelivered():
            return f"is cancelled {describe_cancellation(entry)}, at {entry.place}"
        case PhaseStarted():
            return _PHASES[entry.phase]
        case _:
            return _rarely(entry)


_MOVES = {
    "began": "begins",
    "used": "is used",
    "committed": "commits",
    "rolled_back": "rolls back",
    "closed": "is closed",
}


def _stepped(entry: AgentStepped) -> str:
    if entry.step == "begin":
        return "its agent begins"
    name = entry.step.replace("_", " ")
    if entry.outcome != "ok":
        return f"{name} {entry.outcome}: {entry.seen}".rstrip()
    return f"{name} gives {entry.seen}" if entry.seen != "None" else f"{name} is done"


def _event(text: str) -> str:
    """An event by type, number and run, where it names them; then all that it says."""
    try:
        fields = json.loads(text)
    except ValueError:
        return text
    if not isinstance(fields, dict) or "type" not in fields:
        return text
    number = f" {fields['sequence']}" if "sequence" in fields else ""
    run = f" of {fields['run_id']}" if fields.get("run_id") else ""
    known = ("type", "sequence", "run_id", "user_id", "thread_id", "timestamp")
    rest = {key: value for key, value in fields.items() if key not in known and value}
    said = f" {render(rest).removeprefix('payload ')}" if rest else ""
    return f"{fields['type']}{number}{run}{said}"


def _rarely(entry: Entry) -> str:
    match entry:
        case ResourceAlive():
            return f"still alive: {entry.kind} ({entry.what})"
        case GaugeRead():
            return f"the engine's own {entry.gauge} reads {entry.value:g}"
        case ExceptionUnhandled():
            return f"nobody handles: {entry.message}"
        case ToolRan():
            whose = "nobody" if entry.identity is None else repr(entry.identity)
            return f"tool {entry.tool} {entry.moment} for {whose}: {entry.argument}"
        case ObjectShared():
            return f"holds what another user holds, too: {entry.what}"
        case ThreadStarted():
            return f"{entry.what} is started at {entry.place}"
        case RowStored():
            place = f"{entry.owner!r} on {entry.thread!r}"
            return f"stored for {place}: {entry.key}={entry.value}"
        case _:
            return type(entry).__name__
