"""A number is reused as soon as it is free, and a late reply names its old owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from isolation_spec.engines.faults.builders import (
    AnnouncingEngine,
    OverwritingEngine,
    with_fresh_engine,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    AgentExecutionResult,
    DatabaseSessionManager,
    UserExecutionEngine,
    current_context,
)
from isolation_spec.engines.reference.runs import Run

__all__ = ["FAULTS"]


class _Numbers:
    """The runs in flight, each under the lowest number that was free."""

    def __init__(self) -> None:
        self.runs: dict[int, Run] = {}

    def take(self, run: Run) -> int:
        """Gives the run a number."""
        number = next(n for n in range(len(self.runs) + 1) if n not in self.runs)
        self.runs[number] = run
        return number

    def handle_reply(self, number: int, run: Run) -> None:
        """The reply to the announcement of this run, under its number, has come."""

    def ended(self, number: int, result: AgentExecutionResult) -> None:
        """The run of this number has ended."""

    def leave(self, number: int) -> None:
        """Gives the number back."""
        del self.runs[number]


def _with_numbered_runs(make: Callable[[], _Numbers]) -> type[UserExecutionEngine]:
    numbers = make()

    class Engine(AnnouncingEngine):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._numbers: dict[str, int] = {}

        async def _execute(self, run: Run) -> AgentExecutionResult:
            if run.parent is not None:
                return await super()._execute(run)
            number = self._numbers[run.run_id] = numbers.take(run)
            try:
                result = await super()._execute(run)
                numbers.ended(number, result)
                return result
            finally:
                numbers.leave(number)

        async def _handle_reply(self, run: Run) -> None:
            numbers.handle_reply(self._numbers.pop(run.run_id), run)

    return Engine


class _AbortingNumbers(_Numbers):
    """Aborts a run, by its number, if it had ended before its announcement."""

    def handle_reply(self, number: int, run: Run) -> None:
        if run.emitter.ended and number in self.runs:
            self.runs[number].task.cancel()


def _with_abortions() -> type[UserExecutionEngine]:
    return type(
        "Engine", (_with_numbered_runs(_AbortingNumbers), OverwritingEngine), {}
    )


ABORTED_BY_NUMBER = Fault(
    id="aborted-by-number",
    source="modelcontextprotocol/python-sdk #2655, of a cancellation: it names a "
    "number that another run holds by then",
    claims=frozenset({"error-containment"}),
    adapter=with_fresh_engine(_with_abortions),
)


class _Receipts(_Numbers):
    """Files each run's script under its number, and files it again at the reply."""

    def __init__(self) -> None:
        super().__init__()
        self._scripts: dict[int, str] = {}

    def take(self, run: Run) -> int:
        number = super().take(run)
        self.handle_reply(number, run)
        return number

    def handle_reply(self, number: int, run: Run) -> None:
        self._scripts[number] = str(run.request.input.script)

    def ended(self, number: int, result: AgentExecutionResult) -> None:
        result.metadata["receipt"] = self._scripts[number]


CONFIRMED_TO_NEXT = Fault(
    id="confirmed-to-next",
    source="modelcontextprotocol/python-sdk #3060, of a receipt: it is filed under a "
    "number that another run holds by then",
    claims=frozenset({"context-ownership"}),
    adapter=with_fresh_engine(lambda: _with_numbered_runs(_Receipts)),
)


class _Sessions(_Numbers):
    """Caches the last session of an announced run under its number, until its end."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[Run, AsyncSession] = {}
        self._cached: dict[int, AsyncSession] = {}

    def handle_reply(self, number: int, run: Run) -> None:
        session = self._last.pop(run, None)
        if session is not None:
            self._cached[number] = session

    def leave(self, number: int) -> None:
        super().leave(number)
        self._cached.pop(number, None)

    def session(self, new: Callable[[], AsyncSession]) -> AsyncSession:
        """The cached session of the calling run, or a new one."""
        context = current_context.get(None)
        for number, run in self.runs.items():
            if run.context is context:
                session = self._last[run] = self._cached.get(number) or new()
                return session
        return new()


def _with_sessions() -> type[UserExecutionEngine]:
    sessions = _Sessions()

    class Sessions(DatabaseSessionManager):
        def _open_session(self) -> AsyncSession:
            return sessions.session(super()._open_session)

    bases = _with_numbered_runs(lambda: sessions), OverwritingEngine
    return type("Engine", bases, {"sessions_class": Sessions})


SESSION_TO_NEXT = Fault(
    id="session-to-next",
    source="modelcontextprotocol/python-sdk #3137, of a session: it is cached under a "
    "number that another run holds by then",
    claims=frozenset({"database-sessions"}),
    adapter=with_fresh_engine(_with_sessions),
)

FAULTS = (ABORTED_BY_NUMBER, CONFIRMED_TO_NEXT, SESSION_TO_NEXT)
