"""What others do shows in one's own view, though no value of theirs does.

Numbers, shares of a budget and places in a list are nobody's canary: only a run without
the others tells that they changed.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    ExecutionEngineFactory,
    Message,
    RunRecord,
    UserExecutionContext,
    UserExecutionEngine,
)
from isolation_spec.engines.reference.adapter import ReferenceAdapter

__all__ = ["FAULTS"]


class _CountingModel(ReferenceAdapter):
    async def start(self, environment: Environment) -> None:
        self._asked = 0
        await super().start(environment)

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        answer = await super().answer(context, messages)
        self._asked += 1
        return f"{answer} (answer {self._asked} of this session)"


ONE_UPSTREAM = Fault(
    id="one-upstream",
    mechanism="side_channels",
    source="IBM/mcp-context-forge #4205: a gateway opens one upstream session, and its "
    "state, for all of its clients",
    claims=frozenset({"noninterference"}),
    adapter=_CountingModel,
)


class _SparingModel(ReferenceAdapter):
    """A budget for each run, kept for the process: whoever comes late gets less."""

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
    mechanism="side_channels",
    source="BerriAI/litellm #36149, aiohttp #792: one client for all tenants, and what "
    "one of them uses up is used up for all",
    claims=frozenset({"noninterference"}),
    adapter=_SparingModel,
)


class _LatestModel(ReferenceAdapter):
    """Keeps on itself for which thread it answers, across the await."""

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
    mechanism="side_channels",
    source="mem0ai/mem0 #4359, aden-hive #2762: the current session is set on the "
    "client when a call begins and read after its await",
    claims=frozenset({"noninterference"}),
    adapter=_LatestModel,
)


class _RecordsFactory(ExecutionEngineFactory):
    def __init__(self, **options: Any) -> None:
        records: deque[RunRecord] = deque(maxlen=2)

        class Engine(UserExecutionEngine):
            @property
            def run_history(self) -> tuple[RunRecord, ...]:
                mine = set(self._history)
                return tuple(record for record in records if record in mine)

            def _remember_run(self, record: RunRecord) -> None:
                super()._remember_run(record)
                records.append(record)

        options["engine_class"] = Engine
        super().__init__(**options)


class _RecordsAdapter(ReferenceAdapter):
    factory_class = _RecordsFactory


SHARED_RETENTION = Fault(
    id="shared-retention",
    mechanism="side_channels",
    source="gradio-app/gradio #743: one history for all, of which the busiest user's "
    "entries push out the others'",
    claims=frozenset({"noninterference"}),
    adapter=_RecordsAdapter,
)


FAULTS = (ONE_UPSTREAM, SESSION_ON_CLIENT, SHARED_BUDGET, SHARED_RETENTION)
