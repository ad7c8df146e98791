"""What is sent at once overtakes what something outside must pass first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from isolation_spec.engines.faults.builders import Overwriting, ask_outside, with_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import EventEmitter, UserExecutionContext

__all__ = ["FAULTS"]


class _Letter:
    """What is told, and whether it was passed."""

    def __init__(self, message: str) -> None:
        self.message = message
        self.passed = False


class _Screened(EventEmitter):
    """What a run tells on its way is sent in order, once it was passed outside; its
    end tells nothing that must be."""

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
        ask_outside(lambda: self._pass(letter))

    def _pass(self, letter: _Letter) -> None:
        letter.passed = True
        while self._letters and self._letters[0].passed:
            message = self._letters.popleft().message
            if self._is_open():
                super()._send(message)


class _Screening(Overwriting):
    def _create_emitter(self, context: UserExecutionContext) -> EventEmitter:
        return _Screened(context, self._events, is_open=lambda: not self.closed)


END_OVERTAKES = Fault(
    id="end-overtakes",
    mechanism="reordering",
    source="producers of Apache Kafka with several requests in flight: what has to "
    "wait is sent behind what came after it",
    claims=frozenset({"event-lifecycle", "event-routing"}),
    adapter=with_engine(_Screening),
)

FAULTS = (END_OVERTAKES,)
