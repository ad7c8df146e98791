"""What is set around an await, and not put back as it was by whoever is struck."""

from __future__ import annotations

import asyncio
from typing import Any

from isolation_spec.engines.faults.builders import with_fresh_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import UserExecutionEngine
from isolation_spec.engines.reference.runs import Run, RunOutcome

__all__ = ["FAULTS"]


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
    mechanism="unrestored_context",
    source="python/cpython #128384: what was saved before is put back, but two that "
    "overlap end in the order in which they began",
    claims=frozenset({"teardown"}),
    adapter=with_fresh_engine(_with_gate),
)

FAULTS = (GATE_LEFT_SHUT,)
