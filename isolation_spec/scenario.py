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
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

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
    "Moment",
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
    "aims",
    "canaries_in",
    "canary",
    "metadata_canary",
    "names_victim",
    "owned_canaries",
    "permitted",
    "tools",
    "walk",
]

CANARY = re.compile(r"([a-z]+[0-9]*)~(\d+)\.(\d+)~([0-9a-f]{8})")
"""Matches one canary; its groups are owner, operation, ordinal and digest."""

tools = ("echo", "slow", "whoami", "failing", "forbidden", "personal", "unknown")
"""What a script may call: allowed, allowed and slow, answering for whom it works,
raising, denied, permitted to some users, not registered."""


def permitted(tool: str, user: User) -> bool:
    """Whether the user may call the tool; the personal one by the user's label."""
    if tool == "personal":
        return ord(user.label[0]) % 2 == 1
    return tool != "forbidden"


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


# What fields mean and how large they may be, for files and for the schema of a file; a
# constructor checks nothing.

MOST_USERS = 64
MOST_OPERATIONS = 10_000
_LARGEST = 2**31 - 1

_Id: TypeAlias = Annotated[
    int,
    Meta(ge=0, le=_LARGEST, description="Unique in the scenario; kept by shrinking."),
]
_User: TypeAlias = Annotated[
    int,
    Meta(ge=0, lt=MOST_USERS, description="Who asks: an index into the users."),
]
_Victim: TypeAlias = Annotated[
    Annotated[int, Meta(ge=0, lt=MOST_USERS)] | None,
    Meta(description="Whose it is that is named, if another user's: an index."),
]
_Connection: TypeAlias = Annotated[
    str, Meta(description="What the user calls the connection.")
]
_Context: TypeAlias = Annotated[
    str, Meta(description="What its owner calls the context.")
]
_Key: TypeAlias = Annotated[str, Meta(description="Under which it is stored.")]
_Value: TypeAlias = Annotated[str, Meta(description="What is stored; a canary.")]
_Seconds: TypeAlias = Annotated[
    float, Meta(ge=0, le=1_000_000, description="Virtual seconds.")
]
_Script: TypeAlias = Annotated[
    "tuple[Step, ...]", Meta(description="What the agent does, step by step.")
]


class _Step(_Data, frozen=True, kw_only=True, tag_field="step"):
    """One step of a script."""


# What an agent does, step by step.


class Think(_Step, tag="think", frozen=True, kw_only=True):
    """The agent prompts its model; a scheduled completion answers."""

    prompt: Annotated[str, Meta(description="What the model is asked.")]


class CallTool(_Step, tag="call_tool", frozen=True, kw_only=True):
    """The agent calls one of `tools` with one argument."""

    tool: Annotated[str, Meta(description="The name of the tool.")]
    argument: Annotated[str, Meta(description="What the tool is given; a canary.")]


class WriteState(_Step, tag="write_state", frozen=True, kw_only=True):
    """The agent stores a value in the state of its run."""

    key: _Key
    value: _Value


class ReadState(_Step, tag="read_state", frozen=True, kw_only=True):
    """The agent reads the whole state of its run."""


class Remember(_Step, tag="remember", frozen=True, kw_only=True):
    """The agent stores a value durably under its user and thread.

    A broken value ends in half a character, which no database and no wire can encode.
    """

    key: _Key
    value: _Value
    broken: Annotated[bool, Meta(description="Whether nothing encodes it.")] = False


class Recall(_Step, tag="recall", frozen=True, kw_only=True):
    """The agent reads a durable value of its user and thread."""

    key: _Key


class Transact(_Step, tag="transact", frozen=True, kw_only=True):
    """The agent writes all items in one database session, then perhaps raises in it."""

    items: Annotated[
        tuple[tuple[str, str], ...], Meta(description="Keys and values, in order.")
    ]
    fails: Annotated[
        bool, Meta(description="Whether the agent then raises in the session.")
    ] = False


class Emit(_Step, tag="emit", frozen=True, kw_only=True):
    """The agent tells its user something of its own; large, with 40,000 characters."""

    payload: Annotated[str, Meta(description="What the user is told; a canary.")]
    large: Annotated[bool, Meta(description="Whether 40,000 characters more.")] = False


class Spawn(_Step, tag="spawn", frozen=True, kw_only=True):
    """The agent runs a child agent and waits for it."""

    script: _Script


class Sleep(_Step, tag="sleep", frozen=True, kw_only=True):
    """The agent waits, in virtual seconds."""

    seconds: _Seconds


class Fail(_Step, tag="fail", frozen=True, kw_only=True):
    """The agent raises."""

    message: Annotated[str, Meta(description="The text of what is raised.")]


