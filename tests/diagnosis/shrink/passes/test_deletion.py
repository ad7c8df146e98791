"""Deletion removes everything that a predicate does not need."""

from collections.abc import Callable

import pytest

from isolation_spec.diagnosis.shrink.sort_key import size
from isolation_spec.model.scenario import (
    AdvanceTime,
    CallTool,
    Cancellation,
    CollectGarbage,
    Fail,
    Read,
    RunAgent,
    Scenario,
    Schedule,
    Spawn,
    Think,
    Transact,
    User,
    Write,
)
from tests.diagnosis.shrink.large_scenario import (
    LARGE,
    USERS,
    both,
    has,
    inside,
    minimal,
    steps,
)
from tests.diagnosis.shrink.small_scenarios import kinds, two


@pytest.mark.parametrize("kind", [AdvanceTime, CollectGarbage])
def test_an_operation_of_the_world_stays_alone(kind: type) -> None:
    """An operation of the world needs no user."""
    small = minimal(has(kind))

    assert ((), [kind.__name__]) == (small.users, kinds(small))


@pytest.mark.parametrize("label", ["alice", "bob", "carol", "dave"])
def test_one_operation_of_one_user_stays_alone(label: str) -> None:
    """All other operations and all other users are removed."""
    small = minimal(has(Write, label))

    assert (User(label=label, id=label),) == small.users
    assert ["Write"] == kinds(small)
    assert (1, 0, 0) == size(small)


def test_users_are_renumbered() -> None:
    """The remaining users keep their order and their operations under new numbers."""
    small = minimal(both(has(Write, "bob"), has(Read, "dave")))

    assert ["bob", "dave"] == [user.label for user in small.users]
    assert [("Write", 0), ("Read", 1)] == [
        (type(operation).__name__, operation.user) for operation in small.operations
    ]
    assert [] == list(small.problems())


def test_an_operation_and_a_choice_stay_together() -> None:
    """A predicate that needs a run and a class on its chain keeps exactly these two."""

    def chosen(scenario: Scenario) -> bool:
        return scenario.schedule.classes.get("23/call", 0) > 0

    small = minimal(both(has(RunAgent, "carol"), chosen))

    assert (1, 1, 0) == size(small)
    assert {"23/call": 1} == small.schedule.classes
    assert [23] == [operation.id for operation in small.operations]


def test_a_class_stays_as_high_as_it_must_be() -> None:
    """A class that fails only above 1 keeps its number."""
    small = minimal(lambda s: s.schedule.classes.get("23/call", 0) > 1)

    assert {"23/call": 5} == small.schedule.classes


def test_a_demotion_stays_alone() -> None:
    """A demotion that is needed stays alone with its operation."""
    wanted = LARGE.schedule.demotions[0]

    small = minimal(lambda s: wanted in s.schedule.demotions)

    assert Schedule(demotions=(wanted,)) == small.schedule
    assert ["OpenContext"] == kinds(small)


def test_a_choice_of_the_world_needs_no_operation() -> None:
    """A choice on a chain of the world survives the removal of all operations."""
    wanted = LARGE.schedule.demotions[1]

    small = minimal(lambda s: wanted in s.schedule.demotions)

    assert Schedule(demotions=(wanted,)) == small.schedule
    assert () == small.operations


@pytest.mark.parametrize("choice", ["burst", "split"])
def test_the_form_of_a_turn_stays_alone(choice: str) -> None:
    """Burst and split are choices of their own."""
    small = minimal(lambda s: bool(getattr(s.schedule, choice)))

    assert (0, 1, 0) == size(small)


@pytest.mark.parametrize(
    ("needed", "left"),
    [
        (lambda c: c is not None, Cancellation(step=1)),
        (
            lambda c: c is not None and c.after_step,
            Cancellation(step=1, after_step=True),
        ),
        (lambda c: c is not None and c.step >= 4, Cancellation(step=4)),
        (lambda c: c is not None and c.step == 7, Cancellation(step=7)),
    ],
    ids=["any", "early", "from-4", "exactly-7"],
)
def test_a_cancellation_is_as_small_as_it_can_be(
    needed: Callable[[Cancellation | None], bool], left: Cancellation
) -> None:
    """Before a step is smaller than after it, and an earlier step than a later one."""

    def fails(scenario: Scenario) -> bool:
        return any(needed(o.cancel) for o in scenario.operations)

    small = minimal(fails)

    assert [left] == [o.cancel for o in small.operations]


def test_a_script_is_emptied() -> None:
    """A run that always fails keeps no step."""
    assert [] == steps(minimal(has(RunAgent)))


def test_a_run_comes_to_the_foreground() -> None:
    """A run that fails in the foreground as well is moved there."""
    (run,) = minimal(has(RunAgent)).operations

    assert isinstance(run, RunAgent)
    assert not run.background


def test_a_run_stays_in_the_background_if_it_must() -> None:
    """A run that fails only in the background stays there."""
    small = minimal(lambda s: any(o.background for o in s.operations))

    assert (1, 0, 0) == size(small)


@pytest.mark.parametrize("kind", [Think, CallTool, Fail, Transact])
def test_one_step_stays_alone(kind: type) -> None:
    """The needed step is the only one left, and a child's step moves to its parent."""
    (step,) = steps(minimal(inside(kind)))

    assert isinstance(step, kind)


def test_a_child_stays_if_it_must_and_does_nothing() -> None:
    """A spawned agent that is needed has an empty script."""
    assert [Spawn(script=())] == steps(minimal(inside(Spawn)))


def test_a_step_stays_in_its_child_if_it_must() -> None:
    """A step that fails only in a child is the only step of that child."""

    def fails(scenario: Scenario) -> bool:
        return any(
            isinstance(step, Spawn) and any(isinstance(i, Fail) for i in step.script)
            for step in steps(scenario)
        )

    assert [Spawn(script=(Fail(message="m"),))] == steps(minimal(fails))


def test_deep_children_are_flattened() -> None:
    """A step at any depth moves up to the run itself."""
    script: tuple[Spawn | Fail, ...] = (Fail(message="m"),)
    for _ in range(5):
        script = (Spawn(script=script),)
    run = RunAgent(id=1, user=0, context="x", script=script)
    deep = Scenario(users=USERS[:1], operations=(run,))

    assert [Fail(message="m")] == steps(minimal(inside(Fail), deep))


@pytest.mark.parametrize("key", ["k", "k1"])
def test_one_row_of_a_transaction_stays_alone(key: str) -> None:
    """Of the rows of a transaction, only the needed one is left."""

    def fails(scenario: Scenario) -> bool:
        written = [s.items for s in steps(scenario) if isinstance(s, Transact)]
        return any(key in dict(items) for items in written)

    (step,) = steps(minimal(fails))

    assert isinstance(step, Transact)
    assert [key] == [name for name, _ in step.items]


def test_two_operations_that_need_each_other_go_together() -> None:
    """Two operations that cannot go alone are removed together."""

    def fails(scenario: Scenario) -> bool:
        ids = {operation.id for operation in scenario.operations}
        return 1 in ids and len(ids & {2, 4}) != 1

    operations = tuple(Read(id=n, user=n % 2, context="x") for n in range(1, 5))

    assert (1, 0, 0) == size(minimal(fails, two(*operations)))
