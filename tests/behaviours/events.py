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
from tests.behaviours.instances import count_opportunities, runs, violations
from tests.behaviours.workload_builder import (
    ECHO,
    EMIT,
    FAILING,
    MOMENT,
    SLOW,
    THINK,
    WorkloadBuilder,
)

# Routing.


def write_routing(builder: WorkloadBuilder) -> None:
    """Each user has one or two connections, and a run that emits events."""
    for user in builder.user_indices():
        for name in ("c", "d")[: builder.draw(st.integers(1, 2))]:
            builder.add(Connect, user=user, connection=name)
        builder.open(user)
        if builder.draw(st.booleans()):
            builder.wait(user, 0.5)
        builder.run(user, *builder.steps(EMIT, THINK, ECHO, MOMENT), background=True)


def judge_routing(observed: HistoryIndex) -> Iterator[str]:
    """All events arrive at their owner, with the owner's user and thread."""
    yield from violations(EVENT_ROUTING, observed)
    contexts = {
        f"run-{operation.id}": observed.threads[operation.user, operation.context]
        for _, operation in runs(observed)
    }
    for event in observed.events:
        thread = event.fields.get("thread_id")
        if contexts.get(event.run) != thread:
            yield f"event {event.sequence} of {event.run} named thread {thread!r}"
    yield from ("" for _ in range(count_opportunities(EVENT_ROUTING, observed)))


# Tool events.

PAUSE = 5.0
"""Seconds that a run sleeps between its first calls and its last."""


def write_tool_events(builder: WorkloadBuilder) -> None:
    """All users call tools, and most lose their connection between two calls.

    They lose it while no message is on its way: a message sent to a closing connection
    may be lost, since WebSocket has no receipts.
    """
    for user in builder.user_indices():
        builder.add(Connect, user=user, connection="c")
        builder.open(user)
        builder.wait(user, 0.5)
        first = builder.steps(ECHO, SLOW, FAILING, most=2)
        last = builder.steps(ECHO, SLOW, FAILING, most=2)
        pause = Sleep(seconds=PAUSE)
        builder.run(user, *first, pause, *last, background=True)
        builder.wait(user, 1.0)
        change = builder.draw(st.sampled_from(("leave", "replace", "stay")))
        if change == "replace":
            builder.add(Reconnect, user=user, connection="d", replaces="c")
        elif change == "leave":
            builder.add(Disconnect, user=user, connection="c")
            builder.wait(user, 2 * PAUSE)
            builder.add(Connect, user=user, connection="d")


def judge_tool_events(observed: HistoryIndex) -> Iterator[str]:
    """Each call emits one event at its start and one at its end, in order."""
    for span, operation in runs(observed):
        taken = observed.steps.get(operation.id, {})
        calls = [
            path
            for path, step in walk(operation.script)
            if isinstance(step, CallTool) and path in taken
        ]
        if not calls or span.ended > observed.end:
            continue
        received = list(_received(observed, operation.user, f"run-{operation.id}"))
        for _, events in received:
            numbers = [event.sequence or 0 for event in events]
            if numbers != sorted(set(numbers)):
                yield f"one connection received {numbers} of run {operation.id}"
        merged = {event.sequence: event for _, events in received for event in events}
        first_received = sorted(merged.values(), key=lambda event: event.index)
        emitted = [
            (event.type, event.fields.get("payload", {}).get("call"))
            for event in first_received
            if event.type.startswith("tool_")
        ]
        expected = [
            (kind, call)
            for call in range(1, len(calls) + 1)
            for kind in ("tool_executing", "tool_completed")
        ]
        if emitted != expected:
            yield f"run {operation.id} made {len(calls)} calls and emitted {emitted}"
        else:
            yield from ("" for _ in calls)


def _received(
    observed: HistoryIndex, user: int, run: str
) -> Iterator[tuple[int, list[Event]]]:
    """Yields (connection, events of the run) for each connection of the user."""
    for (number, name), events in observed.events_by_run.items():
        if name == run and events[0].entry.user == user:
            yield number, events
