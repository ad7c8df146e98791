"""Makes a failing scenario smaller until nothing more can go.

Users, operations, scripts, identifiers, scheduling choices and cancellations are one
value here and shrink together. Every candidate is run; it replaces the scenario if the
same clause of the same claim still fails. Removing an operation removes its choices, as
these hang on it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from isolation_spec.scenario import (
    Demotion,
    OpenContext,
    Operation,
    RunAgent,
    Scenario,
    Schedule,
    Spawn,
    Step,
    User,
)

__all__ = ["Shrinker", "size"]

replace = msgspec.structs.replace
Fails = Callable[[Scenario], bool]


def size(scenario: Scenario) -> tuple[int, int, int]:
    """(operations, decisions, script steps); decisions are choices that are not
    zero."""
    schedule = scenario.schedule
    decisions = (
        len(schedule.classes)
        + len(schedule.demotions)
        + bool(schedule.burst)
        + schedule.split
        + sum(getattr(o, "cancel", None) is not None for o in scenario.operations)
    )
    scripts = [o.script for o in scenario.operations if isinstance(o, RunAgent)]
    return len(scenario.operations), decisions, sum(map(_steps, scripts))


def _steps(script: tuple[Step, ...]) -> int:
    return sum(
        1 + (_steps(step.script) if isinstance(step, Spawn) else 0) for step in script
    )


class Shrinker:
    """Greedy, in passes from coarse to fine, until a whole round changes nothing.

    Arguments:
        fails: runs a scenario and says whether it still fails the same way.
        most: the most scenarios that it may run.
    """

    def __init__(self, fails: Fails, *, most: int = 1500) -> None:
        self._fails = fails
        self._left = most
        self._tried: set[bytes] = set()
        self.runs = 0

    def shrink(self, scenario: Scenario) -> Scenario:
        """The smallest scenario found that still fails."""
        while self._left > 0:
            before = scenario
            for candidates in _PASSES:
                scenario = self._exhaust(scenario, candidates)
            if scenario == before:
                break
        return scenario

    def _exhaust(
        self, scenario: Scenario, candidates: Callable[[Scenario], Iterator[Scenario]]
    ) -> Scenario:
        """Takes the first smaller candidate that fails, again and again."""
        found = True
        while found and self._left > 0:
            found = False
            for candidate in candidates(scenario):
                if self._try(candidate):
                    scenario, found = candidate, True
                    break
        return scenario

    def _try(self, candidate: Scenario) -> bool:
        key = candidate.to_json()
        if key in self._tried or self._left <= 0:
            return False
        self._tried.add(key)
        self._left -= 1
        self.runs += 1
        return self._fails(candidate)


def _without_operations(scenario: Scenario) -> Iterator[Scenario]:
    """Removes halves, quarters and so on down to single operations, later ones
    first."""
    count = len(scenario.operations)
    length = max(count // 2, 1) if count else 0
    while length >= 1:
        for start in range(count - length, -1, -length):
            kept = scenario.operations[:start] + scenario.operations[start + length :]
            yield _with_operations(scenario, kept)
        length //= 2


def _without_delays(scenario: Scenario) -> Iterator[Scenario]:
    """Removes an operation that only takes time: its user's next one yields instead."""
    for index in range(len(scenario.operations) - 1, -1, -1):
        gone = scenario.operations[index]
        user = getattr(gone, "user", None)
        later = (
            operation
            for operation in scenario.operations[index + 1 :]
            if user is not None and getattr(operation, "user", None) == user
        )
        following = next(later, None)
        if following is None:
            continue
        kept = scenario.operations[:index] + scenario.operations[index + 1 :]
        smaller = _with_operations(scenario, kept)
        classes = {**smaller.schedule.classes, f"{following.id}/start": 1}
        yield replace(smaller, schedule=replace(smaller.schedule, classes=classes))


_SCHEDULES = 24
_KINDS = ("start", "database", "call", "to-client")


def _rescheduled(scenario: Scenario) -> Iterator[Scenario]:
    """Removes an operation that only made the timing right, and tries other timings.

    Needed because an operation can stand for a decision: without it the rest fails
    only under another schedule, which no smaller step would find.
    """
    chance = random.Random(0)
    for index in range(len(scenario.operations) - 1, -1, -1):
        kept = scenario.operations[:index] + scenario.operations[index + 1 :]
        smaller = _with_operations(scenario, kept)
        for _ in range(_SCHEDULES):
            yield replace(smaller, schedule=_random_schedule(kept, chance))


def _random_schedule(
    operations: tuple[Operation, ...], chance: random.Random
) -> Schedule:
    chains = [f"{o.id}/{kind}" for o in operations for kind in _KINDS]
    if not chains:
        return Schedule()
    demotions = tuple(
        Demotion(chain=chance.choice(chains), consumed=chance.randint(0, 8), rank=rank)
        for rank in range(chance.randint(0, 2))
    )
    late = {chance.choice(chains): 1 for _ in range(chance.randint(0, 2))}
    return Schedule(classes=late, demotions=demotions)


def _with_fewer_contexts(scenario: Scenario) -> Iterator[Scenario]:
    """Lets one context of a user do the work of another of theirs."""
    opened = [o for o in scenario.operations if isinstance(o, OpenContext)]
    for gone in reversed(opened):
        for instead in opened:
            if instead is not gone and instead.user == gone.user:
                yield _redirected(scenario, gone, instead.context)


