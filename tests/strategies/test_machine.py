"""The machine draws well-formed scenarios in which everything occurs."""

import typing
from collections import Counter
from typing import Any

import pytest
from hypothesis.stateful import initialize, invariant, precondition, rule

from isolation_spec.model.scenario import (
    CallTool,
    Connect,
    OpenContext,
    Operation,
    RunAgent,
    Scenario,
    Spawn,
    Step,
    Transact,
    canaries_in,
    metadata_canary,
    owned_canaries,
    tools,
)
from isolation_spec.strategies.machine import IsolationMachine
from isolation_spec.strategies.scripts import COMMON
from tests.strategies.drawn import draw


def scenarios() -> list[Scenario]:
    return [drawn.scenario for drawn in draw()]


def steps(scenario: Scenario) -> list[Any]:
    def within(script: tuple[Step, ...]) -> list[Any]:
        return [
            inner
            for step in script
            for inner in (step, *within(step.script if isinstance(step, Spawn) else ()))
        ]

    return within(tuple(s for o in scenario.operations for s in o.script))


def test_so_many_are_drawn() -> None:
    """An example is a scenario, and each is handed over once."""
    assert 200 == len(scenarios())


def test_scenarios_are_well_formed() -> None:
    """No drawn scenario breaks a rule of its form."""
    assert [] == [p for scenario in scenarios() for p in scenario.problems()]


def test_scenarios_survive_json() -> None:
    """Every drawn scenario is read back as it was written."""
    for scenario in scenarios():
        assert scenario == Scenario.from_json(scenario.to_json())


def test_there_are_two_to_six_users() -> None:
    """Fewer could not harm each other; every number up to six occurs."""
    assert {2, 3, 4, 5, 6} == {len(scenario.users) for scenario in scenarios()}


def test_every_user_has_a_context_and_a_run() -> None:
    """Every user has state that can be harmed."""
    for scenario in scenarios():
        kinds = {
            (type(o).__name__, o.user) for o in scenario.operations if not o.is_world
        }
        for user in range(len(scenario.users)):
            assert {("OpenContext", user), ("RunAgent", user)} <= kinds


@pytest.mark.parametrize("kind", typing.get_args(Operation), ids=lambda k: k.__name__)
def test_each_kind_of_operation_occurs(kind: type) -> None:
    """Two hundred scenarios leave no kind of operation out."""
    assert any(isinstance(o, kind) for s in scenarios() for o in s.operations)


@pytest.mark.parametrize("kind", typing.get_args(Step), ids=lambda k: k.__name__)
def test_each_kind_of_step_occurs(kind: type) -> None:
    """Two hundred scenarios leave no kind of step out."""
    assert any(isinstance(step, kind) for s in scenarios() for step in steps(s))


@pytest.mark.parametrize("tool", tools)
def test_each_tool_is_called(tool: str) -> None:
    """Allowed, slow, failing, denied and unknown tools are all called."""
    called = [s for every in scenarios() for s in steps(every)]

    assert tool in {step.tool for step in called if isinstance(step, CallTool)}


def test_some_runs_go_on_in_the_background() -> None:
    """Both kinds of runs occur, and users with two runs in flight."""
    runs = [o for s in scenarios() for o in s.operations if isinstance(o, RunAgent)]

    assert {True, False} == {run.background for run in runs}


def test_some_operations_are_cancelled_and_most_are_not() -> None:
    """Cancellations occur, late and early, and leave most operations alone."""
    cancels = [
        operation.cancel
        for scenario in scenarios()
        for operation in scenario.operations
    ]
    given = [cancel for cancel in cancels if cancel is not None]

    assert {True, False} == {cancel.after_step for cancel in given}
    assert 0 < len(given) < len(cancels) / 4


def test_some_users_are_connected_twice_and_some_not_at_all() -> None:
    """Users with several connections and without any occur."""
    counts = {
        Counter(o.user for o in s.operations if isinstance(o, Connect))[user]
        for s in scenarios()
        for user in range(len(s.users))
    }

    assert {0, 1, 2} <= counts


