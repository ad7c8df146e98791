"""Changes that stay halfway if whoever makes them is struck in between."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque

from isolation_spec.engine import (
    AgentExecutionResult,
    AgentRequest,
    UserExecutionEngine,
)
from isolation_spec.engine.runs import Run, RunOutcome
from isolation_spec.faults.fault import Fault
from isolation_spec.faults.parts import with_engine, with_fresh_engine

__all__ = ["FAULTS"]


def _nothing() -> None:
    """What is asked of the other side, of which only the answer matters."""


class _Upstream:
    """Connected by the first run that needs it, and closed by the last one."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._users = 0
        self._reader: asyncio.Task[bool] | None = None

    async def enter(self) -> None:
        async with self._turn:
            loop = asyncio.get_running_loop()
            if self._users == 0:
                await loop.run_in_executor(None, _nothing)
                self._reader = loop.create_task(
                    asyncio.Event().wait(), context=contextvars.Context()
                )
            self._users += 1

    async def leave(self) -> None:
        async with self._turn:
            self._users -= 1
            if self._users == 0 and self._reader is not None:
                self._reader.cancel()
                await asyncio.get_running_loop().run_in_executor(None, _nothing)


def _with_upstream() -> type[UserExecutionEngine]:
    upstream = _Upstream()

    class Engine(UserExecutionEngine):
        async def _outcome_of(self, run: Run) -> RunOutcome:
            await upstream.enter()
            try:
                return await super()._outcome_of(run)
            finally:
                await upstream.leave()

    return Engine


LEAVING_UNCOUNTED = Fault(
    id="leaving-uncounted",
    mechanism="halfway",
    source="pydantic/pydantic-ai #2355, #2818: a shared session is closed by the last "
    "one who leaves, and one who is cancelled while leaving is counted for ever",
    claims=frozenset({"teardown"}),
    adapter=with_fresh_engine(_with_upstream),
)


class _Unacquired(UserExecutionEngine):
    async def execute_agent(
        self, name: str, request: AgentRequest, *, run_id: str | None = None
    ) -> AgentExecutionResult:
        run = self._admit(name, request, run_id)
        try:
            await self._slots.acquire()
            return await self._execute(run)
        finally:
            self._slots.release()
            self._forget_run(run)


SLOT_GIVEN_TWICE = Fault(
    id="slot-given-twice",
    mechanism="halfway",
    source="python/cpython #76915: one who is cancelled while waiting gives back what "
    "it never had, and then more are let in than there are places",
    claims=frozenset({"exact-limits"}),
    adapter=with_engine(_Unacquired),
)


def _with_line() -> type[UserExecutionEngine]:
    """The ends of runs are stored one after the other; those cancelled, at once."""
    waiting: deque[asyncio.Future[None]] = deque()
    busy: list[Run] = []

    async def take_turn() -> None:
        turn = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await turn
        finally:
            if turn in waiting:
                waiting.remove(turn)

    class Engine(UserExecutionEngine):
        async def _store_run(
            self, run: Run, outcome: RunOutcome, *, replace: bool
        ) -> None:
            if replace:
                return await super()._store_run(run, outcome, replace=replace)
            if busy:
                await take_turn()
            busy[:] = [run]
            try:
                await super()._store_run(run, outcome, replace=replace)
            finally:
                turn = next((one for one in waiting if not one.done()), None)
                if turn is None:
                    busy.clear()
                else:
                    waiting.remove(turn)
                    turn.set_result(None)

    return Engine


TURN_DROPPED = Fault(
    id="turn-dropped",
    mechanism="halfway",
    source="python/cpython #112202: whoever is cancelled in the moment in which it is "
    "its turn passes the turn to nobody",
    claims=frozenset({"error-containment"}),
    adapter=with_fresh_engine(_with_line),
)

FAULTS = (LEAVING_UNCOUNTED, SLOT_GIVEN_TWICE, TURN_DROPPED)
