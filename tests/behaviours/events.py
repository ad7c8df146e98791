"""Behaviours of events on their way to their user's connections."""

from collections.abc import Iterator

from hypothesis import strategies as st

from isolation_spec.claims.event_routing import EVENT_ROUTING
from isolation_spec.claims.history_index import Event, HistoryIndex
from isolation_spec.model.scenario import (
    CallTool,
    Connect,
    Disconnect,
    Reconnect,
    Sleep,
    walk,
)
from tests.behaviours.instances import runs, situations, violations
from tests.behaviours.story import ECHO, EMIT, FAILING, MOMENT, SLOW, THINK, Story

# Routing


def write_routing(story: Story) -> None:
    """Everybody listens, on one connection or two, and is told something."""
    for user in story.everybody():
        for name in ("c", "d")[: story.draw(st.integers(1, 2))]:
            story.add(Connect, user=user, connection=name)
        story.open(user)
        if story.draw(st.booleans()):
            story.wait(user, 0.5)
        story.run(user, *story.steps(EMIT, THINK, ECHO, MOMENT), background=True)


def judge_routing(observed: HistoryIndex) -> Iterator[str]:
    """Events arrive at their owner, all of them, with the owner's user and thread."""
    yield from violations(EVENT_ROUTING, observed)
    contexts = {
        f"run-{operation.id}": observed.threads[operation.user, operation.context]
        for _, operation in runs(observed)
    }
    for event in observed.events:
        thread = event.fields.get("thread_id")
        if contexts.get(event.run) != thread:
            yield f"event {event.sequence} of {event.run} named thread {thread!r}"
    yield from ("" for _ in range(situations(EVENT_ROUTING, observed)))


# Tool events

WATCHED = 5.0
"""Seconds that the watched run sleeps between its first calls and its last."""


def write_tool_events(story: Story) -> None:
    """Everybody calls tools, and most lose their connection between two calls.

    They lose it while nothing is on its way, as what a closing connection has been sent
    is lost by right: WebSocket knows no receipts.
    """
    for user in story.everybody():
        story.add(Connect, user=user, connection="c")
        story.open(user)
        story.wait(user, 0.5)
        first = story.steps(ECHO, SLOW, FAILING, most=2)
        last = story.steps(ECHO, SLOW, FAILING, most=2)
        pause = Sleep(seconds=WATCHED)
        story.run(user, *first, pause, *last, background=True)
        story.wait(user, 1.0)
        change = story.draw(st.sampled_from(("leave", "replace", "stay")))
        if change == "replace":
            story.add(Reconnect, user=user, connection="d", replaces="c")
        elif change == "leave":
            story.add(Disconnect, user=user, connection="c")
            story.wait(user, 2 * WATCHED)
            story.add(Connect, user=user, connection="d")


def judge_tool_events(observed: HistoryIndex) -> Iterator[str]:
    """Each call is told twice, at its beginning and end, once each and in order."""
    for span, operation in runs(observed):
        taken = observed.steps.get(operation.id, {})
        calls = [
            path
            for path, step in walk(operation.script)
            if isinstance(step, CallTool) and path in taken
        ]
        if not calls or span.ended > observed.end:
            continue
        heard = list(_heard(observed, operation.user, f"run-{operation.id}"))
        for _, events in heard:
            numbers = [event.sequence or 0 for event in events]
            if numbers != sorted(set(numbers)):
                yield f"one connection heard {numbers} of run {operation.id}"
        merged = {event.sequence: event for _, events in heard for event in events}
        first_heard = sorted(merged.values(), key=lambda event: event.index)
        told = [
            (event.type, event.fields.get("payload", {}).get("call"))
            for event in first_heard
            if event.type.startswith("tool_")
        ]
        expected = [
            (kind, call)
            for call in range(1, len(calls) + 1)
            for kind in ("tool_executing", "tool_completed")
        ]
        if told != expected:
            yield f"run {operation.id} made {len(calls)} calls and told {told}"
        else:
            yield from ("" for _ in calls)


def _heard(
    observed: HistoryIndex, user: int, run: str
) -> Iterator[tuple[int, list[Event]]]:
    """Yields (connection, events of the run) for each connection of the user."""
    for (number, name), events in observed.events_by_run.items():
        if name == run and events[0].entry.user == user:
            yield number, events
