"""A run emits more than one terminal event."""

from __future__ import annotations

from isolation_spec.engines.faults.builders import with_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import UserExecutionEngine
from isolation_spec.engines.reference.events import EventType
from isolation_spec.engines.reference.runs import Run, RunOutcome

__all__ = ["FAULTS"]


class _TwiceEndingEngine(UserExecutionEngine):
    """Reports the end of a cancelled run, and then the cancellation as an error."""

    def _report_end(self, run: Run, outcome: RunOutcome) -> None:
        first = not run.emitter.ended
        super()._report_end(run, outcome)
        if first and outcome.event_type is EventType.AGENT_CANCELLED:
            run.emitter.ended = False
            run.emitter.finish(EventType.AGENT_ERROR, {"error": outcome.error})


ENDS_TWICE = Fault(
    id="ends-twice",
    source="strands-agents/harness-sdk #2266: a cancelled run is reported once more, "
    "as an error",
    claims=frozenset({"event-lifecycle"}),
    adapter=with_engine(_TwiceEndingEngine),
)


FAULTS = (ENDS_TWICE,)
