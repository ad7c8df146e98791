"""The rarity of faults: failures by chance, and faults that plain order never shows."""

import random

import pytest

from isolation_spec.engines.faults import LEAST
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.run import run
from isolation_spec.model.scenario import Schedule
from tests.quality.enumerator import PLAIN
from tests.quality.notation import parse
from tests.quality.rarity import Rarity, draw_cancellations, measure

pytestmark = pytest.mark.slow

DECIDED = sorted(
    fault
    for fault, claims in LEAST.items()
    if all(decisions for _, decisions in claims.values())
)
"""Faults all of whose minima have a decision or a cancellation."""


@pytest.mark.parametrize("fault", DECIDED)
def test_the_decisions_of_a_minimum_are_needed(fault: str) -> None:
    """Without its decisions no minimal workload of the fault fails in plain order."""
    assert measure(fault, 0).needs_control


def test_a_failure_in_plain_order_needs_no_control() -> None:
    """A fault with a minimum without decisions fails in most random runs, too."""
    rarity = measure("heartbeat-survives", 30)

    assert not rarity.needs_control
    assert not rarity.rare
    assert rarity.failed > 12


def test_random_cancellations_show_a_lost_permit() -> None:
    """Some, but fewer than half, of sixty runs of its minimal workload fail."""
    assert 0 < measure("permit-lost", 60).failed < 30


def test_rare_is_fewer_than_ten_of_a_thousand() -> None:
    """The bound is a share, for any number of runs."""

    def rare(failed: int, runs: int) -> bool:
        one = Rarity(fault="x", runs=runs, failed=failed, needs_control=True)
        return one.rare

    assert [True, False] == [rare(9, 1000), rare(10, 1000)]
    assert [True, False] == [rare(0, 100), rare(1, 100)]


def test_chance_cancels_any_operation_at_any_step() -> None:
    """Half of the runs have cancellations, some have two, and every place is drawn."""
    workload = parse("open run[think] | open", PLAIN)
    make = find_engine("reference").make_adapter
    steps = run(workload, make, count_steps=True).steps
    chance = random.Random(0)
    counts = [0, 0, 0]
    places: set[tuple[int, int, bool]] = set()
    for _ in range(2000):
        drawn, _ = draw_cancellations(workload, steps, chance)
        cancels = [
            (operation.id, operation.cancel)
            for operation in drawn.operations
            if operation.cancel is not None
        ]
        counts[len(cancels)] += 1
        places |= {(number, c.step, c.after_step) for number, c in cancels}
        assert drawn.schedule == Schedule()

    assert all(counts)
    assert 0.4 < counts[0] / 2000 < 0.6
    assert 2 * sum(len(waits) for waits in steps.values()) == len(places)
