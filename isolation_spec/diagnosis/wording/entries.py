"""The text of the entries of a history."""

from __future__ import annotations

from isolation_spec.diagnosis.wording.operations import (
    describe_cancellation,
    phrase_operation,
)
from isolation_spec.diagnosis.wording.reveal import WHOLE, Reveal
from isolation_spec.diagnosis.wording.text import Phrase
from isolation_spec.model.event_names import fields_of
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
    IdentityKept,
    LoopBlocked,
    ObjectShared,
    OperationEnded,
    OperationStarted,
    PathStep,
    PhaseStarted,
    ResourceAlive,
    RowStored,
    SessionMoved,
    ThreadStarted,
    ToolRan,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.history.rendering import render
from isolation_spec.model.history.states import Outcome, Phase, SessionMove, StepOutcome

__all__ = [
    "describe_entry",
    "describe_paths",
    "engine_texts",
    "phrase_entry",
    "phrase_moment",
]

_PHASES = {
    Phase.OPERATIONS: "the operations begin",
    Phase.CLEANUP: "all operations are over; every user is cleaned up",
    Phase.TEARDOWN: "the engine is shut down",
    Phase.OBSERVED: "an independent observer reads the stored rows",
}
_MOVES = {
    SessionMove.BEGAN: "begins",
    SessionMove.USED: "is used",
    SessionMove.COMMITTED: "commits",
    SessionMove.ROLLED_BACK: "rolls back",
    SessionMove.CLOSED: "is closed",
}


def describe_entry(entry: Entry) -> str:
    """Returns an entry in a few words, without its user and its operation."""
    return str(phrase_entry(entry))


def phrase_moment(
    history: History,
    entry: Entry,
    reveal: Reveal = WHOLE,
    *,
    cancellation: bool = True,
) -> Phrase:
    """Returns an entry in a few words; an operation that begins is described, too.

    Its cancellation, which has an entry of its own, can be left out.
    """
    if not isinstance(entry, OperationStarted):
        return phrase_entry(entry, reveal)
    operation = history.operations()[entry.operation or 0]
    lead, detail = phrase_operation(operation, cancellation=cancellation)
    return Phrase(f"begins to {lead}", detail)


def phrase_entry(entry: Entry, reveal: Reveal = WHOLE) -> Phrase:
    """Returns an entry in a few words, with as much of the engine's text as given."""
    match entry:
        case OperationStarted():
            return Phrase("begins")
        case OperationEnded():
            return _ended(entry, reveal)
        case AgentStepped():
            return _stepped(entry, reveal)
        case IdentityChanged():
            identity = reveal.identity(entry.identity)
            return Phrase(f"the engine works for {identity}, at {entry.place}")
        case ConnectionOpened():
            return Phrase(f"{entry.connection} is connected")
        case ConnectionClosed():
            return Phrase(f"{entry.connection} is closed, code {entry.code}")
        case EventReceived():
            return _received(entry, reveal)
        case SessionMoved():
            return Phrase(f"database session {entry.session} {_MOVES[entry.move]}")
        case CancellationDelivered():
            when = describe_cancellation(entry)
            return Phrase(f"is cancelled {when}, at {entry.place}")
        case PhaseStarted():
            return Phrase(_PHASES[entry.phase])
        case _:
            return _observed(entry, reveal)


def _ended(entry: OperationEnded, reveal: Reveal) -> Phrase:
    value = reveal.error(entry.error) or reveal.text(entry.value.removeprefix("None"))
    outcome = "never ends" if entry.outcome == Outcome.UNFINISHED else entry.outcome
    words = " ".join(value.split())
    return Phrase(f"{outcome}: ", words) if words else Phrase(outcome)


def _stepped(entry: AgentStepped, reveal: Reveal) -> Phrase:
    if entry.step == "begin":
        return Phrase("its agent begins")
    name = entry.step.replace("_", " ")
    if entry.outcome != StepOutcome.OK:
        error = reveal.error(entry.seen)
        outcome = f"{name} {entry.outcome}"
        return Phrase(f"{outcome}: ", error) if error else Phrase(outcome)
    value = "" if entry.seen == "None" else reveal.text(entry.seen)
    return Phrase(f"{name} gives ", value) if value else Phrase(f"{name} is done")


