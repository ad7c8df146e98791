"""Small scenarios made anew of what is asked for in the failing one.

Most failures need a context or two, an operation or two in them, and perhaps a
cancellation. Greedy steps do not come there where two things must change at once; all
that is as small as that, and made of the same steps, can be tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import msgspec

from isolation_spec.diagnosis.shrink.canaries import asked_by, unsigned
from isolation_spec.diagnosis.shrink.passes.deletion import without_user
from isolation_spec.diagnosis.shrink.passes.merging import later, script_of
from isolation_spec.diagnosis.shrink.sort_key import total
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

__all__ = ["composed"]

replace = msgspec.structs.replace
Lane: TypeAlias = tuple[Any, ...]
"""What a user asks for, one after the other; whose it is, is said later."""


def composed(scenario: Scenario) -> Iterator[Scenario]:
    """What is smaller than the scenario and made of its steps, the smallest first."""
    kit, most = ingredients(scenario), total(scenario)
    for operations, make in _FORMS:
        if operations < most:
            for lanes in make(kit):
                yield _put(kit, lanes)


class Ingredients(NamedTuple):
    """What is put together.

    Attributes:
        opened: the context of each user who has any.
        users, pairs: who may be there alone, or with whom; one and one pair if all
            have plain names.
        single: what is asked for in contexts, one thing at a time.
        double: runs of two steps.
    """

    scenario: Scenario
    opened: dict[int, OpenContext]
    users: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    steps: tuple[Step, ...]
    single: tuple[Any, ...]
    double: tuple[Any, ...]


def ingredients(scenario: Scenario) -> Ingredients:
    opened: dict[int, OpenContext] = {}
    asked: list[Any] = []
    operation: Any
    for operation in scenario.operations:
        if isinstance(operation, OpenContext):
            opened.setdefault(operation.user, replace(operation, cancel=None))
        elif operation.context is not None and operation.victim is None:
            asked.append(operation)
    pairs = tuple(itertools.permutations(opened, 2))
    plain = all(user.id == user.label for user in scenario.users)
    steps = _steps(asked)
    single = _distinct((_run(), *asked, *map(_run, steps)))
    return Ingredients(
        scenario=scenario,
        opened=opened,
        users=tuple(opened)[: 1 if plain else None],
        pairs=pairs[:1] if plain else pairs,
        steps=steps,
        single=single[: 2 * _MOST],
        double=tuple(itertools.starmap(_run, itertools.product(steps, steps))),
    )


_MOST = 4
"""Steps that are combined with each other; of more there are too many pairs."""


def _run(*script: Step) -> RunAgent:
    return RunAgent(id=0, user=0, context="", script=script)


def _steps(asked: Iterable[Operation]) -> tuple[Step, ...]:
    """The different steps of these operations, except that they wait."""
    walked = (step for operation in asked for _, step in walk(script_of(operation)))
    runs = (_run(step) for step in walked if not isinstance(step, Sleep))
    return tuple(run.script[0] for run in _distinct(runs)[:_MOST])


def _plain(step: Step) -> Step:
    match step:
        case Remember() | Recall():
            return replace(step, key="k")
        case Transact(items=((_, value), *_)):
            return replace(step, items=(("k", value),))
    return step


def _distinct(operations: Iterable[Any]) -> tuple[Any, ...]:
    """Each once that differs in more than canaries, wherever it stands."""
    found: dict[str, Any] = {}
    for bare in map(_bare, operations):
        found.setdefault(unsigned(bare), bare)
    return tuple(found.values())


def _bare(operation: Any) -> Any:
    bare = replace(operation, id=0, user=0, context="", cancel=None)
    match bare:
        case RunAgent(script=script):
            plain = tuple(map(_plain, script))
            return replace(bare, background=False, script=plain)
        case Write():
            return replace(bare, key="k")
    return bare


def _put(kit: Ingredients, lanes: dict[int, Lane]) -> Scenario:
    """The users do this, each in a context, one lane after the other; nobody else is
    there."""
    used = [kit.opened[user].id for user in lanes]
    ids = [o.id for o in kit.scenario.operations]
    free = itertools.chain(
        (number for number in ids if number not in used), itertools.count(max(ids) + 1)
    )
    operations: list[Operation] = []
    for user, lane in lanes.items():
        operations.append(kit.opened[user])
        label = kit.scenario.users[user].label
        for asked in lane:
            named: Any = {"id": next(free), "context": kit.opened[user].context}
            operations.append(asked_by(replace(asked, **named), user, label))
    made = Scenario(users=kit.scenario.users, operations=tuple(operations))
    for user in range(len(made.users) - 1, -1, -1):
        if user not in lanes:
            made = without_user(made, user)
    return made


# The forms


def _alone(kit: Ingredients) -> Iterator[dict[int, Lane]]:
    """One user, one thing: what was asked for, or whatever an agent can do, beside
    one of the steps."""
    every = [_run(step) for step in EVERY_STEP]
    for step, other in itertools.product(kit.steps, EVERY_STEP):
        every += [_run(step, other), _run(other, step)]
    for user, asked in itertools.product(kit.users, (*kit.single, *every)):
        yield {user: (asked,)}


def _thrice(kit: Ingredients) -> Iterator[dict[int, Lane]]:
    """One user, three things at once."""
    meanwhile = tuple(map(_behind, kit.single[:_MOST]))
    for user in kit.users:
        for one, other in itertools.product(meanwhile, meanwhile):
            for then in kit.single[:_MOST]:
                yield {user: (one, other, then)}


def _behind(operation: Any) -> Any:
    if isinstance(operation, RunAgent):
        return replace(operation, background=True)
    return operation


def _beside(kit: Ingredients) -> Iterator[dict[int, Lane]]:
    """Two users, one thing each."""
    for one, other in kit.pairs:
        for doing in (*kit.single, *kit.double):
            for theirs in kit.single:
                yield {one: (doing,), other: (theirs,)}


def _met(kit: Ingredients) -> Iterator[dict[int, Lane]]:
    """Two users, one thing each, one of them later or both at the same moment."""
    for one, other in kit.pairs:
        for doing in (*kit.single, *kit.double):
            for theirs in kit.single:
                yield {one: (doing,), other: (later(theirs),)}
                yield {one: (later(doing),), other: (later(theirs),)}
                yield {one: (theirs,), other: (doing,)}


_FORMS: tuple[tuple[int, Callable[[Ingredients], Iterator[dict[int, Lane]]]], ...] = (
    (2, _alone),
    (4, _thrice),
    (4, _beside),
    (4, _met),
)
"""How many operations, and what is done."""
