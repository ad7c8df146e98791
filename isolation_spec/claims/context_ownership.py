"""No value of one user is ever observable by another; code runs for its owner."""

from __future__ import annotations

import re
from collections.abc import Iterator

from isolation_spec.claims.claim import Claim, IsolationViolated, Opportunity, Violation
from isolation_spec.claims.history_index import HistoryIndex
from isolation_spec.model.history.entries import (
    AgentStepped,
    IdentityChanged,
    ObjectShared,
    OperationEnded,
    OperationStarted,
    ToolRan,
)
from isolation_spec.model.scenario import canaries_in

__all__ = ["CONTEXT_OWNERSHIP", "ContextOwnershipViolated"]


class ContextOwnershipViolated(IsolationViolated):
    """A user, or code that works for one, saw another user's value or identity."""


_ID = "context-ownership"


def _check(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    """Each observation is a situation once another user has given the engine a
    value."""
    active: set[int] = set()
    for index, entry in enumerate(observed.entries):
        if isinstance(entry, OperationStarted) and entry.user is not None:
            active.add(entry.user)
        if isinstance(entry, ObjectShared):
            yield _shared(observed, index, entry)
        if isinstance(entry, IdentityChanged):
            yield _changed(observed, index, entry)
        if not isinstance(entry, AgentStepped | OperationEnded | ToolRan):
            continue
        if entry.user is None:
            continue
        violations = (
            *_foreign_values(observed, index, entry),
            *_foreign_identity(observed, index, entry),
            *_stale_state(observed, index, entry),
        )
        yield from violations
        if not violations and active - {entry.user}:
            yield Opportunity()


def _foreign_values(
    observed: HistoryIndex, index: int, entry: AgentStepped | OperationEnded | ToolRan
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
    observed: HistoryIndex, index: int, entry: AgentStepped | OperationEnded | ToolRan
) -> Iterator[Violation]:
    if not isinstance(entry, AgentStepped) or entry.identity is None:
        return
    user = entry.user or 0
    own = observed.history.scenario.users[user].id
    if entry.identity != own:
        yield Violation(
            claim=_ID,
            clause="foreign-identity",
            let=(f"operation {entry.operation} be {observed.label(user)}'s",),
            then=f"its code runs on behalf of {own!r} at every await",
            however=(
                f"at its step {entry.step!r} the current context was that of "
                f"{entry.identity!r}"
            ),
            entry=index,
            users=(user,),
            shown=(str(entry.identity),),
        )


def _changed(observed: HistoryIndex, index: int, entry: IdentityChanged) -> Violation:
    user = entry.user or 0
    own = observed.history.scenario.users[user].id
    return Violation(
        claim=_ID,
        clause="foreign-await",
        let=(f"operation {entry.operation} be {observed.label(user)}'s",),
        then=f"at every await of its task the engine works for {own!r} or nobody",
        however=f"at {entry.place} it worked for {entry.identity!r}",
        entry=index,
        users=(user,),
        shown=(entry.identity,),
    )


def _stale_state(
    observed: HistoryIndex, index: int, entry: AgentStepped | OperationEnded | ToolRan
) -> Iterator[Violation]:
    """The state of a run begins empty, also after another run of the same user."""
    if not isinstance(entry, AgentStepped) or entry.step != "read_state":
        return
    for _, value in canaries_in(entry.seen):
        owner, _, place = value.partition("~")
        if int(place.partition(".")[0]) == entry.operation:
            continue
        user = entry.user or 0
        yield Violation(
            claim=_ID,
            clause="stale-state",
            let=(f"operation {entry.operation} be a run of {observed.label(user)}",),
            then="its state holds only what it wrote itself",
            however=f"it read {value}, which another run of {owner} wrote",
            entry=index,
            users=(user,),
        )


_KEY = re.compile(r"""\[('.*?'|".*?")\]""")


def _shared(observed: HistoryIndex, index: int, entry: ObjectShared) -> Violation:
    user = entry.user or 0
    name, other = observed.label(user), observed.label(entry.other)
    return Violation(
        claim=_ID,
        clause="shared-object",
        let=(f"{name} and {other} have a context each",),
        then="they share no mutable object but those that the adapter declares",
        however=f"both hold {entry.what}",
        entry=index,
        users=(user, entry.other),
        # Attributes on the path are code; keys of mappings are not.
        shown=tuple(_KEY.findall(entry.what)),
    )


CONTEXT_OWNERSHIP = Claim(
    id=_ID,
    statement=(
        "No value of one user is ever observable by another, and code inside a run "
        "always works on behalf of the run's owner."
    ),
    situation="a user observed something after another user had been active",
    clauses={
        "foreign-value": "nothing that a user is shown contains a value of another",
        "foreign-identity": (
            "at each step of an agent the engine works for the run's owner"
        ),
        "foreign-await": (
            "at every await of a request the engine works for who asked, or nobody"
        ),
        "stale-state": (
            "the state of a run begins empty, also after another run of its user"
        ),
        "shared-object": (
            "contexts of two users share no mutable object that is not declared"
        ),
    },
    exception=ContextOwnershipViolated,
    needs=frozenset(),
    check=_check,
)
