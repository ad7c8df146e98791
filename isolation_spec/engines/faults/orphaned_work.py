"""Work that goes on after its run, user or engine has ended."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from isolation_spec.engines.faults.builders import (
    with_engine,
    with_factory,
    with_memory,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    ClosedError,
    EventType,
    ExecutionEngineFactory,
    UserExecutionEngine,
    UserMemory,
)
from isolation_spec.engines.reference.runs import Run

__all__ = ["FAULTS"]


class _HeartbeatEngine(UserExecutionEngine):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._heartbeat = asyncio.get_running_loop().create_task(self._beat())

    async def _beat(self) -> None:
        self._beats = 0
        while True:
            await asyncio.sleep(10)
            self._beats += 1


HEARTBEAT_SURVIVES = Fault(
    id="heartbeat-survives",
    source="miguelgrinberg/python-socketio #1301: a service task survives its owner",
    claims=frozenset({"teardown"}),
    adapter=with_engine(_HeartbeatEngine),
)


class _UnstoppedEngine(UserExecutionEngine):
    def _cancel_run(self, run: Run) -> None:
        run.emitter.finish(EventType.AGENT_CANCELLED, {"error": "cancelled"})
        run.emitter.ended = False


RUN_GOES_ON = Fault(
    id="run-goes-on",
    source="openai/openai-agents-python #574: leaving a run reports its end, but the "
    "run goes on and emits more events",
    claims=frozenset({"event-lifecycle", "tool-isolation"}),
    adapter=with_engine(_UnstoppedEngine),
)


class _LateMemory(UserMemory):
    """Writes each value again a while later, as a checkpoint does."""

    async def remember(self, key: str, value: str) -> None:
        await super().remember(key, value)
        loop = asyncio.get_running_loop()
        self._checkpoint = loop.create_task(self._write_again(key, value))

    async def _write_again(self, key: str, value: str) -> None:
        await asyncio.sleep(0.5)
        with suppress(ClosedError):
            await super().remember(key, value)


COMES_BACK = Fault(
    id="comes-back",
    source="langchain-ai/langgraph #7206, deer-flow #5664: a detached writer restores "
    "entries that were deleted meanwhile",
    claims=frozenset({"stored-writes"}),
    adapter=with_memory(lambda: _LateMemory),
)


class _EarlyAcknowledgingMemory(UserMemory):
    """Acknowledges a write before it is stored."""

    async def remember(self, key: str, value: str) -> None:
        writing = asyncio.get_running_loop().create_task(self._write(key, value))
        self._writing = writing
        await asyncio.sleep(0)

    async def _write(self, key: str, value: str) -> None:
        with suppress(ClosedError):
            await super().remember(key, value)


WRITTEN_LATER = Fault(
    id="written-later",
    source="langchain-ai/langgraph #6701: a store acknowledges entries that its "
    "background writer has not written",
    claims=frozenset({"stored-writes", "context-ownership"}),
    adapter=with_memory(lambda: _EarlyAcknowledgingMemory),
)


class _ReminderEngine(UserExecutionEngine):
    def _forget_run(self, run: Run) -> None:
        super()._forget_run(run)
        # A reminder in an hour; its closure keeps the run and its parts alive.
        asyncio.get_running_loop().call_later(3600.0, lambda: run.run_id)


TIMER_LEFT = Fault(
    id="timer-left",
    source="codex-lb #2041: a timer that is never cancelled keeps a request alive",
    claims=frozenset({"teardown"}),
    adapter=with_engine(_ReminderEngine),
)


class _PrefixFactory(ExecutionEngineFactory):
    async def cleanup_user_context(self, user_id: str) -> None:
        users = {slot.user_id for slot in self._slots}
        for user in sorted(users):
            if user.startswith(user_id):
                await super().cleanup_user_context(user)


PREFIX_CLEANUP = Fault(
    id="prefix-cleanup",
    source="incident 19 in a cleanup: users whose id starts with the user's id are "
    "cleaned up, too",
    claims=frozenset({"error-containment", "event-lifecycle", "stored-writes"}),
    adapter=with_factory(_PrefixFactory),
)


FAULTS = (
    COMES_BACK,
    HEARTBEAT_SURVIVES,
    PREFIX_CLEANUP,
    RUN_GOES_ON,
    TIMER_LEFT,
    WRITTEN_LATER,
)
