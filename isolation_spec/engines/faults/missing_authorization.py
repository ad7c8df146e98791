"""Missing authorization: a caller that names an object gets it without a check of its
owner."""

from __future__ import annotations

from typing import Any

from isolation_spec.engines.faults.builders import with_engine, with_fresh_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import AgentRequest, UserExecutionEngine
from isolation_spec.engines.reference.runs import Run

__all__ = ["FAULTS"]


class _UncheckedOwnerEngine(UserExecutionEngine):
    def require_owner(self, user_id: str) -> None:
        pass


UNCHECKED_SESSION = Fault(
    id="unchecked-session",
    source="agno-agi/agno #8885, AstrBot #8866: a session named by the caller is "
    "used without a check of its owner",
    claims=frozenset(
        {"context-ownership", "stored-writes", "error-containment", "event-routing"}
    ),
    adapter=with_engine(_UncheckedOwnerEngine),
)


class _UncheckedRequestEngine(UserExecutionEngine):
    def _check_request(self, request: AgentRequest) -> None:
        pass


UNCHECKED_RUN = Fault(
    id="unchecked-run",
    source="agno-agi/agno #9751: the owner of a session is checked when it is read, "
    "but not when a run is added to it",
    claims=frozenset(
        {"context-ownership", "stored-writes", "event-routing", "event-lifecycle"}
    ),
    adapter=with_engine(_UncheckedRequestEngine),
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

        def _find_run(self, run_id: str) -> Run | None:
            return runs.get(run_id)

    return Engine


ONE_RUN_TABLE = Fault(
    id="one-run-table",
    source="open-webui #25763: a request runs on a session named by the client without "
    "a check of its owner",
    claims=frozenset({"error-containment", "event-lifecycle"}),
    adapter=with_fresh_engine(_with_one_table),
)

FAULTS = (ONE_RUN_TABLE, UNCHECKED_RUN, UNCHECKED_SESSION)
