"""The events of a run: one start, balanced tools, one end, and nothing after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isolation_spec.claims.claim import Claim, IsolationViolated, Opportunity, Violation
from isolation_spec.claims.event_routing import attended_runs
from isolation_spec.claims.facts import (
    AnyFact,
    DuplicateStart,
    EventAfterEnd,
    RunWithoutEnd,
    RunWithoutStart,
    Shown,
    ToolEndedUnbegun,
    ToolNeverEnded,
    representable,
)
from isolation_spec.claims.history_index import Event, HistoryIndex
from isolation_spec.contract.capabilities import Capability
from isolation_spec.model.event_names import EventNames
from isolation_spec.model.run_name import run_name

__all__ = ["EVENT_LIFECYCLE", "EventLifecycleViolated"]


class EventLifecycleViolated(IsolationViolated):
    """The events of a run are not those that a run can have."""


_ID = "event-lifecycle"


def _check(observed: HistoryIndex) -> Iterator[Opportunity | Violation]:
    broken: set[str] = set()
    for (_, run), events in observed.events_by_run.items():
        for violation in _broken(observed.names, events):
            broken.add(run)
            yield violation
    for span, link in attended_runs(observed):
        run = run_name(span.operation.id)
        events = observed.events_by_run.get((link.operation, run), [])
        if not events or run in broken:
            continue
        if not _is_known(observed, events):
            continue
        yield _unfinished(observed.names, events) or Opportunity()


def _is_known(observed: HistoryIndex, events: Sequence[Event]) -> bool:
    """True if a type surely begins or ends no run where `EventNames` does not say so.

    An engine that does not say how it names its events may have others that do.
    """
    names = observed.names
    if observed.promised:
        return bool(names.begun or names.ended)
    if observed.types.isdisjoint(names.begun) or observed.types.isdisjoint(names.ended):
        return False
    first, last = events[0].type, events[-1].type
    begins = first in names.begun or first in _types(observed, slice(1, None))
    return begins and (last in names.ended or last in _types(observed, slice(-1)))


def _types(observed: HistoryIndex, part: slice) -> set[str]:
    """The types of events at these places in any run."""
    runs = observed.events_by_run.values()
    return {event.type for events in runs for event in events[part]}


def _broken(names: EventNames, events: Sequence[Event]) -> Iterator[Violation]:
    """Yields violations that any part of a run's events can show."""
    ended: Event | None = None
    started: Event | None = None
    for event in events:
        # The same number again is a second delivery, which is for routing to judge.
        if ended is not None and (
            ended.sequence is None or event.sequence != ended.sequence
        ):
            clause = "two-ends" if event.type in names.ended else "after-the-end"
            fact = EventAfterEnd(
                ending=ended.type,
                number=representable(ended.sequence),
                event=event.label,
            )
            yield _violation(clause, event, fact)
        if event.type in names.begun:
            again = started is not None and (
                event.sequence is None or event.sequence != started.sequence
            )
            if again:
                yield _violation("two-starts", event, DuplicateStart(event=event.label))
            started = started or event
        if event.type in names.ended and ended is None:
            ended = event


def _unfinished(names: EventNames, events: Sequence[Event]) -> Violation | None:
    """Returns a violation of a run whose events were all received."""
    first, last = events[0], events[-1]
    if names.begun and first.type not in names.begun:
        fact = RunWithoutStart(event=first.label, starts=names.begun)
        return _violation("no-start", first, fact)
    if names.ended and last.type not in names.ended:
        return _violation("no-end", last, RunWithoutEnd(event=last.label))
    return _unbalanced(names, events)


def _unbalanced(names: EventNames, events: Sequence[Event]) -> Violation | None:
    if not names.tool_begun or not names.tool_ended:
        return None
    under_way: list[str] = []
    for event in events:
        if event.type in names.tool_begun:
            under_way.append(event.type)
        elif event.type in names.tool_ended:
            if not under_way:
                unbegun = ToolEndedUnbegun(
                    event=event.label, begins=names.tool_begun[0]
                )
                return _violation("unbalanced-tool", event, unbegun)
            under_way.pop()
    if under_way:
        unended = ToolNeverEnded(
            event=events[-1].label,
            begun=Shown(under_way[0]),
            ends=names.tool_ended[0],
        )
        return _violation("unbalanced-tool", events[-1], unended)
    return None


def _violation(clause: str, event: Event, fact: AnyFact) -> Violation:
    return Violation(
        claim=_ID,
        clause=clause,
        fact=fact,
        entry=event.index,
        users=(event.entry.user or 0,),
    )


EVENT_LIFECYCLE = Claim(
    id=_ID,
    statement=(
        "The events of a run are one start, balanced tool events and exactly one last "
        "event, with nothing after it."
    ),
    situation="a run ended while its owner was connected from before it to the end",
    clauses={
        "two-starts": "a run starts once",
        "two-ends": "a run ends once",
        "after-the-end": "nothing of a run comes after its last event",
        "no-start": "the first event of a run is its start",
        "no-end": "the last event of a run that has ended is its end",
        "unbalanced-tool": "each tool call that begins is completed, and no other",
    },
    exception=EventLifecycleViolated,
    needs=frozenset({Capability.CONNECTIONS}),
    check=_check,
)
