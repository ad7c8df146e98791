"""Numbers that are given to the next as soon as they are free, and answers about
whoever had them before."""

from __future__ import annotations

import asyncio

from isolation_spec.engine import (
    AgentExecutionResult,
    UserExecutionEngine,
)
from isolation_spec.engine.runs import Run
from isolation_spec.faults.fault import Fault
from isolation_spec.faults.parts import Overwriting, outside, with_fresh_engine

__all__ = ["FAULTS"]


class _Numbers:
    """Each run has the lowest number that is free, and is announced by it."""

    def __init__(self) -> None:
        self.runs: dict[int, Run] = {}
        self._announcing: dict[asyncio.Task[None], None] = {}

    def take(self, run: Run) -> int:
        """Gives the run a number, and announces it without waiting."""
        number = next(n for n in range(len(self.runs) + 1) if n not in self.runs)
        self.runs[number] = run
        announcing = asyncio.get_running_loop().create_task(self._announce(number, run))
        self._announcing[announcing] = None
        announcing.add_done_callback(self._announcing.pop)
        return number

    async def _announce(self, number: int, run: Run) -> None:
        await outside()
        self.announced(number, run)

    def announced(self, number: int, run: Run) -> None:
        """What the answer does."""


def _numbered(numbers: _Numbers) -> type[UserExecutionEngine]:
    class Engine(Overwriting):
        async def _execute(self, run: Run) -> AgentExecutionResult:
            if run.parent is not None:
                return await super()._execute(run)
            number = numbers.take(run)
            try:
                return await super()._execute(run)
            finally:
                del numbers.runs[number]

    return Engine


class _Aborted(_Numbers):
    """What was over when it had been announced is aborted, by its number."""

    def announced(self, number: int, run: Run) -> None:
        if run.emitter.ended and number in self.runs:
            self.runs[number].task.cancel()


ABORTED_BY_NUMBER = Fault(
    id="aborted-by-number",
    mechanism="recycling",
    source="modelcontextprotocol/python-sdk #2655, of a cancellation: it names a "
    "number that another run has by then",
    claims=frozenset({"error-containment"}),
    adapter=with_fresh_engine(lambda: _numbered(_Aborted())),
)

FAULTS = (ABORTED_BY_NUMBER,)
