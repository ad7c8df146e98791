"""The scripts of agents, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, TypeAlias

from msgspec import Meta

from isolation_spec.model.scenario.fields import Data, Key, Seconds, User, Value

__all__ = [
    "SLOW",
    "CallTool",
    "Emit",
    "Fail",
    "ReadState",
    "Recall",
    "Remember",
    "Return",
    "Script",
    "Sleep",
    "Spawn",
    "Step",
    "Think",
    "Transact",
    "WriteState",
    "permitted",
    "tools",
    "walk",
]

tools = ("echo", "slow", "whoami", "failing", "forbidden", "personal", "unknown")
"""The tools of scripts: allowed, allowed and slow, answering with its user, raising,
denied, permitted to some users, not registered."""


SLOW = 4.0
"""Virtual seconds of a slow answer: more than a user may wait for another user's, and
less than an engine gets to come to rest."""


def permitted(tool: str, user: User) -> bool:
    """Whether the user may call the tool; the personal one by the user's label."""
    if tool == "personal":
        return ord(user.label[0]) % 2 == 1
    return tool != "forbidden"


class _Step(Data, frozen=True, kw_only=True, tag_field="step"):
    """One step of a script."""


class Think(_Step, tag="think", frozen=True, kw_only=True):
    """The agent prompts its model; a scheduled completion answers, or a slow one."""

    prompt: Annotated[str, Meta(description="The prompt of the model.")]
    seconds: Annotated[
        float,
        Meta(ge=0, le=1_000_000, description="Virtual seconds that the answer takes."),
    ] = 0.0


class CallTool(_Step, tag="call_tool", frozen=True, kw_only=True):
    """The agent calls one of `tools` with one argument."""

    tool: Annotated[str, Meta(description="The name of the tool.")]
    argument: Annotated[str, Meta(description="The argument of the tool; a canary.")]


class WriteState(_Step, tag="write_state", frozen=True, kw_only=True):
    """The agent stores a value in the state of its run."""

    key: Key
    value: Value


class ReadState(_Step, tag="read_state", frozen=True, kw_only=True):
    """The agent reads the whole state of its run."""


class Remember(_Step, tag="remember", frozen=True, kw_only=True):
    """The agent stores a value durably under its user and thread.

    A broken value ends in half a character, which no database and no wire can encode.
    """

    key: Key
    value: Value
    broken: Annotated[bool, Meta(description="Whether nothing encodes it.")] = False


class Recall(_Step, tag="recall", frozen=True, kw_only=True):
    """The agent reads a durable value of its user and thread."""

    key: Key


class Transact(_Step, tag="transact", frozen=True, kw_only=True):
    """The agent writes all items in one database session, then perhaps raises in it."""

    items: Annotated[
        tuple[tuple[str, str], ...], Meta(description="Keys and values, in order.")
    ]
    fails: Annotated[
        bool, Meta(description="Whether the agent then raises in the session.")
    ] = False


class Emit(_Step, tag="emit", frozen=True, kw_only=True):
    """The agent sends its user an event of its own; 40,000 characters if `large`."""

    payload: Annotated[str, Meta(description="The payload of the event; a canary.")]
    large: Annotated[bool, Meta(description="Whether 40,000 characters more.")] = False


class Spawn(_Step, tag="spawn", frozen=True, kw_only=True):
    """The agent runs a child agent and waits for it."""

    script: Script


class Sleep(_Step, tag="sleep", frozen=True, kw_only=True):
    """The agent waits, in virtual seconds."""

    seconds: Seconds


class Fail(_Step, tag="fail", frozen=True, kw_only=True):
    """The agent raises."""

    message: Annotated[str, Meta(description="The text of the exception.")]


class Return(_Step, tag="return", frozen=True, kw_only=True):
    """The agent returns a value at once."""

    value: Annotated[str, Meta(description="The result of the run; a canary.")]


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
Script: TypeAlias = Annotated[
    tuple[Step, ...], Meta(description="The steps of the agent, in order.")
]


def walk(
    script: tuple[Step, ...], path: tuple[int, ...] = ()
) -> Iterator[tuple[tuple[int, ...], Step]]:
    """Yields (path, step) for each step of a script and of the scripts it spawns."""
    for index, step in enumerate(script):
        yield (*path, index), step
        if isinstance(step, Spawn):
            yield from walk(step.script, (*path, index))
