"""What is run: users, their operations, and the choices of the scheduler.

A scenario is pure data and small enough to read aloud. Operations stand in one list, in
the order in which they were written down; the operations of one user happen in that
order, and how those of different users interleave is decided by the schedule alone.
Choices hang on what they concern, never on a global step counter: a scheduling class
and a demotion name a *chain* (the stream of arrivals that one operation causes), and a
cancellation stands on its operation, so deleting an operation deletes its choices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2s
from typing import Any, Literal, TypeAlias

import msgspec

__all__ = [
    "CANARY",
    "AdvanceTime",
    "CallTool",
    "CancelRun",
    "Cancellation",
    "CleanupEngine",
    "CleanupUser",
    "CollectGarbage",
    "Connect",
    "Demotion",
    "Disconnect",
    "Emit",
    "Erase",
    "Fail",
    "Mutate",
    "OpenContext",
    "Operation",
    "Read",
    "ReadState",
    "Recall",
    "Reconnect",
    "Remember",
    "Return",
    "RunAgent",
    "Scenario",
    "Schedule",
    "Shutdown",
    "Sleep",
    "Spawn",
    "Step",
    "Think",
    "Transact",
    "User",
    "Write",
    "WriteState",
    "canaries_in",
    "canary",
    "names_victim",
    "owned_canaries",
    "tools",
    "walk",
]

CANARY = re.compile(r"([a-z]+[0-9]*)~(\d+)\.(\d+)~([0-9a-f]{8})")
"""Matches one canary; its groups are owner, operation, ordinal and digest."""

tools = ("echo", "slow", "whoami", "failing", "forbidden", "unknown")
"""What a script may call: allowed, allowed and slow, answering for whom it works,
raising, denied, not registered."""


def canary(owner: str, operation: int, ordinal: int) -> str:
    """A synthetic value that proves by itself to which user it belongs.

    The digest makes it improbable that an engine produces one by chance; it is derived,
    not drawn, so it costs the search nothing and survives shrinking unchanged.
    """
    place = f"{owner}~{operation}.{ordinal}"
    return f"{place}~{blake2s(place.encode(), digest_size=4).hexdigest()}"


def canaries_in(text: str) -> Iterator[tuple[str, str]]:
    """Yields (owner, canary) for each genuine canary in the text."""
    for match in CANARY.finditer(text):
        owner, operation, ordinal, _ = match.groups()
        if max(len(operation), len(ordinal)) > _DIGITS:
            continue
        if canary(owner, int(operation), int(ordinal)) == match.group():
            yield owner, match.group()


_DIGITS = 18
"""Of a number in a canary; Python refuses to read very long ones."""


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Common form of everything inside a scenario."""


class _Step(_Data, frozen=True, kw_only=True, tag_field="step"):
    """One step of a script."""


# What an agent does, step by step.


class Think(_Step, tag="think", frozen=True, kw_only=True):
    """The agent prompts its model; a scheduled completion answers."""

    prompt: str


class CallTool(_Step, tag="call_tool", frozen=True, kw_only=True):
    """The agent calls one of `tools` with one argument."""

    tool: str
    argument: str


class WriteState(_Step, tag="write_state", frozen=True, kw_only=True):
    """The agent stores a value in the state of its run."""

    key: str
    value: str


class ReadState(_Step, tag="read_state", frozen=True, kw_only=True):
    """The agent reads the whole state of its run."""


class Remember(_Step, tag="remember", frozen=True, kw_only=True):
    """The agent stores a value durably under its user and thread."""

    key: str
    value: str


class Recall(_Step, tag="recall", frozen=True, kw_only=True):
    """The agent reads a durable value of its user and thread."""

    key: str


class Transact(_Step, tag="transact", frozen=True, kw_only=True):
    """The agent writes all items in one database session, then perhaps raises in it."""

    items: tuple[tuple[str, str], ...]
    fails: bool = False


class Emit(_Step, tag="emit", frozen=True, kw_only=True):
    """The agent tells its user something of its own."""

    payload: str


class Spawn(_Step, tag="spawn", frozen=True, kw_only=True):
    """The agent runs a child agent and waits for it."""

    script: tuple[Step, ...]


class Sleep(_Step, tag="sleep", frozen=True, kw_only=True):
    """The agent waits, in virtual seconds."""

    seconds: float


class Fail(_Step, tag="fail", frozen=True, kw_only=True):
    """The agent raises."""

    message: str


class Return(_Step, tag="return", frozen=True, kw_only=True):
    """The agent returns a value at once."""

    value: str


Step: TypeAlias = (
    Think
    | CallTool
    | WriteState
    | ReadState
    | Remember
    | Recall
    | Transact
    | Emit
    | Spawn
    | Sleep
    | Fail
    | Return
)


class Cancellation(_Data, frozen=True, kw_only=True):
    """The task of an operation is cancelled around its `step`-th step, counted from 1.

    Late: just before that step, when what it awaited has completed already. Early: just
    after that step, while what it awaits next is still under way.
    """

    step: int
    early: bool = False


class _Operation(_Data, frozen=True, kw_only=True, tag_field="operation"):
    """One entry of a scenario; `id` is unique in it and survives shrinking."""

    id: int


class _UserOperation(_Operation, frozen=True, kw_only=True):
    """One request of one user, performed in a task of its own."""

    user: int
    cancel: Cancellation | None = None


class Connect(_UserOperation, tag="connect", frozen=True, kw_only=True):
    """The user opens a connection by a real handshake and reads its events.

    With a `victim`, the client presents the user's own token and claims to be that
    user; `forged`, it presents a token that nobody has.
    """

    connection: str
    victim: int | None = None
    forged: bool = False


