"""Nobody asks who is asking: what is another user's is handed to whoever names it."""

from __future__ import annotations

from typing import Any

from isolation_spec.engines.faults.builders import with_engine, with_fresh_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import AgentRequest, UserExecutionEngine
from isolation_spec.engines.reference.runs import Run

__all__ = ["FAULTS"]


class _Unchecked(UserExecutionEngine):
    def require_owner(self, user_id: str) -> None:
        pass


UNCHECKED_SESSION = Fault(
    id="unchecked-session",
    mechanism="missing_authorization",
    source="agno-agi/agno #8885, AstrBot #8866: a session that the caller names "
    "is used without asking whose it is",
    claims=frozenset(
        {"context-ownership", "stored-writes", "error-containment", "event-routing"}
    ),
    adapter=with_engine(_Unchecked),
)


class _UncheckedRequest(UserExecutionEngine):
    def _check_request(self, request: AgentRequest) -> None:
        pass


UNCHECKED_RUN = Fault(
    id="unchecked-run",
    mechanism="missing_authorization",
    source="agno-agi/agno #9751: who owns a session is asked when it is read, not when "
    "a run is added to it",
    claims=frozenset(
        {"context-ownership", "stored-writes", "event-routing", "event-lifecycle"}
    ),
    adapter=with_engine(_UncheckedRequest),
)


def _with_one_table() -> type[UserExecutionEngine]:
    runs: dict[str, Run] = {}

    class Engine(UserExecutionEngine):
        def _register(self, *given: Any, **named: Any) -> Run:
            run = super()._register(*given, **named)
            runs[run.run_id] = run
            return run

        def _forget_run(self, run: Run) -> None:
            super()._forget_run(run)
            runs.pop(run.run_id, None)

        def cancel(self, run_id: str) -> bool:
            run = runs.get(run_id)
            if run is not None:
                run.task.cancel()
            return run is not None

    return Engine


ONE_RUN_TABLE = Fault(
    id="one-run-table",
    mechanism="missing_authorization",
    source="open-webui #25763: a request is carried out on a session that the client "
    "names, whoever owns it",
    claims=frozenset({"error-containment", "event-lifecycle"}),
    adapter=with_fresh_engine(_with_one_table),
)

FAULTS = (ONE_RUN_TABLE, UNCHECKED_RUN, UNCHECKED_SESSION)