class Return(_Step, tag="return", frozen=True, kw_only=True):
    """The agent returns a value at once."""

    value: Annotated[str, Meta(description="What the run returns; a canary.")]


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

    step: Annotated[
        int, Meta(ge=1, le=_LARGEST, description="Which step, counted from 1.")
    ]
    early: Annotated[
        bool, Meta(description="Whether just after that step, not just before it.")
    ] = False


class _Operation(_Data, frozen=True, kw_only=True, tag_field="operation"):
    """One entry of a scenario; `id` is unique in it and survives shrinking."""

    id: _Id


class _UserOperation(_Operation, frozen=True, kw_only=True):
    """One request of one user, performed in a task of its own."""

    user: _User
    cancel: Annotated[
        Cancellation | None, Meta(description="Where its task is cancelled, if it is.")
    ] = None


class Connect(_UserOperation, tag="connect", frozen=True, kw_only=True):
    """The user opens a connection by a real handshake and reads its events.

    With a `victim`, the client presents the user's own token and claims to be that
    user; `forged`, it presents a token that nobody has. `unread`, nothing that is sent
    to it arrives before the operations are over, and soon there is no room for more.
    """

    connection: _Connection
    victim: _Victim = None
    forged: Annotated[bool, Meta(description="Whether the token is nobody's.")] = False
    unread: Annotated[bool, Meta(description="Whether the client reads nothing.")] = (
        False
    )


class Disconnect(_UserOperation, tag="disconnect", frozen=True, kw_only=True):
    """The user closes a connection, or drops it without a closing handshake."""

    connection: _Connection
    abrupt: Annotated[
        bool, Meta(description="Whether without a closing handshake.")
    ] = False


class Reconnect(_UserOperation, tag="reconnect", frozen=True, kw_only=True):
    """The user opens a connection while an older one is still there, then closes
    that."""

    connection: _Connection
    replaces: Annotated[
        str, Meta(description="The connection that is closed afterwards.")
    ]


class OpenContext(_UserOperation, tag="open_context", frozen=True, kw_only=True):
    """The user asks the engine for a context of their own on a thread."""

    context: _Context
    thread: Annotated[
        str, Meta(description="The conversation for which the context is opened.")
    ]


class RunAgent(_UserOperation, tag="run_agent", frozen=True, kw_only=True):
    """The user runs a scripted agent; in the background, the next operation goes ahead.

    With a `victim`, the context is that user's, and the request still the user's own.
    """

    context: _Context
    script: _Script
    background: Annotated[
        bool, Meta(description="Whether the next operation need not wait.")
    ] = False
    victim: _Victim = None


class CancelRun(_UserOperation, tag="cancel_run", frozen=True, kw_only=True):
    """The user asks the engine to cancel a run, named by its operation's id.

    With a `victim`, the run is that user's.
    """

    run: Annotated[
        int,
        Meta(
            ge=0,
            le=_LARGEST,
            description="The id of the operation that runs the agent.",
        ),
    ]
    victim: _Victim = None


class Read(_UserOperation, tag="read", frozen=True, kw_only=True):
    """The user reads everything that the engine's read interfaces show them.

    With a `victim`, here and below, the context that is named is that user's.
    """

    context: _Context
    victim: _Victim = None


class Write(_UserOperation, tag="write", frozen=True, kw_only=True):
    """The user stores one durable value, outside any run."""

    context: _Context
    key: _Key
    value: _Value
    victim: _Victim = None


class Mutate(_UserOperation, tag="mutate", frozen=True, kw_only=True):
    """The user reads, writes a value into all that was handed out and in, reads
    again."""

    context: _Context
    value: Annotated[
        str, Meta(description="What is written into everything; a canary.")
    ]
    victim: _Victim = None


class Erase(_UserOperation, tag="erase", frozen=True, kw_only=True):
    """The user erases all that is stored for their thread."""

    context: _Context
    victim: _Victim = None


class CleanupEngine(_UserOperation, tag="cleanup_engine", frozen=True, kw_only=True):
    """The user's one context is cleaned up."""

    context: _Context
    victim: _Victim = None


class CleanupUser(_UserOperation, tag="cleanup_user", frozen=True, kw_only=True):
    """Everything of the user is cleaned up."""


class AdvanceTime(_Operation, tag="advance_time", frozen=True, kw_only=True):
    """Virtual seconds pass; stalled, nothing arrives from outside meanwhile."""

    seconds: _Seconds
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


class User(_Data, frozen=True, kw_only=True):
    """A user: the label that canaries carry, and the identity told to the engine."""

    label: Annotated[str, Meta(description="The name in stories and canaries.")]
    id: Annotated[str, Meta(description="The identity told to the engine.")]


