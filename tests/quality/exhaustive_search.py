"""Finds the smallest scenario that shows a fault: it runs all scenarios by size.

Of scenarios of equal size, those with fewer operations come first.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from isolation_spec.claims import find_claim
from isolation_spec.contract.errors import AdapterError
from isolation_spec.engines.faults import Fault
from isolation_spec.engines.registry import Engine
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import judge_with_solos
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Scenario
from tests.quality.enumerator import Names, with_each_decision
from tests.quality.relevance import Relevance

__all__ = ["Finding", "find_smallest", "make_probe"]


class Finding(NamedTuple):
    """A failing scenario: its decisions, its violated claim, and the runs before it."""

    scenario: Scenario
    decisions: int
    claim: str
    runs: int


Probe: TypeAlias = Callable[[Scenario], tuple[History | None, str | None]]


def make_probe(engine: Engine, claims: Iterable[str]) -> Probe:
    """A function that runs a scenario and returns its history and a violated claim.

    The claim is None if all of them hold, the history None for an invalid scenario.
    """
    judged = tuple(find_claim(claim) for claim in sorted(claims))

    def probe(scenario: Scenario) -> tuple[History | None, str | None]:
        try:
            history = run(scenario, engine.make_adapter, count_steps=True)
        except AdapterError:
            return None, None
        judgements = judge_with_solos(history, engine.make_adapter, judged)
        return history, next((j.claim for j in judgements if j.violations), None)

    return probe


def candidates(
    relevance: Relevance, names: Names, size: int, probe: Probe
) -> Iterator[tuple[Scenario, str | None]]:
    """Yields every scenario of this size, and the claim that it violates or None.

    Scenarios with fewer operations come first. A scenario has at most as many
    decisions as operations.
    """
    for operations in range(-(-size // 2), size + 1):
        for scenario in relevance.of(names, operations):
            yield from _probe(scenario, size - operations, probe)


def _probe(
    scenario: Scenario, decisions: int, probe: Probe
) -> Iterator[tuple[Scenario, str | None]]:
    history, claim = probe(scenario)
    if not decisions:
        yield scenario, claim
    elif history is not None and claim is None:
        for one in with_each_decision(history):
            yield from _probe(one, decisions - 1, probe)


def find_smallest(fault: Fault, names: Names, most: int) -> Finding | None:
    """The first scenario of at most this size that violates a claim of the fault."""
    engine = Engine(f"reference+{fault.id}", fault.adapter)
    probe, relevance = make_probe(engine, fault.claims), Relevance(fault, engine)
    runs = itertools.count(1)
    for size in range(1, most + 1):
        for scenario, claim in candidates(relevance, names, size, probe):
            number = next(runs)
            if claim is not None:
                decisions = size - len(scenario.operations)
                return Finding(scenario, decisions, claim, number)
    return None
