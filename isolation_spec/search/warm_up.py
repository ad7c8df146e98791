"""Warms this process up for an engine, before it forks workers that run it."""

from __future__ import annotations

import contextlib

import msgspec

from isolation_spec.contract.checked_adapter import CheckedAdapter
from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.containment import quiet
from isolation_spec.execution.first_run import (
    engine_packages,
    first_run,
    import_modules,
)
from isolation_spec.execution.isolation.subprocess import Parent, run_in_subprocess
from isolation_spec.execution.isolation.time_limit import time_limit
from isolation_spec.search.plan import SearchPlan

__all__ = ["warm_up"]

_MOST_SECONDS = 5.0
"""The time for one run of one user, which usually takes milliseconds. An engine that
hangs in it hangs in the search, too, and is reported there."""


class Opened(msgspec.Struct, frozen=True, tag=True):
    """The packages of an engine that has opened a context."""

    packages: tuple[str, ...]


class Ran(msgspec.Struct, frozen=True, tag=True):
    """The modules that the first run of an engine has imported."""

    modules: tuple[str, ...]


def warm_up(plan: SearchPlan) -> tuple[str, ...]:
    """Imports the modules that a run of the engine imports; returns its packages.

    The engine runs in a process of its own: this process takes the names of its modules
    alone, so no state of that run is inherited. Where no context is opened, the
    packages are those of the adapter.
    """
    received = _run_apart(plan) if plan.processes else _run_here(plan)
    import_modules(received.modules)
    return (
        received.packages
        or CheckedAdapter(plan.engine.make_adapter()).engine_code.packages
    )


class _Received:
    """The messages of the first run, as far as it came."""

    packages: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()

    def take(self, message: Opened | Ran) -> None:
        if isinstance(message, Opened):
            self.packages = message.packages
        else:
            self.modules = message.modules


def _run_apart(plan: SearchPlan) -> _Received:
    make_adapter, received = plan.engine.make_adapter, _Received()

    def work(parent: Parent[Opened | Ran]) -> None:
        parent.beacon.beat()
        parent.send(Opened(engine_packages(make_adapter)))
        parent.beacon.beat()
        parent.send(Ran(first_run(make_adapter)))

    # The search meets a fault of the adapter, too, and reports it.
    with contextlib.suppress(AdapterError):
        run_in_subprocess(
            work,
            Opened | Ran,
            receive=received.take,
            name="the first run",
            engine=plan.engine.name,
            adapter=plan.engine.adapter_name,
            allowed=min(plan.run_timeout, _MOST_SECONDS),
        )
    return received


def _run_here(plan: SearchPlan) -> _Received:
    """The packages alone: a search in this process imports the modules as it goes."""
    received = _Received()
    allowed = min(plan.run_timeout, _MOST_SECONDS)
    limit = time_limit(allowed, "the opening of a context")
    with contextlib.suppress(AdapterError), quiet(), limit:
        received.take(Opened(engine_packages(plan.engine.make_adapter)))
    return received