class Demotion(_Data, frozen=True, kw_only=True):
    """A chain falls to a rank behind every class once it has had so many arrivals."""

    chain: Annotated[str, Meta(description="The chain that falls.")]
    consumed: Annotated[
        int, Meta(ge=0, le=_LARGEST, description="After so many of its arrivals.")
    ]
    rank: Annotated[
        int,
        Meta(
            ge=0,
            le=_LARGEST,
            description="How far behind every class; 0 is the first place there.",
        ),
    ]


class Schedule(_Data, frozen=True, kw_only=True):
    """The choices of the scheduler; empty means what plain asyncio does.

    A chain is named `operation/kind`, or `operation/kind/ordinal` for the second and
    later streams of a kind. Classes: 0 is first. `burst`: so many arrivals may come in
    before the ready callbacks run. `split`: adjacent data arrives piece by piece.
    """

    classes: Annotated[
        dict[str, Annotated[int, Meta(ge=0, le=_LARGEST)]],
        Meta(description="Chain to class; a chain not named has class 0."),
    ] = {}
    demotions: Annotated[
        tuple[Demotion, ...], Meta(description="Which chains fall behind, and when.")
    ] = ()
    burst: Annotated[
        int,
        Meta(ge=0, le=_LARGEST, description="How many arrivals may come in at once."),
    ] = 0
    split: Annotated[
        bool, Meta(description="Whether adjacent data arrives piece by piece.")
    ] = False


class Scenario(_Data, frozen=True, kw_only=True):
    """Users, their operations, and a schedule."""

    users: Annotated[
        tuple[User, ...],
        Meta(
            max_length=MOST_USERS,
            description="Who takes part; operations name them by index.",
        ),
    ]
    operations: Annotated[
        tuple[Operation, ...],
        Meta(
            max_length=MOST_OPERATIONS,
            description="What is asked for; of each user in this order.",
        ),
    ]
    schedule: Annotated[
        Schedule, Meta(description="In which order the outside answers.")
    ] = Schedule()
    version: Annotated[Literal[1], Meta(description="The version of this form.")] = 1

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
        owners = {o.id: o.user for o in self.operations if isinstance(o, RunAgent)}
        for cancel in self.operations:
            if isinstance(cancel, CancelRun):
                owner = owners.get(cancel.run, cancel.user)
                if owner not in (cancel.user, cancel.victim):
                    yield (
                        f"operation {cancel.id} cancels run {cancel.run} of user "
                        f"{owner}, who is to be named as its victim"
                    )

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


Moment: TypeAlias = Literal["begun", "ended"]


def aims(scenario: Scenario) -> dict[int, tuple[int, Moment]]:
    """Attack -> the operation that it needs, and the moment of it: a run that has begun
    or the opening of a context that has ended; only what stands before it."""
    found: dict[int, tuple[int, Moment]] = {}
    runs: set[int] = set()
    opened: dict[tuple[int, str], int] = {}
    for operation in scenario.operations:
        victim = getattr(operation, "victim", None)
        if isinstance(operation, OpenContext):
            opened[operation.user, operation.context] = operation.id
        elif isinstance(operation, CancelRun):
            if victim is not None and operation.run in runs:
                found[operation.id] = operation.run, "begun"
        elif victim is not None and not isinstance(operation, Connect):
            aim = opened.get((victim, getattr(operation, "context", "")))
            if aim is not None:
                found[operation.id] = aim, "ended"
        if isinstance(operation, RunAgent):
            runs.add(operation.id)
    return found


def walk(
    script: tuple[Step, ...], path: tuple[int, ...] = ()
) -> Iterator[tuple[tuple[int, ...], Step]]:
    """Yields (path, step) for each step of a script and of the scripts it spawns."""
    for index, step in enumerate(script):
        yield (*path, index), step
        if isinstance(step, Spawn):
            yield from walk(step.script, (*path, index))


def metadata_canary(label: str, operation: OpenContext) -> str:
    """The value in the metadata of the context that the user of this label opens."""
    return canary(label, operation.id, 0)


def owned_canaries(scenario: Scenario) -> dict[str, str]:
    """Every canary that stands in the scenario, or in the metadata of a context that
    it opens -> the label of the user who wrote it."""
    owners: dict[str, str] = {}
    for operation in scenario.operations:
        if isinstance(operation, _UserOperation):
            label = scenario.users[operation.user].label
            for _, value in canaries_in(str(operation)):
                owners.setdefault(value, label)
            if isinstance(operation, OpenContext):
                owners.setdefault(metadata_canary(label, operation), label)
    return owners
