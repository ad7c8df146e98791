"""The text of facts about connections and events."""

from __future__ import annotations

from isolation_spec.claims.facts import (
    DuplicateStart,
    EventAfterEnd,
    EventLabel,
    EventMissing,
    EventOfForeignRun,
    EventOfForeignUser,
    EventOutOfOrder,
    EventWithForeignValue,
    ForgedTokenAccepted,
    RunWithoutEnd,
    RunWithoutStart,
    ToolEndedUnbegun,
    ToolNeverEnded,
)
from isolation_spec.diagnosis.wording.contradiction import (
    Contradiction,
    Names,
    describe_fact,
)
from isolation_spec.diagnosis.wording.outcomes import describe_outcome
from isolation_spec.model.run_name import run_name

__all__: list[str] = []


# Event routing


def _event(event: EventLabel) -> str:
    return f"the {event.type.text or 'untyped'} event of {event.run.text or 'no run'}"


@describe_fact.register
def _with_foreign_value(fact: EventWithForeignValue, names: Names) -> Contradiction:
    reader = names.label(fact.reader)
    return Contradiction(
        let=(
            f"{fact.value} be a value that only {names.label(fact.owner)} ever wrote",
        ),
        then=f"no connection of {reader} receives it",
        however=f"{reader} received it in {_event(fact.event)}",
    )


@describe_fact.register
def _of_foreign_user(fact: EventOfForeignUser, names: Names) -> Contradiction:
    named = fact.named.text
    return Contradiction(
        let=(f"{_event(fact.event)} name {named!r} as its user",),
        then=f"only connections of {named!r} receive it",
        however=f"a connection of {names.label(fact.reader)} received it",
    )


@describe_fact.register
def _of_foreign_run(fact: EventOfForeignRun, names: Names) -> Contradiction:
    owner = names.label(fact.owner)
    return Contradiction(
        let=(f"run {fact.event.run.text} be {owner}'s",),
        then=f"only connections of {owner} hear of it",
        however=(
            f"a connection of {names.label(fact.reader)} received {_event(fact.event)}"
        ),
    )


@describe_fact.register
def _forged_token(fact: ForgedTokenAccepted, names: Names) -> Contradiction:
    return Contradiction(
        let=(f"connection {fact.connection!r} present a token that no user has",),
        then="the engine closes it, and it hears nothing",
        however="it heard events" if fact.heard else "it stayed open to the end",
    )


@describe_fact.register
def _out_of_order(fact: EventOutOfOrder, names: Names) -> Contradiction:
    reader = names.label(fact.reader)
    return Contradiction(
        let=(f"event {fact.latest} of {fact.run.text} have reached {reader}",),
        then="the next one on that connection has a higher number",
        however=f"event {fact.number} came after it",
    )


@describe_fact.register
def _missing(fact: EventMissing, names: Names) -> Contradiction:
    run, reader = run_name(fact.operation), names.label(fact.reader)
    missing = f"any event of {run}"
    if fact.number is not None:
        missing = f"event {fact.number} of {run}"
    elif fact.value is not None:
        missing = f"the event of {run} with {fact.value}"
    return Contradiction(
        let=(
            f"{run} be a run of {reader}'s, which {describe_outcome(fact.ending)}",
            f"{reader}'s connection {fact.connection!r} be open from before it to the "
            "end",
        ),
        then=f"it receives every event of {run}",
        however=f"it never received {missing}",
    )


# Event lifecycle


def _let(event: EventLabel) -> tuple[str, ...]:
    return (f"event {event.number} of {event.run.text} be {event.type.text}",)


@describe_fact.register
def _after_end(fact: EventAfterEnd, names: Names) -> Contradiction:
    event, run = fact.event, fact.event.run.text
    return Contradiction(
        let=(f"event {fact.number} of {run} be {fact.ending}, which ends it",),
        then=f"no further event of {run} comes",
        however=f"{event.type.text} came after it, as event {event.number}",
    )


@describe_fact.register
def _duplicate_start(fact: DuplicateStart, names: Names) -> Contradiction:
    return Contradiction(
        let=_let(fact.event),
        then=f"{fact.event.run.text} starts once",
        however="it started a second time",
    )


@describe_fact.register
def _without_start(fact: RunWithoutStart, names: Names) -> Contradiction:
    return Contradiction(
        let=_let(fact.event),
        then=f"{fact.event.run.text} begins with {' or '.join(fact.starts)}",
        however=f"it began with {fact.event.type.text}",
    )


@describe_fact.register
def _without_end(fact: RunWithoutEnd, names: Names) -> Contradiction:
    run = fact.event.run.text
    return Contradiction(
        let=_let(fact.event),
        then=f"{run}, which has ended, has exactly one end as its last event",
        however=f"its last event is {fact.event.type.text}",
    )


@describe_fact.register
def _tool_unbegun(fact: ToolEndedUnbegun, names: Names) -> Contradiction:
    return Contradiction(
        let=_let(fact.event),
        then=f"each {fact.event.type.text} follows a {fact.begins}",
        however="a tool was completed that had not begun",
    )


@describe_fact.register
def _tool_never_ended(fact: ToolNeverEnded, names: Names) -> Contradiction:
    return Contradiction(
        let=_let(fact.event),
        then=f"each {fact.begun.text} is followed by a {fact.ends}",
        however="a tool that had begun was never completed",
    )