def test_children_are_spawned_with_and_without_failure() -> None:
    """Spawned scripts of more than one kind occur."""
    children = {
        tuple(type(inner).__name__ for inner in step.script)
        for s in scenarios()
        for step in steps(s)
        if isinstance(step, Spawn)
    }

    assert 3 <= len(children)


# Canaries

VALUES = ("prompt", "argument", "value", "payload", "message")
"""The fields in which a user's value stands, of steps and of operations."""


def values(thing: Any) -> list[str]:
    """Every value in an operation or step, of spawned scripts and transactions, too,
    except the common question."""
    own = [getattr(thing, name) for name in VALUES if hasattr(thing, name)]
    items = [v for _, v in thing.items] if isinstance(thing, Transact) else []
    script = thing.script if isinstance(thing, RunAgent | Spawn) else ()
    inner = [value for step in script for value in values(step)]
    return [value for value in own + items + inner if value != COMMON]


def test_a_canary_stands_in_every_value() -> None:
    """Every value of a user is one canary, which proves its owner."""
    for scenario in scenarios():
        for operation in scenario.operations:
            for value in values(operation):
                assert operation.user is not None
                label = scenario.users[operation.user].label
                assert [(label, value)] == list(canaries_in(value))


def test_canaries_are_all_different() -> None:
    """No two values of a scenario are the same."""
    for scenario in scenarios():
        found = [v for operation in scenario.operations for v in values(operation)]
        found += [
            metadata_canary(scenario.users[operation.user].label, operation)
            for operation in scenario.operations
            if isinstance(operation, OpenContext)
        ]

        assert len(set(found)) == len(found)
        assert set(found) == set(owned_canaries(scenario))


# Members that would pass without ever running


async def _coroutine(self: IsolationMachine) -> None:
    """Would never be awaited."""


coroutine: Any = _coroutine
"""Typed as Hypothesis does not allow it, and as users write it all the same."""


REFUSED = {
    "some_rule": rule()(coroutine),
    "some_start": initialize()(coroutine),
    "some_invariant": invariant()(coroutine),
    "some_guarded_rule": precondition(lambda self: True)(rule()(coroutine)),
    "teardown": coroutine,
    "setup": coroutine,
    "examine": staticmethod(coroutine),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_async_members_are_refused(name: str) -> None:
    """An async rule, set-up, invariant or teardown is refused, by name, at once."""
    with pytest.raises(TypeError, match=rf"Mine\.{name} is async") as caught:
        type("Mine", (IsolationMachine,), {name: REFUSED[name]})

    assert f"write 'def {name}'" in str(caught.value)


def test_async_generators_are_refused() -> None:
    """An async generator would never be run either."""

    async def generator(self: IsolationMachine) -> typing.AsyncIterator[None]:
        yield

    untyped: Any = generator

    with pytest.raises(TypeError, match=r"Mine\.some_rule is async"):
        type("Mine", (IsolationMachine,), {"some_rule": rule()(untyped)})


def test_a_subclass_of_a_subclass_is_refused() -> None:
    """The rule holds for indirect subclasses, too."""
    child = type("Child", (IsolationMachine,), {})

    with pytest.raises(TypeError, match=r"Mine\.teardown is async"):
        type("Mine", (child,), {"teardown": coroutine})


def test_ordinary_members_are_welcome() -> None:
    """A rule, set-up, invariant and teardown that are sync are accepted."""

    def member(self: IsolationMachine) -> None:
        """Runs."""

    members = {
        "some_rule": rule()(member),
        "some_start": initialize()(member),
        "some_invariant": invariant()(member),
        "teardown": member,
    }

    assert issubclass(type("Mine", (IsolationMachine,), members), IsolationMachine)


def test_teardown_examines_nothing_while_an_error_is_under_way() -> None:
    """Teardown does not replace the first error."""

    def examine(*_: object) -> None:
        raise AssertionError("examined")

    machine = type("Mine", (IsolationMachine,), {"examine": staticmethod(examine)})()

    def end_badly() -> None:
        try:
            raise ZeroDivisionError
        finally:
            machine.teardown()

    with pytest.raises(ZeroDivisionError):
        end_badly()
