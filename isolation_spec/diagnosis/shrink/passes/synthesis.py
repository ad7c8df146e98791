"""The pass that composes small scenarios of the steps of the failing one.

Most failures need one or two contexts, one or two operations in them, and perhaps a
cancellation. Greedy deletions do not get there where two things must change at once.
Scenarios of that size, made of the same steps, are few enough to be tried one by one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import msgspec

from isolation_spec.diagnosis.shrink.canaries import reassign, remove_canaries
from isolation_spec.diagnosis.shrink.edits import as_script, remove_user, sleep_first
from isolation_spec.diagnosis.shrink.sort_key import complexity
from isolation_spec.diagnosis.shrink.step_catalogue import EVERY_STEP
from isolation_spec.model.scenario import (
    OpenContext,
    Operation,
    Recall,
    Remember,
    RunAgent,
    Scenario,
    Sleep,
    Step,
    Transact,
    Write,
    walk,
)

__all__ = ["synthesize"]

replace = msgspec.structs.replace
Lane: TypeAlias = tuple[Any, ...]
"""The operations of one user in sequence; they get their user when they are placed."""


def synthesize(scenario: Scenario) -> Iterator[Scenario]:
    """Scenarios made of the steps of this one and smaller than it, smallest first."""
    ingredients, limit = _gather(scenario), complexity(scenario)
    for operations, make_lanes in _SHAPES:
        if operations < limit:
            for lanes in make_lanes(ingredients):
                yield _compose(ingredients, lanes)


class _Ingredients(NamedTuple):
    """The parts of which scenarios are composed.

    Attributes:
        opened: user -> the first context that the user opens.
        users: the users who may be alone; only one of them if no user has an odd name.
        pairs: the pairs of users who may be together; only one pair likewise.
        steps: the different script steps.
        single: the different operations in contexts, each with one step at most.
        double: the runs of any two steps.
    """

    scenario: Scenario
    opened: dict[int, OpenContext]
    users: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    steps: tuple[Step, ...]
    single: tuple[Any, ...]
    double: tuple[Any, ...]


def _gather(scenario: Scenario) -> _Ingredients:
    opened: dict[int, OpenContext] = {}
    requests: list[Any] = []
    operation: Any
    for operation in scenario.operations:
        if isinstance(operation, OpenContext):
            opened.setdefault(operation.user, replace(operation, cancel=None))
        elif operation.context is not None and operation.victim is None:
            requests.append(operation)
    pairs = tuple(itertools.permutations(opened, 2))
    plain = all(user.id == user.label for user in scenario.users)
    steps = _distinct_steps(requests)
    single = _distinct((_run(), *requests, *map(_run, steps)))
    return _Ingredients(
        scenario=scenario,
        opened=opened,
        users=tuple(opened)[: 1 if plain else None],
        pairs=pairs[:1] if plain else pairs,
        steps=steps,
        single=single[: 2 * _MOST_STEPS],
        double=tuple(itertools.starmap(_run, itertools.product(steps, steps))),
    )


_MOST_STEPS = 4
"""Steps that are combined with each other; with more there are too many pairs."""


def _run(*script: Step) -> RunAgent:
    return RunAgent(id=0, user=0, context="", script=script)


def _distinct_steps(operations: Iterable[Operation]) -> tuple[Step, ...]:
    """The different steps of these operations, without sleeps."""
    walked = (
        step for operation in operations for _, step in walk(as_script(operation))
    )
    runs = (_run(step) for step in walked if not isinstance(step, Sleep))
    return tuple(run.script[0] for run in _distinct(runs)[:_MOST_STEPS])


def _with_plain_key(step: Step) -> Step:
    match step:
        case Remember() | Recall():
            return replace(step, key="k")
        case Transact(items=((_, value), *_)):
            return replace(step, items=(("k", value),))
    return step


def _distinct(operations: Iterable[Any]) -> tuple[Any, ...]:
    """The operations without repetitions; canaries, users and contexts do not count."""
    found: dict[str, Any] = {}
    for bare in map(_strip, operations):
        found.setdefault(remove_canaries(bare), bare)
    return tuple(found.values())


def _strip(operation: Any) -> Any:
    bare = replace(operation, id=0, user=0, context="", cancel=None)
    match bare:
        case RunAgent(script=script):
            plain = tuple(map(_with_plain_key, script))
            return replace(bare, background=False, script=plain)
        case Write():
            return replace(bare, key="k")
    return bare


def _compose(ingredients: _Ingredients, lanes: dict[int, Lane]) -> Scenario:
    """The scenario of only these users, in which each has a context and this lane."""
    used = [ingredients.opened[user].id for user in lanes]
    ids = [o.id for o in ingredients.scenario.operations]
    free = itertools.chain(
        (number for number in ids if number not in used), itertools.count(max(ids) + 1)
    )
    operations: list[Operation] = []
    for user, lane in lanes.items():
        operations.append(ingredients.opened[user])
        label = ingredients.scenario.users[user].label
        for operation in lane:
            named: Any = {"id": next(free), "context": ingredients.opened[user].context}
            operations.append(reassign(replace(operation, **named), user, label))
    made = Scenario(users=ingredients.scenario.users, operations=tuple(operations))
    for user in range(len(made.users) - 1, -1, -1):
        if user not in lanes:
            made = remove_user(made, user)
    return made


# The shapes


def _one_operation(ingredients: _Ingredients) -> Iterator[dict[int, Lane]]:
    """One user with one operation: a gathered one, or a run of one or two steps."""
    every = [_run(step) for step in EVERY_STEP]
    for step, other in itertools.product(ingredients.steps, EVERY_STEP):
        every += [_run(step, other), _run(other, step)]
    for user, operation in itertools.product(
        ingredients.users, (*ingredients.single, *every)
    ):
        yield {user: (operation,)}


def _three_operations_at_once(ingredients: _Ingredients) -> Iterator[dict[int, Lane]]:
    """One user with three operations at once, the first two in the background."""
    background = tuple(map(_in_background, ingredients.single[:_MOST_STEPS]))
    for user in ingredients.users:
        for one, other in itertools.product(background, background):
            for then in ingredients.single[:_MOST_STEPS]:
                yield {user: (one, other, then)}


def _in_background(operation: Any) -> Any:
    if isinstance(operation, RunAgent):
        return replace(operation, background=True)
    return operation


def _one_operation_each(ingredients: _Ingredients) -> Iterator[dict[int, Lane]]:
    """Two users with one operation each."""
    for one, other in ingredients.pairs:
        for first in (*ingredients.single, *ingredients.double):
            for second in ingredients.single:
                yield {one: (first,), other: (second,)}


def _one_delayed_operation_each(ingredients: _Ingredients) -> Iterator[dict[int, Lane]]:
    """Two users with one operation each, one delayed or both resuming together."""
    for one, other in ingredients.pairs:
        for first in (*ingredients.single, *ingredients.double):
            for second in ingredients.single:
                yield {one: (first,), other: (sleep_first(second),)}
                yield {one: (sleep_first(first),), other: (sleep_first(second),)}
                yield {one: (second,), other: (first,)}


_SHAPES: tuple[tuple[int, Callable[[_Ingredients], Iterator[dict[int, Lane]]]], ...] = (
    (2, _one_operation),
    (4, _three_operations_at_once),
    (4, _one_operation_each),
    (4, _one_delayed_operation_each),
)
"""(operations with those that open contexts, the lanes of the shape)."""
