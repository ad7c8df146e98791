"""One user's error is stored for, shown to or suffered by another user."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import SharedClient, with_fresh_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import UserExecutionEngine
from isolation_spec.engines.reference.runs import Run, RunOutcome

__all__ = ["FAULTS"]


def _with_last_error() -> type[UserExecutionEngine]:
    """Shares the last error of all runs: a run reports it after being stored."""
    errors: list[str] = []

    class Engine(UserExecutionEngine):
        async def _store_run(
            self, run: Run, outcome: RunOutcome, *, replace: bool
        ) -> None:
            if outcome.error is not None:
                errors[:] = [outcome.error]
            await super()._store_run(run, outcome, replace=replace)

        def _report_end(self, run: Run, outcome: RunOutcome) -> None:
            if outcome.error is not None and errors:
                outcome = dataclasses.replace(outcome, error=errors[-1])
            super()._report_end(run, outcome)

    return Engine


LAST_ERROR = Fault(
    id="last-error",
    source="datastore-ndb #196, langgraph's batched store: one user's error is "
    "reported to other users as theirs",
    claims=frozenset({"context-ownership", "event-routing"}),
    adapter=with_fresh_engine(_with_last_error),
)


class _OneConnection(SharedClient):
    """A cancelled call closes the connection under the others."""

    async def start(self, environment: Environment) -> None:
        self._connection = 0
        await super().start(environment)

    async def call(self, request: Callable[[], Awaitable[Any]]) -> Any:
        connection = self._connection
        try:
            answer = await request()
        except asyncio.CancelledError:
            self._connection += 1
            raise
        if connection != self._connection:
            message = "the connection was closed"
            raise ConnectionError(message)
        return answer


CANCELLED_CLOSES_ALL = Fault(
    id="cancelled-closes-all",
    source="pydantic/pydantic-ai #2818, google/adk-python #5729: one user's "
    "cancellation closes the connection on which others wait",
    claims=frozenset({"error-containment", "tool-isolation"}),
    adapter=_OneConnection,
)


def _with_one_breaker() -> type[UserExecutionEngine]:
    """After two failures in a row, of any users, no agent starts any more."""
    failures: list[str] = []

    class Engine(UserExecutionEngine):
        async def _outcome_of(self, run: Run) -> RunOutcome:
            if len(failures) >= 2:
                return run.failed("the agent is out of order, try again later")
            outcome = await super()._outcome_of(run)
            if outcome.error is None:
                failures.clear()
            else:
                failures.append(run.agent)
            return outcome

    return Engine


ONE_BREAKER = Fault(
    id="one-breaker",
    source="App-vNext/Polly #287: a circuit breaker that all callers share opens for "
    "all of them on the failures of one",
    claims=frozenset({"error-containment"}),
    adapter=with_fresh_engine(_with_one_breaker),
)


FAULTS = (
    CANCELLED_CLOSES_ALL,
    LAST_ERROR,
    ONE_BREAKER,
)
