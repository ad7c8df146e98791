"""What was observed while a scenario ran: pure data, in the order of observation.

Entries say what users, agents, connections, databases and the ledger of live resources
showed. Claims read nothing else. Two runs are the same when their digests are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from hashlib import sha256
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

from isolation_spec.event_names import EventNames
from isolation_spec.scenario import (
    AdvanceTime,
    CollectGarbage,
    Operation,
    Scenario,
    Schedule,
    Shutdown,
    UserOperation,
)

__all__ = [
    "AgentStepped",
    "Await",
    "CancellationDelivered",
    "ConnectionClosed",
    "ConnectionOpened",
    "Entry",
    "EventReceived",
    "ExceptionUnhandled",
    "GaugeRead",
    "History",
    "IdentityChanged",
    "ObjectShared",
    "OperationEnded",
    "OperationStarted",
    "PhaseStarted",
    "Reached",
    "ResourceAlive",
    "RowStored",
    "SessionMoved",
    "ThreadStarted",
    "ToolRan",
    "text_of",
]

Outcome: TypeAlias = Literal[
    "returned", "failed", "cancelled", "refused", "unavailable", "unfinished"
]
"""How an operation ended. Unavailable: what it names was never opened, so the engine
was not asked. Unfinished: still under way when the time of the run was up."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True, tag_field="saw"):
    """`time` in virtual seconds; `turn` counts the runs of the ready queue."""

    time: float
    turn: int
    operation: int | None = None
    user: int | None = None


class OperationStarted(_Entry, tag="operation_started", frozen=True, kw_only=True):
    """An operation was handed to its task."""


class OperationEnded(_Entry, tag="operation_ended", frozen=True, kw_only=True):
    """The task of an operation ended."""

    outcome: Outcome
    value: str = ""
    error: str = ""


class AgentStepped(_Entry, tag="agent_stepped", frozen=True, kw_only=True):
    """A scripted agent began (step `begin`) or ended one step, and saw this.

    `path` counts into spawned scripts. `identity` is whom the engine says the current
    code works for, None where it has no such notion. `outcome` says how the step ended:
    refused, if by an exception by which the engine refuses.
    """

    path: tuple[int, ...]
    step: str
    seen: str
    identity: str | None
    outcome: Literal["ok", "failed", "cancelled", "refused"] = "ok"


class IdentityChanged(_Entry, tag="identity_changed", frozen=True, kw_only=True):
    """At an await of an operation's task, the engine said it works for another
    user."""

    identity: str
    place: str


class ConnectionOpened(_Entry, tag="connection_opened", frozen=True, kw_only=True):
    """The handshake of a connection was completed, as its client saw it."""

    connection: str


class ConnectionClosed(_Entry, tag="connection_closed", frozen=True, kw_only=True):
    """The client saw its connection end, with this close code."""

    connection: str
    code: int | None


class EventReceived(_Entry, tag="event_received", frozen=True, kw_only=True):
    """A client read one message; `user` is the owner of the connection's token."""

    connection: str
    text: str


class SessionMoved(_Entry, tag="session_moved", frozen=True, kw_only=True):
    """A SQLAlchemy session, numbered from 1, was used by `operation`, or ended."""

    session: int
    move: Literal["began", "used", "committed", "rolled_back", "closed"]


class CancellationDelivered(
    _Entry, tag="cancellation_delivered", frozen=True, kw_only=True
):
    """The task of an operation was cancelled by the world around this step of its
    own."""

    step: int
    early: bool
    place: str


class PhaseStarted(_Entry, tag="phase_started", frozen=True, kw_only=True):
    """The run went on to its next phase."""

    phase: Literal["operations", "cleanup", "teardown", "observed"]


class ResourceAlive(_Entry, tag="resource_alive", frozen=True, kw_only=True):
    """Something was alive that should not be: after cleanup of `user`, or in the
    end."""

    kind: str
    what: str


class GaugeRead(_Entry, tag="gauge_read", frozen=True, kw_only=True):
    """What the engine says it still holds, after cleanup of `user` or in the end."""

    gauge: str
    value: float


class ExceptionUnhandled(_Entry, tag="exception_unhandled", frozen=True, kw_only=True):
    """The loop's exception handler was called."""

    message: str


class ToolRan(_Entry, tag="tool_ran", frozen=True, kw_only=True):
    """The body of a tool looked around; `identity` is for whom it was told to work."""

    tool: str
    argument: str
    identity: str | None
    moment: Literal["began", "went on", "ended"] = "began"


class ObjectShared(_Entry, tag="object_shared", frozen=True, kw_only=True):
    """A mutable object was found in contexts of two users; `what` names both paths."""

    other: int
    what: str


class ThreadStarted(_Entry, tag="thread_started", frozen=True, kw_only=True):
    """A real thread was started, which the world does not schedule, at
    `module:line`."""

    what: str
    place: str


class RowStored(_Entry, tag="row_stored", frozen=True, kw_only=True):
    """The independent observer read this row in the end; `owner` is an identity."""

    owner: str
    thread: str
    key: str
    value: str


Entry: TypeAlias = (
    OperationStarted
    | OperationEnded
    | AgentStepped
    | IdentityChanged
    | ConnectionOpened
    | ConnectionClosed
    | EventReceived
    | SessionMoved
    | CancellationDelivered
    | PhaseStarted
    | ResourceAlive
    | GaugeRead
    | ExceptionUnhandled
    | ToolRan
    | ObjectShared
    | ThreadStarted
    | RowStored
)

EntryT = TypeVar("EntryT", bound=_Entry)


