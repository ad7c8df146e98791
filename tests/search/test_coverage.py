"""Coverage: counts of operations, awaits and cancellations over many histories."""

import pytest

from isolation_spec.execution.run import run
from isolation_spec.model.history.entries import OperationEnded
from isolation_spec.model.history.history import History
from isolation_spec.search.coverage import Coverage
from tests.report.failing import make_adapter, sample, scenario_of


def counted(*histories: History) -> Coverage:
    coverage = Coverage()
    for history in histories:
        coverage.count(history)
    return coverage


@pytest.mark.slow
def test_operations_are_counted_by_how_they_ended() -> None:
    """Each operation that ended counts once, under its kind and its outcome."""
    history = sample(6).history

    coverage = counted(history)

    ended = len(list(history.of(OperationEnded)))
    assert ended == sum(sum(ends.values()) for ends in coverage.operations.values())
    assert {"returned": 6} == coverage.operations["connect"]
    assert "cancelled" in coverage.operations["run_agent"]


def test_awaits_and_cancellations_are_counted_by_place() -> None:
    """Where steps were counted, each place counts its waits; each cancellation its
    own."""
    history = run(scenario_of(6), make_adapter, count_steps=True)

    places = counted(history).places["run_agent"]

    awaits = [place for n, p in history.steps.items() for place in p if 13 <= n <= 18]
    assert len(awaits) == sum(count for count, _ in places.values())
    assert 1 == sum(cancelled for _, cancelled in places.values())


def test_coverages_add_up() -> None:
    """The sum of two coverages is the coverage of all their histories."""
    one, other = sample(2).history, run(scenario_of(3), make_adapter, count_steps=True)

    total = counted(one)
    total.add(counted(other))

    assert counted(one, other) == total
