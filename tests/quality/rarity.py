"""How rarely each fault shows by chance: its minimal workload, run a thousand times.

The operations of its known minimum, without what is decided there, under schedules in
which any arrival is as likely as another to be next; half of the runs cancel something,
a few of them two things, at any step of any operation, before it or after it. Nothing
here steers.

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
from tests.quality.stories import tell

__all__ = [
    "Rarity",
    "least_story",
    "measure",
    "plain",
    "uniform",
]

RARE = 10
"""Of a thousand runs; a fault that fails in fewer is rare."""


class Rarity(msgspec.Struct, frozen=True, kw_only=True):
    """Of so many runs of the minimal workload of a fault so many failed.

    `needs_control` is True for a fault none of whose minimal workloads fails in plain
    order without a cancellation.
    """

    fault: str
    runs: int
    failed: int
    needs_control: bool

    @property
    def rare(self) -> bool:
        """True if it fails in fewer than 10 of 1,000 runs."""
        return self.failed * 1000 < RARE * self.runs


def plain(scenario: Scenario) -> Scenario:
    """The workload alone: nothing is held back, and nobody cancelled by the world."""
    operations = tuple(
        msgspec.structs.replace(operation, cancel=None)
        if operation.cancel is not None
        else operation
        for operation in scenario.operations
    )
    return msgspec.structs.replace(scenario, operations=operations, schedule=Schedule())


def uniform(
    workload: Scenario, steps: dict[int, tuple[str, ...]], chance: random.Random
) -> tuple[Scenario, RandomScheduler]:
    """The workload with up to two cancellations, and a scheduler for it."""
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


def least_story(fault: str) -> Minimum:
    """The smallest of the fault's minima, whatever the claim."""
    own = [minimum for minimum in MINIMA if minimum.fault == fault]
    return min(own, key=lambda one: sum(_size(told(one))))


def told(minimum: Minimum) -> Scenario:
    """What its story tells."""
    return tell(minimum.story, NAMES.get(minimum.fault, PLAIN))


def _size(scenario: Scenario) -> tuple[int, int]:
    schedule = scenario.schedule
    cancelled = [o for o in scenario.operations if o.cancel]
    return len(scenario.operations), len(cancelled) + len(schedule.classes) + len(
        schedule.demotions
    )


@without_pool_warnings()
def measure(fault: str, runs: int) -> Rarity:
    """Runs the fault's minimal workload so often by chance alone."""
    (planted,) = (one for one in FAULTS if one.id == fault)
    make = find_engine(f"reference+{fault}").make_adapter
    claims = tuple(find_claim(claim) for claim in sorted(planted.claims))

    def fails(scenario: Scenario, scheduler: Any = None) -> tuple[bool, Any]:
        history = run(scenario, make, scheduler=scheduler, count_steps=True)
        judged = judge_with_solos(history, make, claims)
        return any(judgement.violations for judgement in judged), history

    own = [minimum for minimum in MINIMA if minimum.fault == fault]
    needs_control = not any(fails(plain(told(one)))[0] for one in own)
    workload = plain(told(least_story(fault)))
    steps = fails(workload)[1].steps
    failed = 0
    for number in range(runs):
        chance = random.Random(f"{fault}/{number}")
        failed += fails(*uniform(workload, steps, chance))[0]
    return Rarity(fault=fault, runs=runs, failed=failed, needs_control=needs_control)


def measured(faults: Iterable[str], runs: int) -> Iterator[Rarity]:
    """Yields each fault's, several at a time."""
    ids = list(faults)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        yield from pool.map(measure, ids, [runs] * len(ids))


@click.command
@click.option("--runs", default=1000, show_default=True, help="Runs of each workload.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write it there.")
@click.argument("faults", nargs=-1)
def main(runs: int, file: Path | None, faults: tuple[str, ...]) -> None:
    """How many of so many runs of each fault's minimal workload fail by chance."""
    rarities = []
    for one in measured(faults or [fault.id for fault in FAULTS], runs):
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
