"""The requests of users, the operations of the world, and cancellations."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from isolation_spec.model.scenario.fields import (
    LARGEST,
    ConnectionName,
    ContextName,
    Data,
    Id,
    Key,
    Seconds,
    UserIndex,
    Value,
    Victim,
)
from isolation_spec.model.scenario.script import Script, Step

__all__ = [
    "AdvanceTime",
    "CancelRun",
    "Cancellation",
    "CleanupEngine",
    "CleanupUser",
    "CollectGarbage",
    "Connect",
    "Disconnect",
    "Erase",
    "Mutate",
    "OpenContext",
    "Operation",
    "Read",
    "Reconnect",
    "RunAgent",
    "Shutdown",
    "UserOperation",
    "WorldOperation",
    "Write",
    "names_victim",
]


class Cancellation(Data, frozen=True, kw_only=True):
    """The task of an operation is cancelled at one of its steps, counted from 1.

    Before the step, the awaited result is there but not yet used. After the step, the
    next await is still pending; with `turns`, the cancellation comes that many turns of
    the loop later, when other tasks and the awaited work have gone on.

    Attributes:
        step: the number of the step.
        after_step: whether just after the step, rather than just before it; `early` in
            JSON.
        turns: turns of the loop between the step and the cancellation; only with
            `after_step`.
    """

    step: Annotated[
        int, Meta(ge=1, le=LARGEST, description="Which step, counted from 1.")
    ]
    after_step: Annotated[
        bool, Meta(description="Whether just after that step, not just before it.")
    ] = msgspec.field(default=False, name="early")
    turns: Annotated[
        int,
        Meta(
            ge=0,
            le=LARGEST,
            description="How many turns of the loop after the step it comes.",
        ),
    ] = 0


class _Operation(Data, frozen=True, kw_only=True, tag_field="operation"):
    """One operation of a scenario; `id` is unique in it and survives shrinking.

    Every operation answers the questions below; a kind that has a field of the same
    name answers with the field.
    """

    id: Id

    @property
    def is_world(self) -> bool:
        """Whether the world performs it, not a user."""
        return True

    @property
    def user(self) -> int | None:
        """The index of the user who performs it; None for the world."""
        return None

    @property
    def victim(self) -> int | None:
        """The index of the other user whose connection, context or run it names."""
        return None

    @property
    def owner(self) -> int | None:
        """The index of the user whose connection, context or run it names."""
        return self.user if self.victim is None else self.victim

    @property
    def cancel(self) -> Cancellation | None:
        """Where its task is cancelled; None for no cancellation."""
        return None

    @property
    def context(self) -> str | None:
        """The owner's name of the context that it opens or uses."""
        return None

    @property
    def thread(self) -> str | None:
        """The conversation for which it opens a context."""
        return None

    @property
    def script(self) -> tuple[Step, ...]:
        """The steps of the agent that it runs."""
        return ()

    @property
    def background(self) -> bool:
        """Whether its user's next operation starts before its end."""
        return False

    @property
    def forged(self) -> bool:
        """Whether its client presents a token of no user."""
        return False

    @property
    def unread(self) -> bool:
        """Whether its client reads nothing before the operations are over."""
        return False

    @property
    def stalled(self) -> bool:
        """Whether nothing arrives from outside during it."""
        return False

    @property
    def seconds(self) -> float:
        """The virtual seconds that it lets pass."""
        return 0.0


class _UserOperation(_Operation, frozen=True, kw_only=True):
    """One request of one user, performed in a task of its own."""

    user: UserIndex
    cancel: Annotated[
        Cancellation | None, Meta(description="The cancellation of its task, if any.")
    ] = None

    @property
    def is_world(self) -> bool:
        """False: a user performs it."""
        return False


class Connect(_UserOperation, tag="connect", frozen=True, kw_only=True):
    """The user opens a connection by a real handshake and reads its events.

    With a `victim`, the client presents the user's own token and claims to be that
    user. If `forged`, it presents a token of no user. If `unread`, it reads nothing
    before the operations are over, and the engine soon has no room for more.
    """

    connection: ConnectionName
    victim: Victim = None
    forged: Annotated[
        bool, Meta(description="Whether the token belongs to no user.")
    ] = False
    unread: Annotated[bool, Meta(description="Whether the client reads nothing.")] = (
        False
    )


