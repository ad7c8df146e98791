"""How large a scenario is, and which of two is the smaller one."""

from __future__ import annotations

from isolation_spec.diagnosis.shrink.passes.simplification import plainness
from isolation_spec.model.scenario import RunAgent, Scenario, Spawn, Step

__all__ = ["order", "size", "total"]


def size(scenario: Scenario) -> tuple[int, int, int]:
    """(operations, decisions, script steps); decisions are choices that are not
    zero."""
    schedule = scenario.schedule
    decisions = (
        len(schedule.classes)
        + len(schedule.demotions)
        + bool(schedule.burst)
        + schedule.split
        + sum(o.cancel is not None for o in scenario.operations)
    )
    scripts = [o.script for o in scenario.operations if isinstance(o, RunAgent)]
    return len(scenario.operations), decisions, sum(map(_steps, scripts))


def _steps(script: tuple[Step, ...]) -> int:
    return sum(
        1 + (_steps(step.script) if isinstance(step, Spawn) else 0) for step in script
    )


def total(scenario: Scenario) -> int:
    """Operations and decisions together."""
    operations, decisions, _ = size(scenario)
    return operations + decisions


def order(scenario: Scenario) -> tuple[float, ...]:
    """What a smaller scenario has less of, the first of these that differs: operations
    and decisions together, operations, steps, and what makes it hard to read."""
    operations, decisions, steps = size(scenario)
    return (operations + decisions, operations, steps, *plainness(scenario))
