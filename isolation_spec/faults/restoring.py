"""What is set around an await, and not put back as it was by whoever is struck."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from isolation_spec.engine import (
    ToolDispatcher,
    UserExecutionContext,
    UserExecutionEngine,
    current_context,
)
from isolation_spec.engine.runs import Run, RunOutcome
from isolation_spec.faults.dispatching import with_dispatcher
from isolation_spec.faults.fault import Fault
from isolation_spec.faults.parts import with_fresh_engine

__all__ = ["FAULTS"]


def _nothing() -> None:
    """What is asked of the other side, of which only the answer matters."""


def _with_one_session() -> type[UserExecutionEngine]:
    """Tools are called in one session, which is switched if it is somebody else's."""
    turn = asyncio.Lock()
    acting: list[UserExecutionContext] = []
    noted: list[str] = []

    async def switch(context: UserExecutionContext) -> None:
        answer = asyncio.get_running_loop().run_in_executor(None, _nothing)

        def switched(answer: asyncio.Future[None]) -> None:
            if not answer.cancelled():
                acting[:] = [context]

        answer.add_done_callback(switched)
        await answer
        noted[:] = [context.user_id]

    class Dispatcher(ToolDispatcher):
        async def _run_tool(
            self, context: UserExecutionContext, name: str, arguments: Mapping[str, Any]
        ) -> Any:
            async with turn:
                if noted != [context.user_id]:
                    await switch(context)
                token = current_context.set(acting[0])
                try:
                    return await super()._run_tool(context, name, arguments)
                finally:
                    current_context.reset(token)

    return with_dispatcher(Dispatcher)


SWITCHED_UNNOTED = Fault(
    id="switched-unnoted",
    mechanism="restoring",
    source="sqlalchemy #13381, incident 17: the session is another tenant's already, "
    "and whoever had it switched is cancelled before that is noted",
    claims=frozenset({"context-ownership", "tool-isolation"}),
    adapter=with_fresh_engine(_with_one_session),
)


def _with_gate() -> type[UserExecutionEngine]:
    """While a cancelled run is undone, no other begins; then all is as it was."""
    gate = asyncio.Event()
    gate.set()

    class Engine(UserExecutionEngine):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._undoing = asyncio.Lock()

        async def _outcome_of(self, run: Run) -> RunOutcome:
            await gate.wait()
            return await super()._outcome_of(run)

        async def _store_run(
            self, run: Run, outcome: RunOutcome, *, replace: bool
        ) -> None:
            if not replace:
                return await super()._store_run(run, outcome, replace=replace)
            async with self._undoing:
                was_open = gate.is_set()
                gate.clear()
                try:
                    await super()._store_run(run, outcome, replace=replace)
                finally:
                    (gate.set if was_open else gate.clear)()

    return Engine


GATE_LEFT_SHUT = Fault(
    id="gate-left-shut",
    mechanism="restoring",
    source="python/cpython #128384: what was saved before is put back, but two that "
    "overlap end in the order in which they began",
    claims=frozenset({"teardown"}),
    adapter=with_fresh_engine(_with_gate),
)

FAULTS = (GATE_LEFT_SHUT, SWITCHED_UNNOTED)
