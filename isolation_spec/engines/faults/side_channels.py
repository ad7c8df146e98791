"""Side channels: a user observes the activity of others, but none of their values.

Counters, budgets and positions in a list carry no canary. Only the comparison with a
run of the user alone shows that they differ.
"""

from __future__ import annotations

from collections import Counter, deque

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import with_fresh_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    Message,
    RunRecord,
    UserExecutionContext,
    UserExecutionEngine,
)
from isolation_spec.engines.reference.adapter import ReferenceAdapter

__all__ = ["FAULTS"]


class _CountingAdapter(ReferenceAdapter):
    async def start(self, environment: Environment) -> None:
        self._answers = 0
        await super().start(environment)

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        answer = await super().answer(context, messages)
        self._answers += 1
        return f"{answer} (answer {self._answers} of this session)"


ONE_UPSTREAM = Fault(
    id="one-upstream",
    source="IBM/mcp-context-forge #4205: a gateway opens one upstream session, and its "
    "state, for all of its clients",
    claims=frozenset({"noninterference"}),
    adapter=_CountingAdapter,
)


class _SharedBudgetAdapter(ReferenceAdapter):
    """A budget meant for each run but counted for all; late runs get less of it."""

    BUDGET = 3

    async def start(self, environment: Environment) -> None:
        self._spent: Counter[str] = Counter()
        await super().start(environment)

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        self._spent["model"] += 1
        if self._spent["model"] > self.BUDGET:
            await self.environment.completion()
            return "the budget is spent"
        return await super().answer(context, messages)


SHARED_BUDGET = Fault(
    id="shared-budget",
    source="BerriAI/litellm #36149, aiohttp #792: one client serves all tenants, and a "
    "budget spent by one tenant is spent for all",
    claims=frozenset({"noninterference"}),
    adapter=_SharedBudgetAdapter,
)


class _CurrentThreadAdapter(ReferenceAdapter):
    """Stores the current thread on the adapter across an await."""

    async def start(self, environment: Environment) -> None:
        self._thread = ""
        await super().start(environment)

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        self._thread = f"{context.user_id} on {context.thread_id}"
        answer = await super().answer(context, messages)
        return f"{answer} for {self._thread}"


SESSION_ON_CLIENT = Fault(
    id="session-on-client",
    source="mem0ai/mem0 #4359, aden-hive #2762: the current session is set on the "
    "client when a call begins and read after its await",
    claims=frozenset({"noninterference"}),
    adapter=_CurrentThreadAdapter,
)


def _with_one_history() -> type[UserExecutionEngine]:
    records: deque[RunRecord] = deque(maxlen=2)

    class Engine(UserExecutionEngine):
        @property
        def run_history(self) -> tuple[RunRecord, ...]:
            own = set(self._history)
            return tuple(record for record in records if record in own)

        def _remember_run(self, record: RunRecord) -> None:
            super()._remember_run(record)
            records.append(record)

    return Engine


SHARED_RETENTION = Fault(
    id="shared-retention",
    source="gradio-app/gradio #743: one history for all users, in which the busiest "
    "user's entries evict the others'",
    claims=frozenset({"noninterference"}),
    adapter=with_fresh_engine(_with_one_history),
)


FAULTS = (ONE_UPSTREAM, SESSION_ON_CLIENT, SHARED_BUDGET, SHARED_RETENTION)
