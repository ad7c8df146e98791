"""Finds the packages of an engine, for the header of a search."""

from __future__ import annotations

import msgspec

from isolation_spec.contract.checked_adapter import CheckedAdapter
from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.containment import quiet
from isolation_spec.execution.isolation.subprocess import Parent, run_in_subprocess
from isolation_spec.execution.isolation.time_limit import time_limit
from isolation_spec.execution.run import engine_packages
from isolation_spec.search.plan import SearchPlan

__all__ = ["find_packages"]

_MOST_SECONDS = 5.0
"""The time for one run with one operation, which usually takes milliseconds. An engine
that hangs in it hangs in the search, too, and is reported there."""


class Found(msgspec.Struct, frozen=True, tag=True):
    """The packages of an engine."""

    packages: tuple[str, ...]


def find_packages(plan: SearchPlan) -> tuple[str, ...]:
    """The packages of the engine; of its adapter alone where no context is opened."""
    make_adapter = plan.engine.make_adapter
    allowed = min(plan.run_timeout, _MOST_SECONDS)
    received: list[Found] = []

    def work(parent: Parent[Found]) -> None:
        parent.beacon.beat()
        parent.send(Found(engine_packages(make_adapter)))

    try:
        if plan.processes:
            run_in_subprocess(
                work,
                Found,
                receive=received.append,
                name="the opening of a context",
                engine=plan.engine.name,
                adapter=plan.engine.adapter_name,
                allowed=allowed,
            )
        else:
            with quiet(), time_limit(allowed, "the opening of a context"):
                received.append(Found(engine_packages(make_adapter)))
    except AdapterError:
        # The search meets the same fault, and reports it.
        pass
    if received:
        return received[0].packages
    return CheckedAdapter(make_adapter()).engine_code.packages
