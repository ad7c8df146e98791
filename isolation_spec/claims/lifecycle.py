"""A run tells its story once: a start, balanced tools, one end, and nothing after
it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isolation_spec.adapter import Capability
from isolation_spec.claims.claim import (
    Claim,
    IsolationViolated,
    Situation,
    Violation,
)
from isolation_spec.claims.observed import Event, Observed
from isolation_spec.claims.routing import attended_runs

__all__ = ["EVENT_LIFECYCLE", "EventLifecycleViolated"]


class EventLifecycleViolated(IsolationViolated):
    """The events of a run are not those that a run can have."""


_ID = "event-lifecycle"
START = "agent_started"
TERMINAL = ("agent_completed", "agent_error", "agent_cancelled")


def _check(observed: Observed) -> Iterator[Situation | Violation]:
    broken: set[str] = set()
    for (_, run), events in observed.events_by_run.items():
        for violation in _broken(run, events):
            broken.add(run)
            yield violation
    for span, link in attended_runs(observed):
        run = f"run-{span.operation.id}"
        events = observed.events_by_run.get((link.operation, run), [])
        if not events or run in broken:
            continue
        yield _unfinished(run, events) or Situation()


def _broken(run: str, events: Sequence[Event]) -> Iterator[Violation]:
    """What no part of a run's events may show, however much of them was received."""
    ended: Event | None = None
    started: Event | None = None
    for event in events:
        # The same number again is a second delivery, which is for routing to judge.
        if ended is not None and (
            ended.sequence is None or event.sequence != ended.sequence
        ):
            clause = "two-ends" if event.type in TERMINAL else "after-the-end"
            yield _violation(
                clause,
                run,
                event,
                let=f"event {ended.sequence} of {run} be {ended.type}, which ends it",
                then=f"no further event of {run} comes",
                however=f"{event.type} came after it, as event {event.sequence}",
            )
        if event.type == START:
            again = started is not None and (
                event.sequence is None or event.sequence != started.sequence
            )
            if again:
                yield _violation(
                    "two-starts",
                    run,
                    event,
                    then=f"{run} starts once",
                    however="it told of a second start",
                )
            started = started or event
        if event.type in TERMINAL and ended is None:
            ended = event


def _unfinished(run: str, events: Sequence[Event]) -> Violation | None:
    """What a run whose events were all received must show."""
    first, last = events[0], events[-1]
    if first.type != START:
        return _violation(
            "no-start",
            run,
            first,
            then=f"{run} begins with {START}",
            however=f"it began with {first.type}",
        )
    if last.type not in TERMINAL:
        return _violation(
            "no-end",
            run,
            last,
            then=f"{run}, which has ended, tells so in exactly one last event",
            however=f"its last event is {last.type}",
        )
    return _unbalanced(run, events)


def _unbalanced(run: str, events: Sequence[Event]) -> Violation | None:
    under_way: list[str] = []
    for event in events:
        if event.type == "tool_executing":
            under_way.append(event.type)
        elif event.type == "tool_completed":
            if not under_way:
                return _violation(
                    "unbalanced-tool",
                    run,
                    event,
                    then="each tool_completed follows its tool_executing",
                    however="a tool was completed that had not begun",
                )
            under_way.pop()
    if under_way:
        return _violation(
            "unbalanced-tool",
            run,
            events[-1],
            then="each tool_executing is followed by its tool_completed",
            however="a tool that had begun was never completed",
        )
    return None


def _violation(
    clause: str, run: str, event: Event, *, then: str, however: str, let: str = ""
) -> Violation:
    return Violation(
        claim=_ID,
        clause=clause,
        let=(let or f"event {event.sequence} of {run} be {event.type}",),
        then=then,
        however=however,
        entry=event.index,
        users=(event.entry.user or 0,),
        shown=(event.type, run),
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
        "no-end": "a run that has ended tells so",
        "unbalanced-tool": "each tool call that begins is completed, and no other",
    },
    exception=EventLifecycleViolated,
    needs=frozenset({Capability.CONNECTIONS}),
    check=_check,
)
