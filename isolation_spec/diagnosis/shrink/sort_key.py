"""The size of a scenario, and the order in which the shrinker prefers scenarios."""

from __future__ import annotations

from isolation_spec.model.scenario import (
    Connect,
    OpenContext,
    Operation,
    Read,
    RunAgent,
    Scenario,
    Sleep,
    Spawn,
    Step,
    Think,
    Write,
    walk,
)

__all__ = ["complexity", "size", "sort_key"]

_SIMPLEST_KINDS = (Read, Write, Connect, OpenContext)
"""The kinds of operations that readers understand at a glance, the simplest first."""


def size(scenario: Scenario) -> tuple[int, int, int]:
    """(operations, decisions, script steps).

    A decision is a choice that is not zero: a class, a demotion, burst, split or a
    cancellation.
    """
    schedule = scenario.schedule
    decisions = (
        len(schedule.classes)
        + len(schedule.demotions)
        + bool(schedule.burst)
        + schedule.split
        + sum(o.cancel is not None for o in scenario.operations)
    )
    scripts = [o.script for o in scenario.operations if isinstance(o, RunAgent)]
    return len(scenario.operations), decisions, sum(map(_count_steps, scripts))


def _count_steps(script: tuple[Step, ...]) -> int:
    return sum(
        1 + (_count_steps(step.script) if isinstance(step, Spawn) else 0)
        for step in script
    )


def complexity(scenario: Scenario) -> int:
    """The number of operations and decisions together."""
    operations, decisions, _ = size(scenario)
    return operations + decisions


def sort_key(scenario: Scenario) -> tuple[float, ...]:
    """The key by which scenarios compare; the smaller one is the better example.

    The first component that differs decides: operations and decisions together, then
    operations, then script steps, then everything that makes a scenario hard to read.
    """
    operations, decisions, steps = size(scenario)
    return (operations + decisions, operations, steps, *_readability_key(scenario))


def _readability_key(scenario: Scenario) -> tuple[float, ...]:
    """Smaller for a scenario that is easier to read; the first component counts most.

    The components are: background runs, kinds of operations, cancellations after a
    step, sizes of choices, users, tools other than `echo`, keys other than `k` and `s`,
    virtual seconds, users with odd names, the letters of these, and bytes of the rest.
    """
    operations, schedule = scenario.operations, scenario.schedule
    cancels = [c for o in operations if (c := o.cancel) is not None]
    odd = [user.id for user in scenario.users if user.id != user.label]
    text = scenario.to_json()
    return (
        sum(operation.background for operation in operations),
        sum(map(_rank_kind, operations)),
        sum(cancel.after_step for cancel in cancels),
        sum(cancel.step + cancel.turns for cancel in cancels)
        + sum(schedule.classes.values()),
        len(scenario.users),
        text.count(b'"call_tool"') - text.count(b'"echo"'),
        text.count(b'"key":') - sum(map(text.count, (b'"key":"k"', b'"key":"s"'))),
        sum(map(_count_seconds, operations)),
        len(odd),
        sum(map(len, odd)),
        len(text) - sum(len(user.id) for user in scenario.users),
    )


def _rank_kind(operation: Operation) -> int:
    kinds = enumerate(_SIMPLEST_KINDS)
    ranks = (rank for rank, kind in kinds if isinstance(operation, kind))
    return next(ranks, len(_SIMPLEST_KINDS))


def _count_seconds(operation: Operation) -> float:
    """The virtual seconds it waits, and one more if nothing arrives meanwhile."""
    sleeping = sum(
        step.seconds
        for _, step in walk(operation.script)
        if isinstance(step, Sleep | Think)
    )
    return sleeping + operation.seconds + operation.stalled