_NAMING = ("type", "sequence", "run_id", "user_id", "thread_id", "timestamp")
"""Fields by which an event is named, and which say nothing further."""


def _received(entry: EventReceived, reveal: Reveal) -> Phrase:
    """Returns an event by type, number and run, if it names them, and its values."""
    fields = fields_of(entry.text)
    if "type" not in fields:
        text = reveal.text(entry.text) or "an event"
        return Phrase(f"{entry.connection} receives ", text)
    kind = reveal.name(str(fields["type"])) or "an event"
    number = reveal.name(str(fields.get("sequence", "")))
    run = reveal.name(str(fields.get("run_id") or ""))
    values = {k: value for k, value in fields.items() if k not in _NAMING and value}
    rest = reveal.text(render(values).removeprefix("payload ")) if values else ""
    parts = (number, f"of {run}" if run else "", rest)
    detail = " ".join(part for part in parts if part)
    return Phrase(f"{entry.connection} receives {kind}{' ' * bool(detail)}", detail)


def _observed(entry: Entry, reveal: Reveal) -> Phrase:
    match entry:
        case ResourceAlive():
            return Phrase("still alive: ", f"{entry.kind} ({entry.what})")
        case IdentityKept():
            lead = f"{entry.kind} ({entry.what}) works for "
            return Phrase(lead, reveal.identity(entry.identity))
        case GaugeRead():
            return Phrase(f"the engine's own {entry.gauge} reads {entry.value:g}")
        case ExceptionUnhandled():
            return Phrase("unhandled: ", reveal.error(entry.message))
        case ToolRan():
            return _tool_ran(entry, reveal)
        case ObjectShared():
            paths = describe_paths(entry, reveal)
            return Phrase("holds an object of another user, too: ", paths)
        case ThreadStarted():
            return Phrase(f"{entry.what} is started at {entry.place}")
        case LoopBlocked():
            how_long = "for ever" if entry.seconds is None else f"{entry.seconds:g} s"
            return Phrase(f"holds the loop {how_long}: {entry.call} at {entry.place}")
        case RowStored():
            place = f"{entry.owner!r} on {entry.thread!r}"
            row = reveal.text(f"{entry.key}={entry.value}") or "a row"
            return Phrase(f"stored for {place}: ", row)
        case _:
            return Phrase(type(entry).__name__)


def _tool_ran(entry: ToolRan, reveal: Reveal) -> Phrase:
    user = "no user" if entry.identity is None else reveal.identity(entry.identity)
    lead = f"tool {entry.tool} {entry.moment} for {user}"
    argument = reveal.text(entry.argument)
    return Phrase(f"{lead}: ", argument) if argument else Phrase(lead)


def describe_paths(entry: ObjectShared, reveal: Reveal = WHOLE) -> str:
    """Describes the two paths to a shared object."""
    path, others_path = (
        "".join(_step(step, reveal) for step in steps)
        for steps in (entry.path, entry.others_path)
    )
    return f"{path}, the same object as {others_path}"


def _step(step: PathStep, reveal: Reveal) -> str:
    if step.key is None:
        return step.code
    shown = reveal.text(step.key)
    return f"[{shown!r}]" if shown or not step.key else "[...]"


def engine_texts(entry: Entry) -> tuple[str, ...]:
    """Returns the texts of an entry that `CanariesOnly` withholds."""
    match entry:
        case OperationEnded():
            texts: tuple[str, ...] = (entry.value, entry.error)
        case AgentStepped():
            texts = (entry.seen,)
        case EventReceived():
            texts = (entry.text,)
        case ExceptionUnhandled():
            texts = (entry.message,)
        case ToolRan():
            texts = (entry.argument,)
        case RowStored():
            texts = (entry.value,)
        case _:
            return ()
    return tuple(text for text in texts if text != "None")
