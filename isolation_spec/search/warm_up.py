"""Warms this process up for an engine, before it forks workers that run it."""

from __future__ import annotations

import contextlib

from isolation_spec.contract.checked_adapter import CheckedAdapter
from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.containment import quiet
from isolation_spec.execution.engine_modules import (
    EngineModules,
    find_engine_modules,
    import_modules,
)
from isolation_spec.execution.isolation.subprocess import Parent, run_in_subprocess
from isolation_spec.execution.isolation.time_limit import time_limit
from isolation_spec.search.plan import SearchPlan

__all__ = ["warm_up"]

_MOST_SECONDS = 5.0
"""The time for one run of one user, which usually takes milliseconds. An engine that
hangs in it hangs in the search, too, and is reported there."""


def warm_up(plan: SearchPlan) -> tuple[str, ...]:
    """Imports the modules that a run of the engine imports; returns its packages.

    The engine runs in a process of its own. This process takes the names of its modules
    alone, so it inherits no state of that run. Where no context can be opened, the
    packages are those of the adapter.
    """
    modules = _find_apart(plan) if plan.processes else _find_here(plan)
    import_modules(modules.imported)
    adapter = CheckedAdapter(plan.engine.make_adapter())
    return modules.packages or adapter.engine_code.packages


def _find_apart(plan: SearchPlan) -> EngineModules:
    found = [EngineModules()]

    def work(parent: Parent[EngineModules]) -> None:
        parent.beacon.start()
        for modules in find_engine_modules(plan.engine.make_adapter):
            parent.send(modules)
            parent.beacon.start()

    # The search meets a fault of the adapter, too, and reports it.
    with contextlib.suppress(AdapterError):
        run_in_subprocess(
            work,
            EngineModules,
            receive=found.append,
            name="the first run",
            engine=plan.engine.name,
            adapter=plan.engine.adapter_name,
            allowed=_allowed(plan),
        )
    return found[-1]


def _find_here(plan: SearchPlan) -> EngineModules:
    """The packages alone: a search in this process imports the modules as it goes."""
    limit = time_limit(_allowed(plan), "the opening of a context")
    with contextlib.suppress(AdapterError), quiet(), limit:
        opened = next(find_engine_modules(plan.engine.make_adapter))
        return EngineModules(opened.packages)
    return EngineModules()


def _allowed(plan: SearchPlan) -> float:
    return min(plan.run_timeout, _MOST_SECONDS)
