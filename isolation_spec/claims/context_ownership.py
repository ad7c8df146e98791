"""No value of one user is ever observable by another; code runs for its owner."""

from __future__ import annotations

from collections.abc import Iterator

from isolation_spec.claims.claim import Claim, IsolationViolated, Opportunity, Violation
from isolation_spec.claims.facts import (
    ForeignAwait,
    ForeignIdentity,
    ForeignValue,
    Shown,
    StaleState,
    Surface,
    Text,
)
from isolation_spec.claims.history_index import HistoryIndex
from isolation_spec.model.history.entries import (
    AgentStepped,
    IdentityChanged,
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
        if isinstance(entry, IdentityChanged):
            yield _changed(index, entry)
        if not isinstance(entry, AgentStepped | OperationEnded | ToolRan):
            continue
        if entry.user is None:
            continue
        violations = (
            *_foreign_values(observed, index, entry),
            *_foreign_identity(observed, index, entry),
            *_stale_state(index, entry),
        )
        yield from violations
        if not violations and active - {entry.user}:
            yield Opportunity()


def _foreign_values(
    observed: HistoryIndex, index: int, entry: AgentStepped | OperationEnded | ToolRan
) -> Iterator[Violation]:
    surface, name, text = _shown(entry)
    for value, owner in observed.foreign(text, entry.user):
        user = entry.user or 0
        yield Violation(
            claim=_ID,
            clause="foreign-value",
            fact=ForeignValue(
                value=value,
                owner=owner,
                reader=user,
                operation=entry.operation or 0,
                surface=surface,
                name=name,
            ),
            entry=index,
            users=(user, owner),
        )


def _shown(
    entry: AgentStepped | OperationEnded | ToolRan,
) -> tuple[Surface, Text, str]:
    """Returns where the entry showed text, the name of that place, and the text."""
    if isinstance(entry, AgentStepped):
        return Surface.STEP, entry.step, entry.seen
    if isinstance(entry, ToolRan):
        return Surface.TOOL_INPUT, Shown(entry.tool), entry.argument
    surface = Surface.ANSWER if entry.value else Surface.ERROR
    return surface, "", f"{entry.value} {entry.error}"


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
            fact=ForeignIdentity(
                user=user,
                operation=entry.operation or 0,
                step=entry.step,
                identity=Shown(entry.identity),
            ),
            entry=index,
            users=(user,),
        )


def _changed(index: int, entry: IdentityChanged) -> Violation:
    user = entry.user or 0
    return Violation(
        claim=_ID,
        clause="foreign-await",
        fact=ForeignAwait(
            user=user,
            operation=entry.operation or 0,
            place=entry.place,
            identity=Shown(entry.identity),
        ),
        entry=index,
        users=(user,),
    )


def _stale_state(
    index: int, entry: AgentStepped | OperationEnded | ToolRan
) -> Iterator[Violation]:
    """The state of a run begins empty, also after another run of the same user."""
    if not isinstance(entry, AgentStepped) or entry.step != "read_state":
        return
    for _, value in canaries_in(entry.seen):
        _, _, place = value.partition("~")
        if int(place.partition(".")[0]) == entry.operation:
            continue
        user = entry.user or 0
        yield Violation(
            claim=_ID,
            clause="stale-state",
            fact=StaleState(value=value, user=user, operation=entry.operation or 0),
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
    clauses={
        "foreign-value": "nothing that a user is shown contains a value of another",
        "foreign-identity": (
            "at each step of an agent the engine works for the run's owner"
        ),
        "foreign-await": (
            "at every await of a request the engine works for its user, or for no user"
        ),
        "stale-state": (
            "the state of a run begins empty, also after another run of its user"
        ),
    },
    exception=ContextOwnershipViolated,
    needs=frozenset(),
    check=_check,
    on_values=True,
)
