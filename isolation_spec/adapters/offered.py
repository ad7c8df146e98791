"""What an engine offers anything for: which part of a scenario, and which counts."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from isolation_spec import scenario as ask
from isolation_spec.adapter import Capability
from isolation_spec.scenario import Operation, Scenario, Schedule, Step, walk

__all__ = ["lacking", "offered", "reachable"]

_NEEDS: dict[type[Operation] | type[Step], Capability] = {
    ask.Connect: Capability.CONNECTIONS,
    ask.Disconnect: Capability.CONNECTIONS,
    ask.Reconnect: Capability.CONNECTIONS,
    ask.CancelRun: Capability.CANCEL,
    ask.Write: Capability.MEMORY,
    ask.Mutate: Capability.MEMORY,
    ask.Erase: Capability.ERASE,
    ask.CallTool: Capability.TOOLS,
    ask.WriteState: Capability.STATE,
    ask.ReadState: Capability.STATE,
    ask.Remember: Capability.MEMORY,
    ask.Recall: Capability.MEMORY,
    ask.Transact: Capability.TRANSACTIONS,
    ask.Emit: Capability.CONNECTIONS,
    ask.Spawn: Capability.CHILDREN,
}
"""What an operation or a step asks for; what is not named here, every engine has."""


_ALWAYS = ("users", "runs_completed", "cancellations", "cleanups", "attacks")
_REACHED_BY: dict[Capability, tuple[str, ...]] = {
    Capability.CONNECTIONS: ("handshakes", "events_delivered"),
    Capability.TRANSACTIONS: ("database_sessions",),
    Capability.TOOLS: ("tools_run",),
}


def reachable(capabilities: Collection[Capability]) -> tuple[str, ...]:
    """The counts of `Reached` that must not stay zero for an engine with these."""
    further = (_REACHED_BY.get(one, ()) for one in capabilities)
    return (*_ALWAYS, *(name for names in further for name in names))


def offered(scenario: Scenario, capabilities: frozenset[Capability]) -> Scenario:
    """The scenario without the operations, steps and choices that need more.

    What is left keeps its ids. An engine with every capability gets the scenario
    itself.
    """
    if capabilities >= set(Capability):
        return scenario
    kept = tuple(_kept(scenario.operations, capabilities))
    return msgspec.structs.replace(
        scenario, operations=kept, schedule=_choices(scenario.schedule, kept)
    )


def lacking(
    scenario: Scenario, capabilities: Collection[Capability]
) -> Iterator[tuple[str, Capability]]:
    """Yields (what asks for it, capability) for each that the scenario goes without."""
    for operation in scenario.operations:
        steps = (step for _, step in walk(getattr(operation, "script", ())))
        for one in (operation, *steps):
            for needed in sorted(_needed(one) - set(capabilities)):
                kind = str(type(one).__struct_config__.tag).replace("_", " ")
                yield f"operation {operation.id} ({kind})", needed


def _needed(one: Operation | Step) -> set[Capability]:
    needed = _NEEDS.get(type(one))
    if isinstance(one, ask.CallTool) and one.tool == "personal":
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
        if isinstance(operation, ask.RunAgent):
            script = _script(operation.script, capabilities)
            operation = msgspec.structs.replace(operation, script=script)
        yield operation


def _script(
    script: tuple[Step, ...], capabilities: frozenset[Capability]
) -> tuple[Step, ...]:
    return tuple(
        msgspec.structs.replace(step, script=_script(step.script, capabilities))
        if isinstance(step, ask.Spawn)
        else step
        for step in script
        if _has(step, capabilities)
    )


def _choices(schedule: Schedule, kept: tuple[Operation, ...]) -> Schedule:
    """The choices that concern what is kept, so that none waits for its place."""
    ids = {str(operation.id) for operation in kept}
    return msgspec.structs.replace(
        schedule,
        classes={
            chain: number
            for chain, number in schedule.classes.items()
            if chain.partition("/")[0] in ids
        },
        demotions=tuple(
            one for one in schedule.demotions if one.chain.partition("/")[0] in ids
        ),
    )
