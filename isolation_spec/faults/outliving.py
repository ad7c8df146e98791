"""Work that goes on after the one for whom it is done has left."""

from __future__ import annotations

import asyncio
from typing import Any

from isolation_spec.adapters.reference import ReferenceAdapter
from isolation_spec.engine import EventType, UserExecutionEngine
from isolation_spec.faults.fault import Fault

__all__ = ["FAULTS"]


class _Heartbeat(UserExecutionEngine):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._heartbeat = asyncio.get_running_loop().create_task(self._beat())

    async def _beat(self) -> None:
        self._beats = 0
        while True:
            await asyncio.sleep(10)
            self._beats += 1


class _HeartbeatAdapter(ReferenceAdapter):
    engine_class = _Heartbeat


HEARTBEAT_SURVIVES = Fault(
    id="heartbeat-survives",
    mechanism="outliving",
    source="miguelgrinberg/python-socketio #1301: a service task survives its owner",
    claims=frozenset({"teardown"}),
    adapter=_HeartbeatAdapter,
)


class _GoesOn(UserExecutionEngine):
    def cancel(self, run_id: str) -> bool:
        run = self._runs.get(run_id)
        if run is not None:
            run.emitter.finish(EventType.AGENT_CANCELLED, {"error": "cancelled"})
            run.emitter.ended = False
        return run is not None


class _GoesOnAdapter(ReferenceAdapter):
    engine_class = _GoesOn


RUN_GOES_ON = Fault(
    id="run-goes-on",
    mechanism="outliving",
    source="openai/openai-agents-python #574: leaving a run tells its end, but the run "
    "goes on and tells more",
    claims=frozenset({"event-lifecycle", "tool-isolation"}),
    adapter=_GoesOnAdapter,
)

FAULTS = (
    HEARTBEAT_SURVIVES,
    RUN_GOES_ON,
)