class Wait(msgspec.Struct, frozen=True):
    """Something outside of this kind, as "call" or "database", was asked for, and had
    not answered: between two numbers of turns after a step of a task."""

    step: int
    first: int
    last: int
    kind: str


class Handed(msgspec.Struct, frozen=True):
    """Before a step of a task it waited for another operation, the giver; None: for one
    of the world."""

    step: int
    giver: int | None


class Await(msgspec.Struct, frozen=True):
    """The task of an operation came to an await in the engine, before `entry`."""

    operation: int
    place: str
    entry: int


class Reached(msgspec.Struct, kw_only=True):
    """How much really happened, counted inside the libraries that do the work.

    Runs and tools are counted by the scripted agent itself, events where `websockets`
    hands a message to a client, handshakes where its client completes one, database
    sessions where SQLAlchemy begins a transaction for one. Attacks are operations that
    named what is another user's, or a token of nobody's, and were put to the engine.
    """

    users: int = 0
    runs_completed: int = 0
    tools_run: int = 0
    events_delivered: int = 0
    handshakes: int = 0
    database_sessions: int = 0
    cancellations: int = 0
    cleanups: int = 0
    attacks: int = 0

    def add(self, other: Reached) -> None:
        """Adds the counts of another run to these."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def missing(self, required: Collection[str] | None = None) -> tuple[str, ...]:
        """The names of the counts that stayed zero, of all or of the required ones."""
        wanted = self.__struct_fields__ if required is None else required
        return tuple(
            name
            for name in self.__struct_fields__
            if name in wanted and not getattr(self, name)
        )


class History(msgspec.Struct, frozen=True, kw_only=True):
    """One complete run of one scenario.

    Attributes:
        schedule: the choices that the run really followed, keyed by chain.
        unused: the choices of the scenario whose place never came.
        arrivals: digest of the order in which external completions arrived.
        settled: False when operations or live resources kept the run from its end.
        choices: how often the scheduler had more than one arrival to choose from.
        overlapped: True if operations of two users were under way at once.
        order: the chain of each arrival, in order; none where it is not recorded.
        steps: operation id -> where in the engine its task waited before each of its
            steps, if they were counted.
        handed: operation id -> the steps before which it waited for another operation
            and not for an answer of its own, and for which, if steps were counted.
        waited: operation id -> what was under way while its task waited, if steps were
            counted.
        awaits: the awaits of all operations, in order, if steps were counted.
        limits: the limits that the engine declares.
        event_names: what the engine's events name, None if it does not say.
        varying: patterns of what may differ from a run of a user alone.
    """

    scenario: Scenario
    entries: tuple[Entry, ...]
    reached: Reached
    schedule: Schedule
    unused: tuple[str, ...]
    arrivals: str
    settled: bool
    choices: int
    overlapped: bool
    order: tuple[str, ...] = ()
    steps: dict[int, tuple[str, ...]] = {}
    handed: dict[int, tuple[Handed, ...]] = {}
    waited: dict[int, tuple[Wait, ...]] = {}
    awaits: tuple[Await, ...] = ()
    limits: dict[str, int] = {}
    event_names: EventNames | None = None
    varying: tuple[str, ...] = ()

    def of(self, kind: type[EntryT]) -> Iterator[EntryT]:
        """Yields the entries of one kind, in order."""
        return (entry for entry in self.entries if isinstance(entry, kind))

    def digest(self) -> str:
        """A digest of all that was observed; equal digests are equal runs."""
        return sha256(msgspec.json.encode(self.entries)).hexdigest()

    def label(self, user: int | None) -> str:
        """The label of a user, or "world"."""
        return "world" if user is None else self.scenario.users[user].label

    def operations(self) -> dict[int, Operation]:
        """Operation id -> operation."""
        return {operation.id: operation for operation in self.scenario.operations}

    def user_operations(self) -> dict[int, UserOperation]:
        """Operation id -> operation, of users only."""
        return {
            operation.id: operation
            for operation in self.scenario.operations
            if not isinstance(operation, AdvanceTime | CollectGarbage | Shutdown)
        }


_DEEPEST = 12


def text_of(value: Any, depth: int = 0) -> str:
    """All text inside a value, without addresses, so that equal runs give equal text.

    Goes through containers, dataclasses, structs and exceptions (arguments, notes,
    cause or else context), 12 levels deep; of any other object only the name of its
    type is kept. What UTF-8 cannot encode is escaped.
    """
    if value is None or isinstance(value, str | int | float | bool):
        return _encodable(str(value))
    if depth >= _DEEPEST:
        return "..."
    return " ".join(text_of(part, depth + 1) for part in _parts(value))


def _encodable(text: str) -> str:
    if text.isascii():
        return text
    return text.encode(errors="backslashreplace").decode()


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, bytes):
        yield value.decode(errors="replace")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield item
    elif isinstance(value, list | tuple):
        yield from value
    elif isinstance(value, set | frozenset):
        yield from sorted(text_of(item) for item in value)
    elif isinstance(value, BaseException):
        yield from _parts_of_exception(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield field.name
            yield getattr(value, field.name)
    elif isinstance(value, msgspec.Struct):
        yield from (getattr(value, name) for name in value.__struct_fields__)
    else:
        yield type(value).__name__


def _parts_of_exception(error: BaseException) -> Iterator[Any]:
    yield type(error).__name__
    # The second argument of a group is its members, which come below.
    yield error.args[:1] if isinstance(error, BaseExceptionGroup) else error.args
    yield getattr(error, "__notes__", ())
    if isinstance(error, BaseExceptionGroup):
        yield error.exceptions
    # One of the two, as both often lead to the same error: twelve levels of a diamond
    # would be thousands of visits.
    yield error.__cause__ or error.__context__ or ()
