"""No value of one user is ever observable by another; code runs for its owner."""

from __future__ import annotations

from collections.abc import Iterator

from isolation_spec.claims.claim import (
    Claim,
    IsolationViolated,
    Situation,
    Violation,
)
from isolation_spec.claims.observed import Observed
from isolation_spec.history import (
    AgentStepped,
    OperationEnded,
    OperationStarted,
    ToolRan,
)

__all__ = ["CONTEXT_OWNERSHIP", "ContextOwnershipViolated"]


class ContextOwnershipViolated(IsolationViolated):
    """A user, or code that works for one, saw another user's value or identity."""


_ID = "context-ownership"


def _check(observed: Observed) -> Iterator[Situation | Violation]:
    """Each observation is a situation once another user has given the engine a
    value."""
    active: set[int] = set()
    for index, entry in enumerate(observed.entries):
        if isinstance(entry, OperationStarted) and entry.user is not None:
            active.add(entry.user)
        if not isinstance(entry, AgentStepped | OperationEnded | ToolRan):
            continue
        if entry.user is None:
            continue
        violations = (
            *_foreign_values(observed, index, entry),
            *_foreign_identity(observed, index, entry),
        )
        yield from violations
        if not violations and active - {entry.user}:
            yield Situation()


def _foreign_values(
    observed: Observed, index: int, entry: AgentStepped | OperationEnded | ToolRan
) -> Iterator[Violation]:
    where, text = _shown(entry)
    for value, owner in observed.foreign(text, entry.user):
        user = entry.user or 0
        reader, writer = observed.label(user), observed.label(owner)
        yield Violation(
            claim=_ID,
            clause="foreign-value",
            let=(f"{value} be a value that only {writer} ever wrote",),
            then=f"nothing that {reader} is shown contains it",
            however=f"{where} of {reader}'s operation {entry.operation} showed it",
            entry=index,
            users=(user, owner),
        )


def _shown(entry: AgentStepped | OperationEnded | ToolRan) -> tuple[str, str]:
    if isinstance(entry, AgentStepped):
        return f"the step {entry.step!r}", entry.seen
    if isinstance(entry, ToolRan):
        return f"the input of the tool {entry.tool!r}", entry.argument
    return "the answer" if entry.value else "the error", f"{entry.value} {entry.error}"


def _foreign_identity(
    observed: Observed, index: int, entry: AgentStepped | OperationEnded | ToolRan
) -> Iterator[Violation]:
    if isinstance(entry, OperationEnded) or entry.identity is None:
        return
    user = entry.user or 0
    own = observed.history.scenario.users[user].id
    if entry.identity != own:
        what = (
            f"after its step {entry.step!r}"
            if isinstance(entry, AgentStepped)
            else f"in the tool {entry.tool!r}"
        )
        yield Violation(
            claim=_ID,
            clause="foreign-identity",
            let=(f"operation {entry.operation} be {observed.label(user)}'s",),
            then=f"its code runs on behalf of {own!r} at every await",
            however=f"{what}, the current context was that of {entry.identity!r}",
            entry=index,
            users=(user,),
        )


CONTEXT_OWNERSHIP = Claim(
    id=_ID,
    statement=(
        "No value of one user is ever observable by another, and code inside a run "
        "always works on behalf of the run's owner."
    ),
    situation="a user observed something after another user had been active",
    exception=ContextOwnershipViolated,
    needs=frozenset(),
    check=_check,
)
