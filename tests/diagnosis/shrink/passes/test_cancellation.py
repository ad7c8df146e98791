"""A deletion that shortens a task and the moved cancellation are one candidate."""

import pytest

from isolation_spec.diagnosis.shrink.observation import RunObservation
from isolation_spec.diagnosis.shrink.passes.cancellation import (
    with_one_more_cancellation,
)
from isolation_spec.diagnosis.shrink.shrinker import Shrinker
from isolation_spec.diagnosis.shrink.sort_key import size
from isolation_spec.model.scenario import (
    Cancellation,
    CleanupUser,
    Operation,
    RunAgent,
    Scenario,
    Sleep,
    Think,
)
from tests.diagnosis.shrink.small_scenarios import running, two

LATE = Cancellation(step=7)


def observe(scenario: Scenario) -> RunObservation:
    """A task makes three steps, and a run two more for each step of its script."""
    scripts = {o.id: o.script for o in scenario.operations}
    return RunObservation((), {number: 3 + 2 * len(s) for number, s in scripts.items()})


def cancelled(number: int, user: int, *steps: Sleep | Think) -> RunAgent:
    return RunAgent(id=number, user=user, context="x", script=steps, cancel=LATE)


def at(operation: Operation) -> int:
    cancel: Cancellation | None = operation.cancel
    return cancel.step if cancel is not None else 0


def test_a_shorter_run_is_cancelled_earlier() -> None:
    """A script step goes, and the cancellation still comes at the last step."""

    def fails(scenario: Scenario) -> bool:
        return any(at(o) == 3 + 2 * len(o.script) for o in runs(scenario))

    script = (Sleep(seconds=5.0), Think(prompt="p"))
    small = Shrinker(fails, observe=observe).shrink(two(cancelled(1, 0, *script)))

    assert (1, 1, 0) == size(small)
    assert [3] == list(map(at, small.operations))


@pytest.mark.parametrize("cancelled_at", [2, 3])
def test_a_cancellation_moves_as_others_go(cancelled_at: int) -> None:
    """With fewer operations the same operation is cancelled at another step."""

    def fails(scenario: Scenario) -> bool:
        steps = {o.id: at(o) for o in scenario.operations}
        return steps in ({1: LATE.step, 2: 0, 3: 0, 4: 0}, {1: cancelled_at, 2: 0})

    lanes = two(cancelled(1, 0), running(2, 1), running(3, 1), running(4, 1))
    small = Shrinker(fails, observe=observe).shrink(lanes)

    assert {1: cancelled_at, 2: 0} == {o.id: at(o) for o in small.operations}


def test_a_cancellation_moves_to_another_operation() -> None:
    """With fewer operations the cancellation may belong to another operation."""

    def fails(scenario: Scenario) -> bool:
        steps = {o.id: at(o) for o in scenario.operations}
        return steps in ({1: LATE.step, 2: 0, 3: 0}, {1: 0, 2: 2})

    users = (CleanupUser(id=number, user=number % 2) for number in (2, 3))
    lanes = two(CleanupUser(id=1, user=0, cancel=LATE), *users)
    small = Shrinker(fails, observe=observe).shrink(lanes)

    assert {1: 0, 2: 2} == {o.id: at(o) for o in small.operations}


def test_each_step_is_cancelled_before_and_after() -> None:
    """A task cannot be cancelled after its last step."""
    made = [
        o.cancel
        for one in with_one_more_cancellation(two(running(1, 0)), {1: 2})
        for o in runs(one)
    ]

    assert [
        Cancellation(step=1),
        Cancellation(step=1, after_step=True),
        Cancellation(step=2),
    ] == made


def runs(scenario: Scenario) -> list[RunAgent]:
    return [o for o in scenario.operations if isinstance(o, RunAgent)]
