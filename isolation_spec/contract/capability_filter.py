"""Restricts scenarios, and the required activity, to the capabilities of an engine."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from isolation_spec.contract.capabilities import Capability
from isolation_spec.model.scenario import (
    CallTool,
    CancelRun,
    Connect,
    Disconnect,
    Emit,
    Erase,
    Mutate,
    Operation,
    ReadState,
    Recall,
    Reconnect,
    Remember,
    RunAgent,
    Scenario,
    Spawn,
    Step,
    Transact,
    Write,
    WriteState,
    walk,
)

__all__ = ["missing_capabilities", "required_activity", "restrict_to_capabilities"]

_NEEDS: dict[type[Operation] | type[Step], Capability] = {
    Connect: Capability.CONNECTIONS,
    Disconnect: Capability.CONNECTIONS,
    Reconnect: Capability.CONNECTIONS,
    CancelRun: Capability.CANCEL,
    Write: Capability.MEMORY,
    Mutate: Capability.MEMORY,
    Erase: Capability.ERASE,
    CallTool: Capability.TOOLS,
    WriteState: Capability.STATE,
    ReadState: Capability.STATE,
    Remember: Capability.MEMORY,
    Recall: Capability.MEMORY,
    Transact: Capability.TRANSACTIONS,
    Emit: Capability.CONNECTIONS,
    Spawn: Capability.CHILDREN,
}
"""Operation or step -> the capability that it requires; every engine has the rest."""


_ALWAYS = ("users", "runs_completed", "cancellations", "cleanups", "attacks")
_REACHED_BY: dict[Capability, tuple[str, ...]] = {
    Capability.CONNECTIONS: ("handshakes", "events_delivered"),
    Capability.TRANSACTIONS: ("database_sessions",),
    Capability.TOOLS: ("tools_run",),
}


def required_activity(capabilities: Collection[Capability]) -> tuple[str, ...]:
    """The activity counters that must not stay zero for an engine with these."""
    further = (_REACHED_BY.get(one, ()) for one in capabilities)
    return (*_ALWAYS, *(name for names in further for name in names))


def restrict_to_capabilities(
    scenario: Scenario, capabilities: frozenset[Capability]
) -> Scenario:
    """The scenario without the operations, steps and choices that need more.

    The remaining operations keep their ids. An engine with every capability gets the
    scenario itself.
    """
    if capabilities >= set(Capability):
        return scenario
    kept = tuple(_kept(scenario.operations, capabilities))
    schedule = scenario.schedule.restricted_to({operation.id for operation in kept})
    return msgspec.structs.replace(scenario, operations=kept, schedule=schedule)


def missing_capabilities(
    scenario: Scenario, capabilities: Collection[Capability]
) -> Iterator[tuple[str, Capability]]:
    """Yields (operation or step, missing capability) for each that is left out."""
    for operation in scenario.operations:
        steps = (step for _, step in walk(operation.script))
        for one in (operation, *steps):
            for needed in sorted(_needed(one) - set(capabilities)):
                kind = str(type(one).__struct_config__.tag).replace("_", " ")
                yield f"operation {operation.id} ({kind})", needed


def _needed(one: Operation | Step) -> set[Capability]:
    needed = _NEEDS.get(type(one))
    if isinstance(one, CallTool) and one.tool == "personal":
        return {Capability.TOOLS, Capability.PERMISSIONS}
    return set() if needed is None else {needed}


def _has(one: Operation | Step, capabilities: frozenset[Capability]) -> bool:
    return _needed(one) <= capabilities


def _kept(
    operations: tuple[Operation, ...], capabilities: frozenset[Capability]
) -> Iterator[Operation]:
    for operation in operations:
        if not _has(operation, capabilities):
            continue
        if isinstance(operation, RunAgent):
            script = _script(operation.script, capabilities)
            operation = msgspec.structs.replace(operation, script=script)
        yield operation


def _script(
    script: tuple[Step, ...], capabilities: frozenset[Capability]
) -> tuple[Step, ...]:
    return tuple(
        msgspec.structs.replace(step, script=_script(step.script, capabilities))
        if isinstance(step, Spawn)
        else step
        for step in script
        if _has(step, capabilities)
    )