class Disconnect(_UserOperation, tag="disconnect", frozen=True, kw_only=True):
    """The user closes a connection, or drops it without a closing handshake."""

    connection: str
    abrupt: bool = False


class Reconnect(_UserOperation, tag="reconnect", frozen=True, kw_only=True):
    """The user opens a connection while an older one is still there, then closes
    that."""

    connection: str
    replaces: str


class OpenContext(_UserOperation, tag="open_context", frozen=True, kw_only=True):
    """The user asks the engine for a context of their own on a thread."""

    context: str
    thread: str


class RunAgent(_UserOperation, tag="run_agent", frozen=True, kw_only=True):
    """The user runs a scripted agent; in the background, the next operation goes ahead.

    With a `victim`, the context is that user's, and the request still the user's own.
    """

    context: str
    script: tuple[Step, ...]
    background: bool = False
    victim: int | None = None


class CancelRun(_UserOperation, tag="cancel_run", frozen=True, kw_only=True):
    """The user asks the engine to cancel a run, named by its operation's id.

    With a `victim`, the run is that user's.
    """

    run: int
    victim: int | None = None


class Read(_UserOperation, tag="read", frozen=True, kw_only=True):
    """The user reads everything that the engine's read interfaces show them.

    With a `victim`, here and below, the context that is named is that user's.
    """

    context: str
    victim: int | None = None


class Write(_UserOperation, tag="write", frozen=True, kw_only=True):
    """The user stores one durable value, outside any run."""

    context: str
    key: str
    value: str
    victim: int | None = None


class Mutate(_UserOperation, tag="mutate", frozen=True, kw_only=True):
    """The user reads, writes a value into all that was handed out and in, reads
    again."""

    context: str
    value: str
    victim: int | None = None


class Erase(_UserOperation, tag="erase", frozen=True, kw_only=True):
    """The user erases all that is stored for their thread."""

    context: str
    victim: int | None = None


class CleanupEngine(_UserOperation, tag="cleanup_engine", frozen=True, kw_only=True):
    """The user's one context is cleaned up."""

    context: str
    victim: int | None = None


class CleanupUser(_UserOperation, tag="cleanup_user", frozen=True, kw_only=True):
    """Everything of the user is cleaned up."""


class AdvanceTime(_Operation, tag="advance_time", frozen=True, kw_only=True):
    """Virtual seconds pass; stalled, nothing arrives from outside meanwhile."""

    seconds: float
    stalled: bool = False


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


class User(_Data, frozen=True, kw_only=True):
    """A user: the label that canaries carry, and the identity told to the engine."""

    label: str
    id: str


class Demotion(_Data, frozen=True, kw_only=True):
    """A chain falls to a rank behind every class once it has had so many arrivals."""

    chain: str
    consumed: int
    rank: int


class Schedule(_Data, frozen=True, kw_only=True):
    """The choices of the scheduler; empty means what plain asyncio does.

    A chain is named `operation/kind`, or `operation/kind/ordinal` for the second and
    later streams of a kind. Classes: 0 is first. `burst`: so many arrivals may come in
    before the ready callbacks run. `split`: adjacent data arrives piece by piece.
    """

    classes: dict[str, int] = {}
    demotions: tuple[Demotion, ...] = ()
    burst: int = 0
    split: bool = False


class Scenario(_Data, frozen=True, kw_only=True):
    """Users, their operations, and a schedule."""

    users: tuple[User, ...]
    operations: tuple[Operation, ...]
    schedule: Schedule = Schedule()
    version: Literal[1] = 1

    def problems(self) -> Iterator[str]:
        """Yields every rule of a well-formed scenario that this one breaks."""
        labels = [user.label for user in self.users]
        ids = [operation.id for operation in self.operations]
        if len(set(labels)) != len(labels):
            yield "user labels must differ"
        if len({user.id for user in self.users}) != len(labels):
            yield "user ids must differ"
        if len(set(ids)) != len(ids):
            yield "operation ids must be unique"
        for operation in self.operations:
            for user in (
                getattr(operation, "user", None),
                getattr(operation, "victim", None),
            ):
                if user is not None and not 0 <= user < len(labels):
                    yield f"operation {operation.id} names user {user} of {len(labels)}"

    def to_json(self) -> bytes:
        """The scenario as JSON; `from_json` gives an equal one back."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes | str) -> Scenario:
        """A scenario from its JSON.

        Raises:
            ValueError: the JSON has not the form of a scenario; the text names the
            place.
        """
        return cls.from_data(msgspec.json.decode(data))

    @classmethod
    def from_data(cls, data: Any) -> Scenario:
        """A scenario from decoded JSON; raises ValueError as `from_json` does."""
        scenario = msgspec.convert(data, cls)
        for problem in scenario.problems():
            raise ValueError(f"not a scenario: {problem}")
        return scenario


def names_victim(operation: Operation) -> bool:
    """True if it names a run or a context that is another user's."""
    named = getattr(operation, "victim", None) is not None
    return named and not isinstance(operation, Connect)


def walk(
    script: tuple[Step, ...], path: tuple[int, ...] = ()
) -> Iterator[tuple[tuple[int, ...], Step]]:
    """Yields (path, step) for each step of a script and of the scripts it spawns."""
    for index, step in enumerate(script):
        yield (*path, index), step
        if isinstance(step, Spawn):
            yield from walk(step.script, (*path, index))


def owned_canaries(scenario: Scenario) -> dict[str, str]:
    """Every canary that stands in the scenario -> the label of the user who wrote
    it."""
    owners: dict[str, str] = {}
    for operation in scenario.operations:
        if isinstance(operation, _UserOperation):
            label = scenario.users[operation.user].label
            for _, value in canaries_in(str(operation)):
                owners.setdefault(value, label)
    return owners
