"""Measures how rarely each fault shows by chance, in runs of its minimal workload.

The workload is the operations of the fault's minimum without its decisions. The random
scheduler makes every waiting arrival equally likely to be next. Half of the runs have a
cancellation, and 15 % have two, before or after any step of any operation.

    python -m tests.quality.rarity [--runs N] [--json FILE] [FAULT ...]
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import msgspec

from isolation_spec.claims import find_claim
from isolation_spec.engines.faults import FAULTS
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.containment import without_pool_warnings
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import judge_with_solos
from isolation_spec.model.scenario import (
    AdvanceTime,
    Cancellation,
    CollectGarbage,
    Scenario,
    Schedule,
    Shutdown,
)
from isolation_spec.world.schedulers.random import RandomScheduler
from tests.quality.enumerator import PLAIN
from tests.quality.minima import MINIMA, NAMES, Minimum
from tests.quality.notation import parse

__all__ = [
    "Rarity",
    "draw_cancellations",
    "measure",
    "plain",
    "smallest_minimum",
]

RARE = 10
"""A fault that fails in fewer of 1,000 runs is rare."""


class Rarity(msgspec.Struct, frozen=True, kw_only=True):
    """The number of failed runs of a fault's minimal workload.

    `needs_control` is True if no minimal workload of the fault fails in plain order
    without a cancellation.
    """

    fault: str
    runs: int
    failed: int
    needs_control: bool

    @property
    def rare(self) -> bool:
        """Whether it fails in fewer than 10 of 1,000 runs."""
        return self.failed * 1000 < RARE * self.runs


def plain(scenario: Scenario) -> Scenario:
    """The scenario without cancellations and with an empty schedule."""
    operations = tuple(
        msgspec.structs.replace(operation, cancel=None)
        if operation.cancel is not None
        else operation
        for operation in scenario.operations
    )
    return msgspec.structs.replace(scenario, operations=operations, schedule=Schedule())


def draw_cancellations(
    workload: Scenario, steps: dict[int, tuple[str, ...]], chance: random.Random
) -> tuple[Scenario, RandomScheduler]:
    """The workload with up to two cancellations, and a random scheduler for it."""
    places = [
        (index, step, early)
        for index, operation in enumerate(workload.operations)
        if not isinstance(operation, AdvanceTime | CollectGarbage | Shutdown)
        for step in range(1, len(steps.get(operation.id, ())) + 1)
        for early in (False, True)
    ]
    operations = list(workload.operations)
    cancels = chance.choices((0, 1, 2), (50, 35, 15))[0]
    for index, step, early in chance.choices(places, k=cancels) if places else ():
        cancel = Cancellation(step=step, after_step=early)
        operations[index] = msgspec.structs.replace(operations[index], cancel=cancel)
    cancelled = msgspec.structs.replace(workload, operations=tuple(operations))
    return cancelled, RandomScheduler(cancelled.schedule, chance)


def smallest_minimum(fault: str) -> Minimum:
    """The smallest of the fault's minima, over all claims."""
    own = [minimum for minimum in MINIMA if minimum.fault == fault]
    return min(own, key=lambda one: sum(_size(scenario_of(one))))


def scenario_of(minimum: Minimum) -> Scenario:
    """The scenario of a minimum."""
    return parse(minimum.scenario, NAMES.get(minimum.fault, PLAIN))


def _size(scenario: Scenario) -> tuple[int, int]:
    schedule = scenario.schedule
    cancelled = [o for o in scenario.operations if o.cancel]
    return len(scenario.operations), len(cancelled) + len(schedule.classes) + len(
        schedule.demotions
    )


@without_pool_warnings()
def measure(fault: str, runs: int) -> Rarity:
    """Runs the fault's minimal workload this often under random schedules."""
    (planted,) = (one for one in FAULTS if one.id == fault)
    make = find_engine(f"reference+{fault}").make_adapter
    claims = tuple(find_claim(claim) for claim in sorted(planted.claims))

    def fails(scenario: Scenario, scheduler: Any = None) -> tuple[bool, Any]:
        history = run(scenario, make, scheduler=scheduler, count_steps=True)
        judged = judge_with_solos(history, make, claims)
        return any(judgement.violations for judgement in judged), history

    own = [minimum for minimum in MINIMA if minimum.fault == fault]
    needs_control = not any(fails(plain(scenario_of(one)))[0] for one in own)
    workload = plain(scenario_of(smallest_minimum(fault)))
    steps = fails(workload)[1].steps
    failed = 0
    for number in range(runs):
        chance = random.Random(f"{fault}/{number}")
        failed += fails(*draw_cancellations(workload, steps, chance))[0]
    return Rarity(fault=fault, runs=runs, failed=failed, needs_control=needs_control)


def measure_all(faults: Iterable[str], runs: int) -> Iterator[Rarity]:
    """Yields the rarity of each fault, measured in several processes."""
    ids = list(faults)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        yield from pool.map(measure, ids, [runs] * len(ids))


@click.command
@click.option("--runs", default=1000, show_default=True, help="Runs of each workload.")
@click.option(
    "--json", "file", type=click.Path(path_type=Path), help="Write the figures there."
)
@click.argument("faults", nargs=-1)
def main(runs: int, file: Path | None, faults: tuple[str, ...]) -> None:
    """Measure how many runs of each fault's minimal workload fail by chance."""
    rarities = []
    for one in measure_all(faults or [fault.id for fault in FAULTS], runs):
        note = "  only with a decision or a cancellation" if one.needs_control else ""
        click.echo(f"{one.fault:<24}{one.failed:>6} of {one.runs:,}{note}")
        rarities.append(one)
    rare = sum(one.rare for one in rarities)
    needing = sum(one.needs_control for one in rarities)
    click.echo(f"{rare} of {len(rarities)} fail in fewer than {RARE} of 1,000 runs;")
    click.echo(f"{needing} cannot fail without a decision or a cancellation.")
    if file is not None:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(rarities)))


if __name__ == "__main__":
    sys.exit(main())
