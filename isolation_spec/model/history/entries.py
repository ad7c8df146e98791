"""The entries of a history: one observation each, in the order of observation."""

from __future__ import annotations

from typing import TypeAlias, TypeVar

import msgspec

from isolation_spec.model.history.states import (
    Outcome,
    Phase,
    SessionMove,
    StepOutcome,
    ToolMoment,
)

__all__ = [
    "AgentStepped",
    "CancellationDelivered",
    "ConnectionClosed",
    "ConnectionOpened",
    "Entry",
    "EntryT",
    "EventReceived",
    "ExceptionUnhandled",
    "GaugeRead",
    "IdentityChanged",
    "IdentityKept",
    "LoopBlocked",
    "ObjectShared",
    "OperationEnded",
    "OperationStarted",
    "PathStep",
    "PhaseStarted",
    "ResourceAlive",
    "RowStored",
    "SessionMoved",
    "ThreadStarted",
    "ToolRan",
]


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

    `path` counts into spawned scripts. `identity` is the engine's own notion of the
    current user, None if it has no such notion. `outcome` is the step's:
    refused, if by an exception by which the engine refuses.
    """

    path: tuple[int, ...]
    step: str
    seen: str
    identity: str | None
    outcome: StepOutcome = StepOutcome.OK


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
    move: SessionMove


class CancellationDelivered(
    _Entry, tag="cancellation_delivered", frozen=True, kw_only=True
):
    """The world cancelled the task of an operation at one of its steps.

    Attributes:
        step: the number of the step, counted from 1.
        after_step: whether just after the step, rather than just before it; `early` in
            JSON.
        place: the await site, `module:line`.
    """

    step: int
    after_step: bool = msgspec.field(name="early")
    place: str


class PhaseStarted(_Entry, tag="phase_started", frozen=True, kw_only=True):
    """The run went on to its next phase."""

    phase: Phase


class ResourceAlive(_Entry, tag="resource_alive", frozen=True, kw_only=True):
    """Something was alive that should not be: after cleanup of `user`, or in the
    end."""

    kind: str
    what: str


class IdentityKept(_Entry, tag="identity_kept", frozen=True, kw_only=True):
    """After cleanup of `user`, something that is alive works for this identity, says
    the engine."""

    kind: str
    what: str
    identity: str


class GaugeRead(_Entry, tag="gauge_read", frozen=True, kw_only=True):
    """The engine's own count of its holdings, after cleanup of `user` or at the end of
    the run."""

    gauge: str
    value: float


class ExceptionUnhandled(_Entry, tag="exception_unhandled", frozen=True, kw_only=True):
    """The loop's exception handler was called."""

    message: str


class ToolRan(_Entry, tag="tool_ran", frozen=True, kw_only=True):
    """The body of a tool looked around; `identity` is its user, says the engine."""

    tool: str
    argument: str
    identity: str | None
    moment: ToolMoment = ToolMoment.BEGAN


class PathStep(msgspec.Struct, frozen=True):
    """One step of a path to an object: code, or a key that the engine chose.

    Attributes:
        code: the type of the root, an attribute with its dot, or an index in brackets.
        key: the first 20 characters of a mapping's key; None for code.
    """

    code: str = ""
    key: str | None = None

    def __str__(self) -> str:
        return self.code if self.key is None else f"[{self.key!r}]"


class ObjectShared(_Entry, tag="object_shared", frozen=True, kw_only=True):
    """A mutable object was found in contexts of two users, at these paths."""

    other: int
    path: tuple[PathStep, ...]
    others_path: tuple[PathStep, ...]


class ThreadStarted(_Entry, tag="thread_started", frozen=True, kw_only=True):
    """A real thread was started, which the world does not schedule, at
    `module:line`."""

    what: str
    place: str


class LoopBlocked(_Entry, tag="loop_blocked", frozen=True, kw_only=True):
    """A callback of the operation held the loop in a synchronous wait.

    Attributes:
        call: the function that waits, as `time.sleep`.
        seconds: the length of the wait; None for a wait without an end.
        callback: the number of the callback within the run.
        place: `module:line` of the engine's innermost frame.
        function: the qualified name of that frame's function.
    """

    call: str
    seconds: float | None
    callback: int
    place: str
    function: str


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
    | IdentityKept
    | GaugeRead
    | ExceptionUnhandled
    | ToolRan
    | ObjectShared
    | ThreadStarted
    | LoopBlocked
    | RowStored
)

EntryT = TypeVar("EntryT", bound=_Entry)
