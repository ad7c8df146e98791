"""Answers to the announcement of a run that come when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from isolation_spec.engines.faults.builders import Announcing, Overwriting, with_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.faults.tool_call_order import with_dispatcher
from isolation_spec.engines.reference import (
    AgentExecutionResult,
    ClosedError,
    Event,
    EventType,
    ToolDispatcher,
    UserExecutionContext,
    UserMemory,
    current_context,
)
from isolation_spec.engines.reference.runs import Run

__all__ = ["FAULTS"]


class _Registering(Announcing, Overwriting):
    """A run that was announced is registered, whatever became of it."""

    async def _announced(self, run: Run) -> None:
        self._runs[run.run_id] = run


RUNNING_AGAIN = Fault(
    id="running-again",
    mechanism="late_callbacks",
    source="result backends of Celery, which now guard against it: a late status goes "
    "over that of a task which is over, and its end is waited for in vain",
    claims=frozenset({"teardown"}),
    adapter=with_engine(_Registering),
)


class _Telling(Announcing, Overwriting):
    """The start of a run is told once more with the answer, unless the run is known;
    known are those under way."""

    async def _announced(self, run: Run) -> None:
        if run.run_id in self._runs:
            return
        start = Event(
            type=EventType.AGENT_STARTED,
            user_id=run.context.user_id,
            thread_id=run.context.thread_id,
            run_id=run.run_id,
            sequence=1,
            payload={"agent": run.agent},
        )
        self._events.notify(start.user_id, start.to_json())


STARTED_AFTER_ALL = Fault(
    id="started-after-all",
    mechanism="late_callbacks",
    source="KIP-360 of Apache Kafka: that by which a repetition is recognised is "
    "forgotten before the repetition comes",
    claims=frozenset({"event-lifecycle", "event-routing"}),
    adapter=with_engine(_Telling),
)


class _Remembering(UserMemory):
    """Knows what each run has stored."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.stored: dict[str, list[str]] = {}

    async def remember(self, key: str, value: str) -> None:
        await super().remember(key, value)
        run = current_context.get(None)
        if run is not None and run.parent_request_id == self.user_context.request_id:
            self.stored.setdefault(run.request_id, []).append(key)


class _TakingBack(Announcing, Overwriting):
    """What a run stored is taken back if it was over before it was announced."""

    memory: _Remembering

    def _create_memory(self) -> UserMemory:
        return _Remembering(
            self.user_context, self.database_session_manager, locks=self._write_locks
        )

    async def _announced(self, run: Run) -> None:
        stored = self.memory.stored.pop(run.context.request_id, [])
        with suppress(ClosedError):
            for key in stored if run.emitter.ended else ():
                await self.memory.forget(key)


TAKEN_BACK = Fault(
    id="taken-back",
    mechanism="late_callbacks",
    source="leases of etcd: what was stored under one goes, since its confirmation "
    "comes too late",
    claims=frozenset({"stored-writes"}),
    adapter=with_engine(_TakingBack),
)


class _Limited(Announcing, Overwriting):
    """A run that was announced has a deadline, which is taken off when it ends."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._deadlines: dict[str, asyncio.TimerHandle] = {}

    async def _execute(self, run: Run) -> AgentExecutionResult:
        try:
            return await super()._execute(run)
        finally:
            deadline = self._deadlines.pop(run.run_id, None)
            if deadline is not None:
                deadline.cancel()

    async def _announced(self, run: Run) -> None:
        self._deadlines[run.run_id] = asyncio.get_running_loop().call_later(
            self._limits.run_seconds, self.cancel, run.run_id
        )


DEADLINE_OF_NOTHING = Fault(
    id="deadline-of-nothing",
    mechanism="late_callbacks",
    source="Soju06/codex-lb #2041, with a timer that comes late: what was over before "
    "is never there to take it off",
    claims=frozenset({"teardown"}),
    adapter=with_engine(_Limited),
)


class _Granted(ToolDispatcher):
    """Hands out what tools answer as long as that is granted."""

    granted = True

    async def _run_tool(
        self, context: UserExecutionContext, name: str, arguments: Mapping[str, Any]
    ) -> Any:
        answer = await super()._run_tool(context, name, arguments)
        if not self.granted:
            message = f"the grant to use {name!r} was revoked"
            raise PermissionError(message)
        return answer


class _Revoking(Announcing, Overwriting):
    """Each run has its context's tools granted; the grant is revoked if it was over
    before it was announced."""

    tool_dispatcher: _Granted
    _create_dispatcher = with_dispatcher(_Granted)._create_dispatcher

    async def _execute(self, run: Run) -> AgentExecutionResult:
        self.tool_dispatcher.granted = True
        return await super()._execute(run)

    async def _announced(self, run: Run) -> None:
        if run.emitter.ended:
            self.tool_dispatcher.granted = False


REVOKED_IN_USE = Fault(
    id="revoked-in-use",
    mechanism="late_callbacks",
    source="revocation of tokens (RFC 7009): what is revoked for one who is gone takes "
    "with it what was granted since on the same ground",
    claims=frozenset({"tool-isolation"}),
    adapter=with_engine(_Revoking),
)

FAULTS = (
    DEADLINE_OF_NOTHING,
    REVOKED_IN_USE,
    RUNNING_AGAIN,
    STARTED_AFTER_ALL,
    TAKEN_BACK,
)