def _redirected(scenario: Scenario, gone: OpenContext, context: str) -> Scenario:
    def redirect(operation: Operation) -> Any:
        owner = getattr(operation, "victim", None)
        owner = getattr(operation, "user", None) if owner is None else owner
        named = getattr(operation, "context", None)
        if owner == gone.user and named == gone.context:
            return replace(operation, **{"context": context})
        return operation

    kept = tuple(redirect(o) for o in scenario.operations if o is not gone)
    return _with_operations(scenario, kept)


def _with_operations(scenario: Scenario, operations: tuple[Operation, ...]) -> Scenario:
    """The scenario with these operations, and only the choices that hang on them."""
    ids = {str(operation.id) for operation in operations}

    def stays(chain: str) -> bool:
        owner = chain.partition("/")[0]
        return owner == "world" or owner in ids

    schedule = replace(
        scenario.schedule,
        classes={c: n for c, n in scenario.schedule.classes.items() if stays(c)},
        demotions=tuple(d for d in scenario.schedule.demotions if stays(d.chain)),
    )
    return replace(scenario, operations=operations, schedule=schedule)


def _without_users(scenario: Scenario) -> Iterator[Scenario]:
    """Removes users, with all that they do."""
    for gone in range(len(scenario.users) - 1, -1, -1):
        operations = tuple(
            _renumbered(operation, gone)
            for operation in scenario.operations
            if gone not in _users_of(operation)
        )
        smaller = _with_operations(scenario, operations)
        users = scenario.users[:gone] + scenario.users[gone + 1 :]
        yield replace(smaller, users=users)


def _users_of(operation: Operation) -> tuple[int, ...]:
    named = (getattr(operation, "user", None), getattr(operation, "victim", None))
    return tuple(user for user in named if user is not None)


def _renumbered(operation: Operation, gone: int) -> Operation:
    changed: dict[str, Any] = {
        name: user - 1
        for name in ("user", "victim")
        if (user := getattr(operation, name, None)) is not None and user > gone
    }
    return replace(operation, **changed) if changed else operation


def _with_fewer_choices(scenario: Scenario) -> Iterator[Scenario]:
    """Removes all choices, then one by one; then makes classes and steps smaller."""
    schedule = scenario.schedule
    if schedule != Schedule():
        yield replace(scenario, schedule=Schedule())
    for changed in _fewer(schedule):
        yield replace(scenario, schedule=changed)
    for index, operation in enumerate(scenario.operations):
        cancel = getattr(operation, "cancel", None)
        if cancel is None:
            continue
        yield _exchanged(scenario, index, replace(operation, cancel=None))
        if cancel.early:
            late = replace(cancel, early=False)
            yield _exchanged(scenario, index, replace(operation, cancel=late))
        for step in sorted({1, cancel.step // 2, cancel.step - 1}):
            if 0 < step < cancel.step:
                earlier = replace(cancel, step=step)
                yield _exchanged(scenario, index, replace(operation, cancel=earlier))


def _fewer(schedule: Schedule) -> Iterator[Schedule]:
    if schedule.classes:
        yield replace(schedule, classes={})
    if schedule.demotions:
        yield replace(schedule, demotions=())
    if schedule.burst:
        yield replace(schedule, burst=0)
    if schedule.split:
        yield replace(schedule, split=False)
    for chain in schedule.classes:
        rest = {c: n for c, n in schedule.classes.items() if c != chain}
        yield replace(schedule, classes=rest)
    for index in range(len(schedule.demotions)):
        rest_of = schedule.demotions[:index] + schedule.demotions[index + 1 :]
        yield replace(schedule, demotions=rest_of)
    for chain, number in schedule.classes.items():
        if number > 1:
            yield replace(schedule, classes={**schedule.classes, chain: 1})


def _with_shorter_scripts(scenario: Scenario) -> Iterator[Scenario]:
    """Empties scripts, removes their steps, and puts a child's steps in its place."""
    for index, operation in enumerate(scenario.operations):
        if not isinstance(operation, RunAgent):
            continue
        if len(operation.script) > 1:
            yield _exchanged(scenario, index, replace(operation, script=()))
        for script in _shorter(operation.script):
            yield _exchanged(scenario, index, replace(operation, script=script))
        if operation.background:
            plain = replace(operation, background=False)
            yield _exchanged(scenario, index, plain)


def _shorter(script: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    for index in range(len(script) - 1, -1, -1):
        before, step, after = script[:index], script[index], script[index + 1 :]
        yield before + after
        items: Any = getattr(step, "items", ())
        if len(items) > 1:
            for gone in range(len(items)):
                rest = items[:gone] + items[gone + 1 :]
                yield (*before, replace(step, items=rest), *after)
        if isinstance(step, Spawn):
            yield before + step.script + after
            for inner in _shorter(step.script):
                yield (*before, replace(step, script=inner), *after)


def _with_plain_names(scenario: Scenario) -> Iterator[Scenario]:
    """Gives users the identity that is their label, and threads the name `t`."""
    users = tuple(User(label=user.label, id=user.label) for user in scenario.users)
    if users != scenario.users:
        yield replace(scenario, users=users)
    for index, operation in enumerate(scenario.operations):
        if getattr(operation, "thread", "t") != "t":
            plain: Any = replace(operation, thread="t")
            yield _exchanged(scenario, index, plain)


def _exchanged(scenario: Scenario, index: int, operation: Any) -> Scenario:
    operations = list(scenario.operations)
    operations[index] = operation
    return replace(scenario, operations=tuple(operations))


_PASSES = (
    _without_users,
    _without_operations,
    _with_fewer_contexts,
    _without_delays,
    _with_fewer_choices,
    _with_shorter_scripts,
    _with_plain_names,
    _rescheduled,
)
