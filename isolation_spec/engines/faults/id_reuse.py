"""Numbers that are given to the next as soon as they are free, and answers about
whoever had them before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from isolation_spec.engines.faults.builders import (
    Announcing,
    Overwriting,
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
    """The runs under way, each with the lowest number that was free."""

    def __init__(self) -> None:
        self.runs: dict[int, Run] = {}

    def take(self, run: Run) -> int:
        """Gives the run a number."""
        number = next(n for n in range(len(self.runs) + 1) if n not in self.runs)
        self.runs[number] = run
        return number

    def announced(self, number: int, run: Run) -> None:
        """The run was announced under this number."""

    def ended(self, number: int, result: AgentExecutionResult) -> None:
        """The run of this number came to its end."""

    def leave(self, number: int) -> None:
        """Gives the number back."""
        del self.runs[number]


def _numbered(make: Callable[[], _Numbers]) -> type[UserExecutionEngine]:
    numbers = make()

    class Engine(Announcing):
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

        async def _announced(self, run: Run) -> None:
            numbers.announced(self._numbers.pop(run.run_id), run)

    return Engine


class _Aborted(_Numbers):
    """What was over when it had been announced is aborted, by its number."""

    def announced(self, number: int, run: Run) -> None:
        if run.emitter.ended and number in self.runs:
            self.runs[number].task.cancel()


def _with_abortions() -> type[UserExecutionEngine]:
    return type("Engine", (_numbered(_Aborted), Overwriting), {})


ABORTED_BY_NUMBER = Fault(
    id="aborted-by-number",
    mechanism="id_reuse",
    source="modelcontextprotocol/python-sdk #2655, of a cancellation: it names a "
    "number that another run has by then",
    claims=frozenset({"error-containment"}),
    adapter=with_fresh_engine(_with_abortions),
)


class _Receipts(_Numbers):
    """Under each number stands what was asked, and once more when it was confirmed."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[int, str] = {}

    def take(self, run: Run) -> int:
        number = super().take(run)
        self.announced(number, run)
        return number

    def announced(self, number: int, run: Run) -> None:
        self._asked[number] = str(run.request.input.script)

    def ended(self, number: int, result: AgentExecutionResult) -> None:
        result.metadata["receipt"] = self._asked[number]


CONFIRMED_TO_NEXT = Fault(
    id="confirmed-to-next",
    mechanism="id_reuse",
    source="modelcontextprotocol/python-sdk #3060, of a receipt: it is filed under a "
    "number that another run has by then",
    claims=frozenset({"context-ownership"}),
    adapter=with_fresh_engine(lambda: _numbered(_Receipts)),
)


class _Sessions(_Numbers):
    """What an announced run had as its last session is there under its number, for its
    next work, until its end."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[Run, AsyncSession] = {}
        self._kept: dict[int, AsyncSession] = {}

    def announced(self, number: int, run: Run) -> None:
        session = self._last.pop(run, None)
        if session is not None:
            self._kept[number] = session

    def leave(self, number: int) -> None:
        super().leave(number)
        self._kept.pop(number, None)

    def session(self, new: Callable[[], AsyncSession]) -> AsyncSession:
        """The session that is there for the run that asks, else a new one."""
        context = current_context.get(None)
        for number, run in self.runs.items():
            if run.context is context:
                session = self._last[run] = self._kept.get(number) or new()
                return session
        return new()


def _with_sessions() -> type[UserExecutionEngine]:
    sessions = _Sessions()

    class Sessions(DatabaseSessionManager):
        def _open_session(self) -> AsyncSession:
            return sessions.session(super()._open_session)

    def create(engine: UserExecutionEngine) -> DatabaseSessionManager:
        return Sessions(engine.user_context, engine._database)

    bases = _numbered(lambda: sessions), Overwriting
    return type("Engine", bases, {"_create_sessions": create})


SESSION_TO_NEXT = Fault(
    id="session-to-next",
    mechanism="id_reuse",
    source="modelcontextprotocol/python-sdk #3137, of a session: it is kept under a "
    "number that another run has by then",
    claims=frozenset({"database-sessions"}),
    adapter=with_fresh_engine(_with_sessions),
)

FAULTS = (ABORTED_BY_NUMBER, CONFIRMED_TO_NEXT, SESSION_TO_NEXT)
