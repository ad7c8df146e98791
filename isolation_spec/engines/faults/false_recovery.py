"""Recovery takes every run that is not in flight for lost, finished ones included."""

from __future__ import annotations

import asyncio
from typing import Any

from isolation_spec.engines.faults.builders import (
    OverwritingEngine,
    call_external,
    with_engine,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import AgentExecutionResult, EventType
from isolation_spec.engines.reference.runs import Run

__all__ = ["FAULTS"]


class _RecoveringEngine(OverwritingEngine):
    """Looks for lost runs when it starts. Runs that began before the reply and are no
    longer in flight are reported as lost."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._begun: list[Run] = []
        self._recovery = asyncio.get_running_loop().create_task(self._recover())

    async def _recover(self) -> None:
        await call_external()
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
    source="zombie detection in Apache Airflow: a finished run is taken for lost, and "
    "its end is reported once more",
    claims=frozenset({"event-lifecycle"}),
    adapter=with_engine(_RecoveringEngine),
)

FAULTS = (LOST_AND_OVER,)
