"""Updates that a cancellation in the middle leaves incomplete."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from isolation_spec.engines.faults.builders import with_fresh_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import UserExecutionEngine
from isolation_spec.engines.reference.runs import Run, RunOutcome

__all__ = ["FAULTS"]


def _write() -> None:
    """Stands for a write outside the process; only its completion matters."""


class _Line:
    """A lock with a first-in-first-out queue of waiters."""

    def __init__(self) -> None:
        self.taken = False
        self.waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        if self.taken:
            turn = asyncio.get_running_loop().create_future()
            self.waiting.append(turn)
            try:
                await turn
            finally:
                # A waiter that was handed the turn has left the queue before.
                if turn in self.waiting:
                    self.waiting.remove(turn)
        self.taken = True

    async def __aexit__(self, *_: object) -> None:
        self.taken = False
        while self.waiting and not self.taken:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self.taken = True


def _with_queue() -> type[UserExecutionEngine]:
    """Writes the outcome of each run to one journal before it is stored, one at a time.

    Outcomes of cancelled runs and of children are not written there.
    """
    line = _Line()

    class Engine(UserExecutionEngine):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._storing = asyncio.Lock()

        async def _store_run(
            self, run: Run, outcome: RunOutcome, *, replace: bool
        ) -> None:
            if not replace and run.parent is None:
                async with self._storing, line:
                    await asyncio.get_running_loop().run_in_executor(None, _write)
            await super()._store_run(run, outcome, replace=replace)

    return Engine


TURN_DROPPED = Fault(
    id="turn-dropped",
    source="python/cpython #112202: a waiter cancelled at the moment of its turn does "
    "not pass the turn on",
    claims=frozenset({"error-containment", "teardown"}),
    adapter=with_fresh_engine(_with_queue),
)


def _with_batches() -> type[UserExecutionEngine]:
    """Stores the outcomes of cancelled runs in batches, at most one outcome per user.

    An engine that is closing stores each outcome by itself.
    """
    batch: list[tuple[Callable[[], Awaitable[None]], asyncio.Future[None]]] = []
    turns: dict[str, asyncio.Lock] = {}

    class Engine(UserExecutionEngine):
        async def _store_run(
            self, run: Run, outcome: RunOutcome, *, replace: bool
        ) -> None:
            store = partial(super()._store_run, run, outcome, replace=replace)
            if not replace or self.closed:
                return await store()
            async with turns.setdefault(self.user_context.user_id, asyncio.Lock()):
                stored = asyncio.get_running_loop().create_future()
                batch.append((store, stored))
                if len(batch) == 1:
                    try:
                        for one, done in tuple(batch):
                            await one()
                            done.set_result(None)
                    finally:
                        batch.clear()
                await stored

    return Engine


CLEARED_AFTERWARDS = Fault(
    id="cleared-afterwards",
    source="LangGraph batched store: an item that joins a batch while it is stored is "
    "cleared with it, and its caller waits for ever",
    claims=frozenset({"teardown"}),
    adapter=with_fresh_engine(_with_batches),
)

FAULTS = (CLEARED_AFTERWARDS, TURN_DROPPED)
