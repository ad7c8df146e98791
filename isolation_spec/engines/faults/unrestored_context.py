"""State that is set around an await and not restored correctly after a cancellation."""

from __future__ import annotations

import asyncio
from typing import Any

from isolation_spec.engines.faults.builders import with_fresh_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import UserExecutionEngine
from isolation_spec.engines.reference.runs import Run, RunOutcome

__all__ = ["FAULTS"]


def _with_gate() -> type[UserExecutionEngine]:
    """Shuts a gate for new runs while a cancelled run is stored, and then restores the
    gate's previous state."""
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
    source="python/cpython #128384: a saved state is restored, but two overlapping "
    "sections end in the order in which they began",
    claims=frozenset({"teardown"}),
    adapter=with_fresh_engine(_with_gate),
)

FAULTS = (GATE_LEFT_SHUT,)
