"""Emitters number events and enforce the order of a run's lifecycle."""

import json
import math
from typing import Any

import pytest

from isolation_spec.engines.reference import (
    EventEmitter,
    EventType,
    LifecycleError,
    SerializationError,
    UserExecutionContext,
)

CONTEXT = UserExecutionContext("u", "t", "r", metadata={"a": {"b": [1]}, "s": {2, 1}})


class Sink:
    def __init__(self, answer: bool | Exception = True) -> None:
        self.answer = answer
        self.events: list[dict[str, Any]] = []

    def notify(self, user_id: str, message: str) -> bool:
        if isinstance(self.answer, Exception):
            raise self.answer
        self.events.append(json.loads(message))
        return self.answer


def test_a_whole_run() -> None:
    """Events are numbered from 1 and carry their owner."""
    sink = Sink()
    emitter = EventEmitter(CONTEXT, sink)
    emitter.emit(EventType.AGENT_STARTED, {"agent": "a"})
    call = {"call": emitter.next_call(), "tool_name": "x"}
    emitter.emit(EventType.TOOL_EXECUTING, call)
    emitter.emit(EventType.TOOL_COMPLETED, call)
    emitter.emit(EventType.AGENT_THINKING, {"context": CONTEXT.metadata})
    emitter.finish(EventType.AGENT_COMPLETED)
    emitter.finish(EventType.AGENT_ERROR)
    assert [event["sequence"] for event in sink.events] == [1, 2, 3, 4, 5]
    assert {(e["user_id"], e["thread_id"], e["run_id"]) for e in sink.events} == {
        ("u", "t", "r")
    }
    assert sink.events[3]["payload"] == {"context": {"a": {"b": [1]}, "s": [1, 2]}}
    assert sink.events[-1]["type"] == "agent_completed"
    assert (emitter.ended, emitter.sequence, emitter.undelivered) == (True, 5, 0)


@pytest.mark.parametrize(
    ("before", "wrong"),
    [
        ([], EventType.AGENT_THINKING),
        ([EventType.AGENT_STARTED], EventType.AGENT_STARTED),
        ([EventType.AGENT_STARTED], EventType.TOOL_COMPLETED),
        ([EventType.AGENT_STARTED, EventType.AGENT_ERROR], EventType.AGENT_THINKING),
        ([EventType.AGENT_STARTED, EventType.AGENT_ERROR], EventType.AGENT_CANCELLED),
        ([EventType.AGENT_STARTED, EventType.TOOL_EXECUTING], EventType.AGENT_ERROR),
    ],
)
def test_out_of_place(before: list[EventType], wrong: EventType) -> None:
    """An event out of order is refused and not sent."""
    sink = Sink()
    emitter = EventEmitter(CONTEXT, sink)
    for event_type in before:
        emitter.emit(event_type, {"call": 1, "tool_name": "x"})
    with pytest.raises(LifecycleError, match=wrong.value):
        emitter.emit(wrong, {"call": 2})
    assert len(sink.events) == len(before)


def test_the_end_completes_open_calls() -> None:
    """Tool events are balanced even if the run is ended from outside."""
    sink = Sink()
    emitter = EventEmitter(CONTEXT, sink)
    emitter.emit(EventType.AGENT_STARTED)
    emitter.emit(EventType.TOOL_EXECUTING, {"call": 1, "tool_name": "x"})
    emitter.finish(EventType.AGENT_CANCELLED)
    assert [event["type"] for event in sink.events[2:]] == [
        "tool_completed",
        "agent_cancelled",
    ]


def test_a_run_that_never_started_has_no_end() -> None:
    """A run cancelled before its start emits no event."""
    sink = Sink()
    emitter = EventEmitter(CONTEXT, sink)
    emitter.finish(EventType.AGENT_CANCELLED)
    emitter.close()
    assert sink.events == []
    assert emitter.ended


@pytest.mark.parametrize("value", [object(), math.nan, {(1, 2): 3}])
def test_not_json(value: object) -> None:
    """A payload that is not JSON raises an error and uses no number."""
    sink = Sink()
    emitter = EventEmitter(CONTEXT, sink)
    emitter.emit(EventType.AGENT_STARTED)
    with pytest.raises(SerializationError, match="agent_thinking"):
        emitter.emit(EventType.AGENT_THINKING, {"x": value})
    assert (emitter.sequence, len(sink.events)) == (1, 1)
    assert emitter.serialization_error is not None


@pytest.mark.parametrize("answer", [False, ConnectionError("gone")])
def test_undelivered_is_counted(answer: bool | Exception) -> None:
    """A sink that queues or fails never fails the run."""
    emitter = EventEmitter(CONTEXT, Sink(answer))
    emitter.emit(EventType.AGENT_STARTED)
    assert emitter.undelivered == 1
