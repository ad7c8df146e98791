"""The text of facts about values."""

from __future__ import annotations

from isolation_spec.claims.facts import (
    AliasedObject,
    DiffersFromAlone,
    ForeignAwait,
    ForeignIdentity,
    ForeignRow,
    ForeignValue,
    Observation,
    Shown,
    StaleState,
    Surface,
    WriteCameBack,
    WriteLost,
    WriteUnseen,
)
from isolation_spec.diagnosis.wording.contradiction import (
    Contradiction,
    Names,
    describe_fact,
    plain,
)

__all__ = ["describe_observation"]


# Context ownership


@describe_fact.register
def _foreign_value(fact: ForeignValue, names: Names) -> Contradiction:
    reader = names.label(fact.reader)
    return Contradiction(
        let=(
            f"{fact.value} be a value that only {names.label(fact.owner)} ever wrote",
        ),
        then=f"nothing that {reader} is shown contains it",
        however=f"{_surface(fact)} of {reader}'s operation {fact.operation} showed it",
    )


def _surface(fact: ForeignValue) -> str:
    match fact.surface:
        case Surface.STEP:
            return f"the step {plain(fact.name)!r}"
        case Surface.TOOL_INPUT:
            return f"the input of the tool {plain(fact.name)!r}"
        case _:
            return f"the {fact.surface}"


@describe_fact.register
def _foreign_identity(fact: ForeignIdentity, names: Names) -> Contradiction:
    return Contradiction(
        let=(f"operation {fact.operation} be {names.label(fact.user)}'s",),
        then=f"its code runs on behalf of {names.identity(fact.user)!r} at every await",
        however=(
            f"at its step {fact.step!r} the current context was that of "
            f"{fact.identity.text!r}"
        ),
    )


@describe_fact.register
def _foreign_await(fact: ForeignAwait, names: Names) -> Contradiction:
    own = names.identity(fact.user)
    return Contradiction(
        let=(f"operation {fact.operation} be {names.label(fact.user)}'s",),
        then=f"at every await of its task the engine works for {own!r} or for no user",
        however=f"at {fact.place} it worked for {fact.identity.text!r}",
    )


@describe_fact.register
def _stale_state(fact: StaleState, names: Names) -> Contradiction:
    owner = fact.value.partition("~")[0]
    return Contradiction(
        let=(f"operation {fact.operation} be a run of {names.label(fact.user)}",),
        then="its state holds only values that it wrote itself",
        however=f"it read {fact.value}, which another run of {owner} wrote",
    )


# Stored writes


@describe_fact.register
def _foreign_row(fact: ForeignRow, names: Names) -> Contradiction:
    owner = fact.owner.text if fact.user is None else names.label(fact.user)
    row = f"row {fact.key.text!r} on thread {fact.thread.text!r}"
    return Contradiction(
        let=(f"{fact.value} be a value that only {names.label(fact.writer)} wrote",),
        then=f"no row of {owner} holds it",
        however=f"{owner}'s {row} held it",
    )


def _write(fact: WriteLost | WriteCameBack | WriteUnseen, names: Names) -> str:
    return (
        f"operation {fact.operation} write {fact.value} as {names.label(fact.user)}'s "
        f"{fact.key!r} on thread {fact.thread!r}"
    )


@describe_fact.register
def _write_lost(fact: WriteLost, names: Names) -> Contradiction:
    held = "no row holds it" if fact.held is None else f"the row still held {fact.held}"
    return Contradiction(
        let=(_write(fact, names), "the engine acknowledge it"),
        then="it is stored, as nothing of its owner erased or replaced it",
        however=f"an independent observer read in the end that {held}",
    )


@describe_fact.register
def _write_came_back(fact: WriteCameBack, names: Names) -> Contradiction:
    return Contradiction(
        let=(
            f"{_write(fact, names)}, and end",
            f"operation {fact.erasure} then erase that thread",
        ),
        then="it never comes back",
        however="an independent observer read it in the end",
    )


@describe_fact.register
def _write_unseen(fact: WriteUnseen, names: Names) -> Contradiction:
    return Contradiction(
        let=(_write(fact, names), "no operation write or erase there again"),
        then="each later read of that thread or key shows it",
        however=f"operation {fact.reading} read it later and was not shown it",
    )


@describe_fact.register
def _aliased_object(fact: AliasedObject, names: Names) -> Contradiction:
    user, value = names.label(fact.user), fact.value
    return Contradiction(
        let=(
            f"{user} write {value} into an object that the engine handed out or took "
            "in",
        ),
        then="the engine's own data is not changed by that",
        however="the next read showed it",
    )


# Noninterference


@describe_fact.register
def _differs_from_alone(fact: DiffersFromAlone, names: Names) -> Contradiction:
    user, cause = names.label(fact.user), fact.cause
    alone = _shown(fact, fact.alone)
    when = "beside the others"
    if cause is not None:
        when = f"after operation {cause.operation} of {names.label(cause.user)}"
    return Contradiction(
        let=(f"{user} perform the very same operations alone, in the same order",),
        then=f"{describe_observation(fact, user)} is the same as alone: {alone}",
        however=f"{when} it was: {_shown(fact, fact.together)}",
    )


def describe_observation(fact: DiffersFromAlone, user: str) -> str:
    """Returns the observation that differs; `user` is the label of its user."""
    operation = f"operation {fact.operation}"
    details = [detail.text for detail in fact.details]
    match fact.observation:
        case Observation.ANSWER:
            return f"the answer of {user}'s {operation}"
        case Observation.STEP:
            step = details[0] if details else ""
            return f"the result of the step {step!r} in {user}'s {operation}"
        case Observation.CONNECTION:
            return f"the end of {user}'s connection of {operation}"
        case Observation.TOOL:
            return f"the identity of the tool that {user}'s {operation} called"
        case _:
            kind = _KINDS[fact.observation]
            return f"{kind} of {user} ({', '.join(filter(None, details))})"


_KINDS = {
    Observation.EVENT: "the event",
    Observation.ROW: "the stored value",
    Observation.GAUGE: "the gauge after cleanup",
}


def _shown(fact: DiffersFromAlone, shown: Shown | None) -> str:
    if shown is None:
        return "'nothing'"
    if fact.observation is Observation.CONNECTION:
        return f"refused with code {shown.text}" if shown.text else "not refused"
    return f"'{shown.text}'"
