"""Describes the entries of a history in a few words, for a page."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

import msgspec

from isolation_spec.diagnosis.wording import describe_operation
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
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import CANARY, canaries_in

__all__ = [
    "PHASES",
    "Part",
    "Words",
    "kind_of",
    "parts_of",
    "run_of",
]

PHASES = {
    "operations": "The operations",
    "cleanup": "Every user is cleaned up",
    "teardown": "The engine is torn down",
    "observed": "The independent observer reads the storage",
}

_LONGEST = 160
_NAME = re.compile(r"[\w.:-]{1,60}")
_RUN = re.compile(r"run-(\d{1,9})(?!\d)")


class Part(msgspec.Struct, frozen=True):
    """A piece of text; `canary` names its owner, and `strong` marks a foreign one."""

    text: str
    canary: str = ""
    strong: bool = False


def parts_of(
    text: str, viewer: str | None, values: Collection[str] = ()
) -> tuple[Part, ...]:
    """Splits a text at its canaries, and marks these values and foreign ones as strong.

    Long parts are shortened to fit a screen.
    """
    owners = {value: owner for owner, value in canaries_in(text)}
    parts: list[Part] = []
    end = 0
    for match in CANARY.finditer(text):
        owner = owners.get(match.group())
        if owner is None:
            continue
        parts += _plain(text[end : match.start()])
        strange = viewer is not None and owner != viewer
        strong = match.group() in values or strange
        parts.append(Part(match.group(), owner, strong))
        end = match.end()
    return (*parts, *_plain(text[end:]))


def _plain(text: str) -> list[Part]:
    if len(text) > _LONGEST:
        half = _LONGEST // 2
        text = f"{text[:half]} … {text[-half:]}"
    return [Part(text)] if text else []


def kind_of(entry: Entry) -> str:
    """Returns the stable name of an entry's kind."""
    return str(type(entry).__struct_config__.tag)


def run_of(entry: Entry) -> int | None:
    """Returns the operation whose run an event names, None without a name."""
    if not isinstance(entry, EventReceived):
        return None
    found = _RUN.search(str(_fields(entry.text).get("run_id", entry.text)))
    return int(found.group(1)) if found else None


class Words:
    """Describes the entries of one history.

    Outputs of an engine appear only if they carry a canary, as a page may be passed on;
    with `values` all of them appear.
    """

    def __init__(self, history: History, *, values: bool = False) -> None:
        self.history = history
        self.values = values
        self.operations = history.operations()

    def of(self, entry: Entry) -> str:
        """Describes one entry without its user's name."""
        match entry:
            case OperationStarted():
                return describe_operation(self.operations[entry.operation or 0])
            case OperationEnded():
                return self._ended(entry)
            case AgentStepped():
                return self._stepped(entry)
            case IdentityChanged():
                return f"the engine works for {entry.identity!r}, at {entry.place}"
            case ConnectionOpened():
                return f"connection {entry.connection} is open"
            case ConnectionClosed():
                code = "" if entry.code is None else f" with code {entry.code}"
                return f"connection {entry.connection} ends{code}"
            case EventReceived():
                return self._received(entry)
            case SessionMoved():
                return f"database session {entry.session} {_spaced(entry.move)}"
            case CancellationDelivered():
                side = "after" if entry.after_step else "before"
                return f"the world cancels it {side} its step {entry.step}"
            case PhaseStarted():
                return PHASES[entry.phase]
            case _:
                return self._in_the_end(entry)

    def _in_the_end(self, entry: Entry) -> str:
        match entry:
            case ResourceAlive():
                return f"still alive: {entry.kind}, {entry.what}"
            case GaugeRead():
                return f"gauge {entry.gauge} reads {entry.value:g}"
            case ExceptionUnhandled():
                return f"unhandled: {self.error(entry.message)}"
            case ToolRan():
                moment = "goes on" if entry.moment == "went on" else entry.moment
                return f"tool {entry.tool} {moment}{self.shown(entry.argument, ': ')}"
            case ObjectShared():
                other = self.history.label(entry.other)
                return f"holds an object that {other} holds too: {entry.what}"
            case ThreadStarted():
                return f"{entry.what} is started at {entry.place}"
            case RowStored():
                row = self.shown(f"{entry.key}={entry.value}") or "a row"
                return f"{row}, of {entry.owner!r} in thread {entry.thread!r}"
            case _:
                return _spaced(kind_of(entry))

    def _ended(self, entry: OperationEnded) -> str:
        error = self.error(entry.error)
        why = f": {error}" if error else ""
        return f"{entry.outcome}{why}{self.shown(entry.value, ', showing ')}"

    def _stepped(self, entry: AgentStepped) -> str:
        if entry.step == "begin":
            return "the agent begins"
        how = "" if entry.outcome == "ok" else f" {entry.outcome}"
        seen = "" if entry.seen == "None" else self.shown(entry.seen, ", sees ")
        return f"the agent: {_spaced(entry.step)}{how}{seen}"

    def _received(self, entry: EventReceived) -> str:
        fields = _fields(entry.text)
        kind, run = (str(fields.get(name, "")) for name in ("type", "run_id"))
        event = kind if _NAME.fullmatch(kind) else "an event"
        whose = f" of {run}" if _NAME.fullmatch(run) else ""
        text = self.shown(entry.text, ": ")
        return f"{entry.connection} receives {event}{whose}{text}"

    def shown(self, text: str, before: str = "") -> str:
        """Returns an output with the text before it, "" if it must not appear."""
        if self.values:
            return before + text if text not in ("", "None") else ""
        values = [value for _, value in canaries_in(text)]
        return before + " ".join(dict.fromkeys(values)) if values else ""

    def error(self, text: str) -> str:
        """Returns the name of an error, and as much of its text as may appear."""
        name = text.partition(" ")[0]
        rest = self.shown(text[len(name) :], " ")
        return name + rest if _NAME.fullmatch(name) else rest.strip()

    def hidden(self, entry: Entry) -> int:
        """Returns the number of characters of the outputs that do not appear."""
        if self.values:
            return 0
        fields = ("value", "error", "seen", "text", "message", "argument")
        texts = (str(getattr(entry, name, "")) for name in fields)
        return sum(len(text) for text in texts if text != "None")


def _fields(text: str) -> dict[str, object]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _spaced(name: str) -> str:
    return name.replace("_", " ")
