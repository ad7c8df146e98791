"""Replies to the announcement of a run that arrive after the run has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from isolation_spec.engines.faults.builders import (
    AnnouncingEngine,
    OverwritingEngine,
    with_engine,
)
from isolation_spec.engines.faults.fault import Fault
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


class _RegisteringEngine(AnnouncingEngine, OverwritingEngine):
    """Registers a run at the reply to its announcement, even if it has ended."""

    async def _handle_reply(self, run: Run) -> None:
        self._runs[run.run_id] = run


RUNNING_AGAIN = Fault(
    id="running-again",
    source="result backends of Celery, which now guard against it: a late status "
    "overwrites the status of a finished task, and waiters never see its end",
    claims=frozenset({"teardown"}),
    adapter=with_engine(_RegisteringEngine),
)


class _RepeatingEngine(AnnouncingEngine, OverwritingEngine):
    """Reports the start of a run again at the reply, unless the run is in flight."""

    async def _handle_reply(self, run: Run) -> None:
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
    source="KIP-360 of Apache Kafka: the state that recognises a duplicate is dropped "
    "before the duplicate arrives",
    claims=frozenset({"event-lifecycle", "event-routing"}),
    adapter=with_engine(_RepeatingEngine),
)


class _RecordingMemory(UserMemory):
    """Records the keys that each run stores."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.stored: dict[str, list[str]] = {}

    async def remember(self, key: str, value: str) -> None:
        await super().remember(key, value)
        run = current_context.get(None)
        if run is not None and run.parent_request_id == self.user_context.request_id:
            self.stored.setdefault(run.request_id, []).append(key)


class _DeletingEngine(AnnouncingEngine, OverwritingEngine):
    """Deletes the keys of a run that had ended before the reply."""

    memory: _RecordingMemory
    memory_class = _RecordingMemory

    async def _handle_reply(self, run: Run) -> None:
        stored = self.memory.stored.pop(run.context.request_id, [])
        with suppress(ClosedError):
            for key in stored if run.emitter.ended else ():
                await self.memory.forget(key)


TAKEN_BACK = Fault(
    id="taken-back",
    source="leases of etcd: the keys of a lease are deleted because its confirmation "
    "comes too late",
    claims=frozenset({"stored-writes"}),
    adapter=with_engine(_DeletingEngine),
)


class _DeadlineEngine(AnnouncingEngine, OverwritingEngine):
    """Sets a deadline for a run at the reply, and removes it when the run ends."""

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

    async def _handle_reply(self, run: Run) -> None:
        self._deadlines[run.run_id] = asyncio.get_running_loop().call_later(
            self._limits.run_seconds, self.cancel, run.run_id
        )


DEADLINE_OF_NOTHING = Fault(
    id="deadline-of-nothing",
    source="Soju06/codex-lb #2041, with a timer that comes late: a run that has ended "
    "before never removes it",
    claims=frozenset({"teardown"}),
    adapter=with_engine(_DeadlineEngine),
)


class _GrantedDispatcher(ToolDispatcher):
    """Returns the results of tools while the grant lasts."""

    granted = True

    async def _run_tool(
        self, context: UserExecutionContext, name: str, arguments: Mapping[str, Any]
    ) -> Any:
        answer = await super()._run_tool(context, name, arguments)
        if not self.granted:
            message = f"the grant to use {name!r} was revoked"
            raise PermissionError(message)
        return answer


class _RevokingEngine(AnnouncingEngine, OverwritingEngine):
    """Grants each run the tools of its context, and revokes the grant if the run had
    ended before the reply."""

    tool_dispatcher: _GrantedDispatcher
    dispatcher_class = _GrantedDispatcher

    async def _execute(self, run: Run) -> AgentExecutionResult:
        self.tool_dispatcher.granted = True
        return await super()._execute(run)

    async def _handle_reply(self, run: Run) -> None:
        if run.emitter.ended:
            self.tool_dispatcher.granted = False


REVOKED_IN_USE = Fault(
    id="revoked-in-use",
    source="revocation of tokens (RFC 7009): revoking the grant of a finished run also "
    "revokes a later grant of the same kind",
    claims=frozenset({"tool-isolation"}),
    adapter=with_engine(_RevokingEngine),
)

FAULTS = (
    DEADLINE_OF_NOTHING,
    REVOKED_IN_USE,
    RUNNING_AGAIN,
    STARTED_AFTER_ALL,
    TAKEN_BACK,
)
