"""The events of a run: numbered, and in the order of the run's lifecycle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from .context import UserExecutionContext
from .errors import LifecycleError, SerializationError, describe
from .frozen import FrozenMapping

__all__ = ["Event", "EventEmitter", "EventSink", "EventType"]


class EventType(StrEnum):
    """The kinds of events, in the order in which a run may emit them."""

    AGENT_STARTED = "agent_started"
    AGENT_THINKING = "agent_thinking"
    TOOL_DENIED = "tool_denied"
    TOOL_EXECUTING = "tool_executing"
    TOOL_COMPLETED = "tool_completed"
    AGENT_COMPLETED = "agent_completed"
    AGENT_ERROR = "agent_error"
    AGENT_CANCELLED = "agent_cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing may follow in the same run."""
        return self in _TERMINAL


_TERMINAL = (
    EventType.AGENT_COMPLETED,
    EventType.AGENT_ERROR,
    EventType.AGENT_CANCELLED,
)


class EventSink(Protocol):
    """The destination of events."""

    def notify(self, user_id: str, message: str, /) -> bool:
        """Take a message without waiting; returns whether an open connection took
        it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of a run; `sequence` counts from 1 within the run."""

    type: EventType
    user_id: str
    thread_id: str
    run_id: str
    sequence: int
    payload: Mapping[str, Any]

    def to_json(self) -> str:
        """The event as one JSON object.

        Raises `SerializationError` for values that JSON cannot express, such as NaN.
        """
        fields = {
            "type": self.type.value,
            "user_id": self.user_id,
            "thread_id": self.thread_id,
            "run_id": self.run_id,
            "sequence": self.sequence,
            "payload": self.payload,
        }
        try:
            return json.dumps(fields, allow_nan=False, default=_plain)
        except (TypeError, ValueError, RecursionError) as error:
            message = (
                f"event {self.type.value} of run {self.run_id!r} is not JSON "
                f"({describe(error)}); emit text, numbers, lists and dicts"
            )
            raise SerializationError(message) from None


class EventEmitter:
    """Numbers the events of one run and enforces the order of its lifecycle.

    `undelivered` counts the events that no open connection took. An event that a
    failing sink refused counts too; the work of the run stands. `started=True` is for
    calls outside a run, which have neither start nor end.
    """

    def __init__(
        self, context: UserExecutionContext, sink: EventSink, *, started: bool = False
    ) -> None:
        self._context = context
        self._sink = sink
        self._started = started
        self._sequence = 0
        self._calls = 0
        self._open_calls: dict[int, str] = {}
        self.ended = False
        self.undelivered = 0
        self.serialization_error: str | None = None

    @property
    def sequence(self) -> int:
        """The number of emitted events."""
        return self._sequence

    def next_call(self) -> int:
        """The number of the next tool call of this run, from 1."""
        self._calls += 1
        return self._calls

    def emit(
        self, event_type: EventType, payload: Mapping[str, Any] | None = None
    ) -> Event:
        """Number one event and hand it to the sink.

        Raises `LifecycleError` for an event out of order and `SerializationError` for a
        payload that is not JSON; no event is sent and no number is used then.
        """
        content = {} if payload is None else dict(payload)
        self._check_place(event_type, content)
        event = self._event(event_type, content)
        try:
            message = event.to_json()
        except SerializationError as error:
            self.serialization_error = str(error)
            raise
        self._advance(event)
        self._send(message)
        return event

    def finish(
        self, event_type: EventType, payload: Mapping[str, Any] | None = None
    ) -> None:
        """Emit the terminal event once; open tool calls are completed before it.

        Does nothing if the run never started or has already ended.
        """
        if not self._started or self.ended:
            return
        for call, tool_name in list(self._open_calls.items()):
            self.emit(
                EventType.TOOL_COMPLETED,
                {
                    "call": call,
                    "tool_name": tool_name,
                    "success": False,
                    "error": "the run ended before the tool did",
                },
            )
        self.emit(event_type, payload)

    def close(self) -> None:
        """Refuse all events from now on, without emitting one."""
        self.ended = True

    def ensure_serializable(
        self, event_type: EventType, payload: Mapping[str, Any]
    ) -> None:
        """Raise `SerializationError` if this payload could not be emitted."""
        self._event(event_type, payload).to_json()

    def _event(self, event_type: EventType, payload: Mapping[str, Any]) -> Event:
        return Event(
            type=event_type,
            user_id=self._context.user_id,
            thread_id=self._context.thread_id,
            run_id=self._context.run_id,
            sequence=self._sequence + 1,
            payload=payload,
        )

    def _check_place(self, event_type: EventType, payload: Mapping[str, Any]) -> None:
        if self.ended:
            self._refuse(event_type, "the run has ended")
        if self._started == (event_type is EventType.AGENT_STARTED):
            self._refuse(event_type, "a run starts once, before all else")
        call = payload.get("call")
        if event_type is EventType.TOOL_COMPLETED and call not in self._open_calls:
            self._refuse(event_type, f"tool call {call!r} is not open")
        if event_type.is_terminal and self._open_calls:
            self._refuse(event_type, f"tool calls {list(self._open_calls)} are open")

    def _refuse(self, event_type: EventType, rule: str) -> None:
        message = (
            f"event {event_type.value} of run {self._context.run_id!r} is out of "
            f"place: {rule}; emit it within the run, in its order"
        )
        raise LifecycleError(message)

    def _advance(self, event: Event) -> None:
        self._sequence = event.sequence
        if event.type is EventType.AGENT_STARTED:
            self._started = True
        elif event.type is EventType.TOOL_EXECUTING:
            self._open_calls[event.payload["call"]] = event.payload["tool_name"]
        elif event.type is EventType.TOOL_COMPLETED:
            del self._open_calls[event.payload["call"]]
        elif event.type.is_terminal:
            self.ended = True

    def _send(self, message: str) -> None:
        try:
            delivered = self._sink.notify(self._context.user_id, message)
        except Exception:
            delivered = False
        if not delivered:
            self.undelivered += 1


def _plain(value: object) -> object:
    if isinstance(value, FrozenMapping):
        return dict(value)
    if isinstance(value, frozenset):
        return sorted(value)
    message = f"{type(value).__name__} is not JSON"
    raise TypeError(message)
