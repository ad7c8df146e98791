"""Recovery that takes for lost whatever is not under way."""

from __future__ import annotations

import asyncio
from typing import Any

from isolation_spec.engines.faults.builders import Overwriting, answered, with_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import AgentExecutionResult, EventType
from isolation_spec.engines.reference.runs import Run

__all__ = ["FAULTS"]


class _Recovering(Overwriting):
    """Asks at its beginning what was left behind. Of the runs that began before the
    answer those that are no longer under way are told to be lost."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._begun: list[Run] = []
        self._recovery = asyncio.get_running_loop().create_task(self._recover())

    async def _recover(self) -> None:
        await answered()
        for run in self._begun:
            if run.run_id not in self._runs and not self.closed:
                run.emitter.ended = False
                run.emitter.finish(EventType.AGENT_ERROR, {"error": "lost"})
        self._begun.clear()

    async def _execute(self, run: Run) -> AgentExecutionResult:
        if not self._recovery.done():
            self._begun.append(run)
        return await super()._execute(run)


LOST_AND_OVER = Fault(
    id="lost-and-over",
    mechanism="false_recovery",
    source="zombie detection in Apache Airflow: what is over and not under way any "
    "more is taken for lost, and its end is told once more",
    claims=frozenset({"event-lifecycle"}),
    adapter=with_engine(_Recovering),
)

FAULTS = (LOST_AND_OVER,)
