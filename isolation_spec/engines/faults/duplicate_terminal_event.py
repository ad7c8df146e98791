"""How a run tells its end: once."""

from __future__ import annotations

from isolation_spec.engines.faults.builders import with_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import UserExecutionEngine
from isolation_spec.engines.reference.events import EventType
from isolation_spec.engines.reference.runs import Run, RunOutcome

__all__ = ["FAULTS"]


class _EndsTwice(UserExecutionEngine):
    """A run that is cancelled tells so, and then of the error that this was."""

    def _tell_end(self, run: Run, outcome: RunOutcome) -> None:
        first = not run.emitter.ended
        super()._tell_end(run, outcome)
        if first and outcome.event_type is EventType.AGENT_CANCELLED:
            run.emitter.ended = False
            run.emitter.finish(EventType.AGENT_ERROR, {"error": outcome.error})


ENDS_TWICE = Fault(
    id="ends-twice",
    mechanism="duplicate_terminal_event",
    source="strands-agents/harness-sdk #2266: what was cancelled is reported once "
    "more, as an error that nobody had asked for",
    claims=frozenset({"event-lifecycle"}),
    adapter=with_engine(_EndsTwice),
)


FAULTS = (ENDS_TWICE,)
