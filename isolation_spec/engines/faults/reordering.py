"""Reordering: an event sent immediately overtakes earlier events that still await
approval outside the engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from isolation_spec.engines.faults.builders import (
    OverwritingEngine,
    schedule_after_external_call,
    with_engine,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import EventEmitter, UserExecutionContext

__all__ = ["FAULTS"]


class _Letter:
    """A message, and whether it is approved."""

    def __init__(self, message: str) -> None:
        self.message = message
        self.approved = False


class _ScreenedEmitter(EventEmitter):
    """Sends the events of a run in order, each after its approval outside; the terminal
    event needs no approval and is sent at once."""

    def __init__(self, *arguments: Any, is_open: Callable[[], bool]) -> None:
        super().__init__(*arguments)
        self._is_open = is_open
        self._letters: deque[_Letter] = deque()

    def _send(self, message: str) -> None:
        if self.ended:
            super()._send(message)
            return
        letter = _Letter(message)
        self._letters.append(letter)
        schedule_after_external_call(lambda: self._approve(letter))

    def _approve(self, letter: _Letter) -> None:
        letter.approved = True
        while self._letters and self._letters[0].approved:
            message = self._letters.popleft().message
            if self._is_open():
                super()._send(message)


class _ScreeningEngine(OverwritingEngine):
    def _create_emitter(self, context: UserExecutionContext) -> EventEmitter:
        return _ScreenedEmitter(context, self._events, is_open=lambda: not self.closed)


END_OVERTAKES = Fault(
    id="end-overtakes",
    source="producers of Apache Kafka with several requests in flight: a retried "
    "message is sent behind its successors",
    claims=frozenset({"event-lifecycle", "event-routing"}),
    adapter=with_engine(_ScreeningEngine),
)

FAULTS = (END_OVERTAKES,)
