"""Facts about requests: limits, tools, failures and delays."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

from isolation_spec.claims.facts.base import (
    Count,
    Fact,
    Harmed,
    OperationId,
    Owner,
    Place,
    Seconds,
    Shown,
    UserIndex,
)
from isolation_spec.model.history.states import Outcome, ToolMoment
from isolation_spec.model.limits import Scope
from isolation_spec.model.scenario.fields import LARGEST, MOST_USERS

__all__ = [
    "ConnectionCutOff",
    "ContextRefused",
    "DeniedToolRan",
    "LoopHeld",
    "OperationFailed",
    "OperationStalled",
    "RunRefused",
    "RunWaited",
    "TooManyCalls",
    "TooManyContexts",
    "TooManyRuns",
    "TooManyStarts",
    "ToolCallRaised",
    "ToolInForeignContext",
    "ToolRanTwice",
    "WrongToolAnswer",
]

_Limit: TypeAlias = Annotated[
    int,
    Meta(ge=-(2**63), le=2**63 - 1, description="The limit that the engine declares."),
]


# Exact limits


_ScopeOf: TypeAlias = Annotated[
    Scope, Meta(description="The requests that count against the limit.")
]
_Names: TypeAlias = Annotated[
    tuple[str, ...], Meta(max_length=16, description="The names of the limits.")
]
_Runs: TypeAlias = Annotated[
    tuple[Annotated[int, Meta(ge=0, le=LARGEST)], ...],
    Meta(max_length=10_000, description="The ids of the runs."),
]


class TooManyContexts(Fact, frozen=True, kw_only=True):
    """More contexts were held than the engine allows."""

    user: UserIndex
    limit: _Limit
    held: Count
    scope: _ScopeOf = Scope.USER


class ContextRefused(Fact, frozen=True, kw_only=True):
    """The engine refused a context to a user below the limit."""

    user: Harmed
    limit: _Limit
    held: Count
    operation: OperationId
    scope: _ScopeOf = Scope.USER


class TooManyRuns(Fact, frozen=True, kw_only=True):
    """More runs were at work together than the engine allows."""

    user: Owner
    limit: _Limit
    operations: _Runs
    scope: _ScopeOf = Scope.CONTEXT


class TooManyStarts(Fact, frozen=True, kw_only=True):
    """More runs began within some seconds than the engine allows."""

    user: Owner
    limit: _Limit
    within: Annotated[Seconds, Meta(description="The seconds of the rate.")]
    operations: _Runs
    scope: _ScopeOf


class TooManyCalls(Fact, frozen=True, kw_only=True):
    """More calls of a tool were at work together than the engine allows."""

    tool: Annotated[Shown, Meta(description="The tool.")]
    limit: _Limit
    user: Owner


class RunRefused(Fact, frozen=True, kw_only=True):
    """The engine refused a run although its limits left room, or let it wait."""

    user: Harmed
    operation: OperationId
    limits: _Names
    took: Annotated[Seconds, Meta(description="Seconds until it was refused.")]
    full: Annotated[
        bool, Meta(description="Whether a limit was reached at which runs wait.")
    ]


class RunWaited(Fact, frozen=True, kw_only=True):
    """A run beyond a limit waited longer than the engine says."""

    user: Harmed
    operation: OperationId
    limits: _Names
    allowed: Annotated[Seconds, Meta(description="Seconds that it may wait.")]
    took: Annotated[Seconds, Meta(description="Seconds that it waited.")]


# Tool isolation

_Tool: TypeAlias = Annotated[Shown, Meta(description="The tool.")]
_Argument: TypeAlias = Annotated[Shown, Meta(description="The argument of the call.")]


class DeniedToolRan(Fact, frozen=True, kw_only=True):
    """The body of a denied tool ran."""

    argument: _Argument
    tool: _Tool
    user: Annotated[
        Annotated[int, Meta(ge=0, lt=MOST_USERS)] | None,
        Meta(description="The user that it is denied to; null for every user."),
    ]


class ToolRanTwice(Fact, frozen=True, kw_only=True):
    """The body of a tool ran twice for one call."""

    argument: _Argument
    tool: _Tool
    user: UserIndex


class ToolInForeignContext(Fact, frozen=True, kw_only=True):
    """The body of a tool worked for another identity than its caller's."""

    argument: _Argument
    identity: Annotated[
        Shown, Meta(description="The identity that the tool worked for.")
    ]
    tool: _Tool
    user: Harmed
    moment: Annotated[ToolMoment, Meta(description="The moment of the observation.")]


class WrongToolAnswer(Fact, frozen=True, kw_only=True):
    """A call of a tool gave an answer that it must not give."""

    answer: Annotated[Shown, Meta(description="The answer of the call.")]
    argument: Annotated[str, Meta(description="The argument of the call.")]
    tool: Annotated[str, Meta(description="The tool.")]
    user: Harmed
    expected: Annotated[
        str | None,
        Meta(description="The right answer; null where the call must fail cleanly."),
    ]


class ToolCallRaised(WrongToolAnswer, frozen=True, kw_only=True):
    """A call of a tool raised into the run; the answer is the exception."""


# Error containment


class OperationFailed(Fact, frozen=True, kw_only=True):
    """An operation of a user in no trouble did not succeed."""

    user: Harmed
    operation: OperationId
    ending: Annotated[Outcome, Meta(description="How the operation ended.")]
    error: Annotated[
        Shown, Meta(description="The beginning of its error, or an empty text.")
    ]


class OperationStalled(Fact, frozen=True, kw_only=True):
    """An operation took longer than its user's own runs explain."""

    user: Harmed
    operation: OperationId
    own: Annotated[Seconds, Meta(description="Seconds that the user's runs sleep.")]
    allowed: Annotated[Seconds, Meta(description="Seconds that it may take.")]
    took: Annotated[Seconds, Meta(description="Seconds that it took.")]


class ConnectionCutOff(Fact, frozen=True, kw_only=True):
    """A connection was closed that its user did not close."""

    user: Harmed
    code: Annotated[
        Annotated[int, Meta(ge=0, le=LARGEST)] | None,
        Meta(description="The close code, if there was one."),
    ]


class LoopHeld(Fact, frozen=True, kw_only=True):
    """A callback waited synchronously, so the loop served no user."""

    user: Harmed
    operation: OperationId
    blocking: Annotated[
        Annotated[int, Meta(ge=0, le=LARGEST)] | None,
        Meta(description="The operation whose callback waits; null for the engine's."),
    ]
    call: Annotated[str, Meta(description="The function that waits.")]
    place: Place
    seconds: Annotated[
        Annotated[float, Meta(ge=0, le=1e12)] | None,
        Meta(description="Virtual seconds of the wait; null if it has no end."),
    ]