class Disconnect(_UserOperation, tag="disconnect", frozen=True, kw_only=True):
    """The user closes a connection, or drops it without a closing handshake."""

    connection: ConnectionName
    abrupt: Annotated[
        bool, Meta(description="Whether without a closing handshake.")
    ] = False


class Reconnect(_UserOperation, tag="reconnect", frozen=True, kw_only=True):
    """The user opens a connection beside an older one, then closes the older one."""

    connection: ConnectionName
    replaces: Annotated[
        str, Meta(description="The connection that is closed afterwards.")
    ]


class OpenContext(_UserOperation, tag="open_context", frozen=True, kw_only=True):
    """The user opens a context of their own on a thread."""

    context: ContextName
    thread: Annotated[
        str, Meta(description="The conversation for which the context is opened.")
    ]


class RunAgent(_UserOperation, tag="run_agent", frozen=True, kw_only=True):
    """The user runs a scripted agent; in the background, the next operation goes ahead.

    With a `victim`, the context is that user's, and the request still the user's own.
    """

    context: ContextName
    script: Script
    background: Annotated[
        bool, Meta(description="Whether the next operation need not wait.")
    ] = False
    victim: Victim = None


class CancelRun(_UserOperation, tag="cancel_run", frozen=True, kw_only=True):
    """The user cancels a run, named by its operation's id.

    With a `victim`, the run is that user's.
    """

    run: Annotated[
        int,
        Meta(
            ge=0,
            le=LARGEST,
            description="The id of the operation that runs the agent.",
        ),
    ]
    victim: Victim = None


class Read(_UserOperation, tag="read", frozen=True, kw_only=True):
    """The user reads everything that the engine's read interfaces show them.

    With a `victim`, here and below, the context that is named is that user's.
    """

    context: ContextName
    victim: Victim = None


class Write(_UserOperation, tag="write", frozen=True, kw_only=True):
    """The user stores one durable value, outside any run."""

    context: ContextName
    key: Key
    value: Value
    victim: Victim = None


class Mutate(_UserOperation, tag="mutate", frozen=True, kw_only=True):
    """The user reads, writes a value into every object handed out and in, and reads
    again."""

    context: ContextName
    value: Annotated[
        str, Meta(description="The value that is written into everything; a canary.")
    ]
    victim: Victim = None


class Erase(_UserOperation, tag="erase", frozen=True, kw_only=True):
    """The user erases everything stored for their thread."""

    context: ContextName
    victim: Victim = None


class CleanupEngine(_UserOperation, tag="cleanup_engine", frozen=True, kw_only=True):
    """The user's one context is cleaned up."""

    context: ContextName
    victim: Victim = None


class CleanupUser(_UserOperation, tag="cleanup_user", frozen=True, kw_only=True):
    """Everything of the user is cleaned up."""


class AdvanceTime(_Operation, tag="advance_time", frozen=True, kw_only=True):
    """Virtual seconds pass; if `stalled`, nothing arrives from outside meanwhile."""

    seconds: Seconds
    stalled: Annotated[bool, Meta(description="Whether nothing arrives meanwhile.")] = (
        False
    )


class CollectGarbage(_Operation, tag="collect_garbage", frozen=True, kw_only=True):
    """Unreachable objects are collected."""


class Shutdown(_Operation, tag="shutdown", frozen=True, kw_only=True):
    """The engine is shut down under its users."""


UserOperation: TypeAlias = (
    Connect
    | Disconnect
    | Reconnect
    | OpenContext
    | RunAgent
    | CancelRun
    | Read
    | Write
    | Mutate
    | Erase
    | CleanupEngine
    | CleanupUser
)
WorldOperation: TypeAlias = AdvanceTime | CollectGarbage | Shutdown
Operation: TypeAlias = UserOperation | WorldOperation


def names_victim(operation: Operation) -> bool:
    """Whether it names a run or a context of another user."""
    return operation.victim is not None and not isinstance(operation, Connect)
