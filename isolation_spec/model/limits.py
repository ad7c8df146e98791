"""The limits that an engine declares: subject, scope, number and consequence."""

from __future__ import annotations

import enum
from typing import Literal, NamedTuple

import msgspec

__all__ = ["LIMITS", "PATIENCE", "Bound", "Limit", "Scope", "Subject"]

PATIENCE = 2.5
"""Virtual seconds that an operation may take beyond its own sleeping. Waiting for a
lock of the database took at most 0.2 s for three writers; an agent's long sleep is 5
s."""


class Limit(msgspec.Struct, frozen=True):
    """How much an engine allows, and the fate of a request beyond it.

    Attributes:
        most: how many at once, or, with `within`, how many in any such time.
        beyond: whether a request beyond the limit is "refused", or "waits" until there
            is room; "either" allows both.
        seconds: the longest wait, after which a request is refused; None for a wait
            without end.
        within: the seconds in which a rate counts starts.
    """

    most: int
    beyond: Literal["either", "refused", "waits"] = "either"
    seconds: float | None = None
    within: float | None = None

    @property
    def may_wait(self) -> bool:
        """Whether a request beyond the limit may wait."""
        return self.beyond != "refused"

    @property
    def may_refuse(self) -> bool:
        """Whether a request beyond the limit may be refused, at once or in the end."""
        return self.beyond != "waits" or self.seconds is not None


class Subject(enum.StrEnum):
    """The things of which a limit allows so many."""

    CONTEXTS = "contexts"
    """Open contexts."""
    RUNS = "runs"
    """Runs at work."""
    STARTS = "starts"
    """Runs that began within some seconds."""
    CALLS = "calls"
    """Calls of tools, and other work of runs that are at work already."""


class Scope(enum.StrEnum):
    """The requests that share a limit."""

    CONTEXT = "context"
    USER = "user"
    SERVICE = "service"
    """All users."""
    TOOL = "tool"
    """All calls of one tool."""


class Bound(NamedTuple):
    """The subject and the scope of a limit."""

    subject: Subject
    scope: Scope


LIMITS = {
    f"{subject}_per_{scope}": Bound(subject, scope)
    for subject, scopes in (
        (Subject.CONTEXTS, (Scope.USER, Scope.SERVICE)),
        (Subject.RUNS, (Scope.CONTEXT, Scope.USER, Scope.SERVICE)),
        (Subject.STARTS, (Scope.CONTEXT, Scope.USER, Scope.SERVICE)),
        (Subject.CALLS, (Scope.TOOL, Scope.SERVICE)),
    )
    for scope in scopes
}
"""The name of a limit, as `runs_per_user` -> its subject and scope; scopes of one
subject come from the narrowest to the widest."""
