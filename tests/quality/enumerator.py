"""Enumerates all small scenarios of two users, and all decisions that one offers.

The enumerator shares no code with the shrinker: the shrinker removes, the enumerator
builds up. A scenario is one lane of operations for each of two users, and at most one
operation of the world between them. Its size is operations plus decisions. Among
scenarios of equal size, fewer operations come first, then fewer script steps.

The alphabet has every kind of operation, attack and script step, with each value that
the search draws for it. It has at most one step a run, one key, one thread and one
length of wait. The users have one pair of identities that the engine may confuse. A
decision is a cancellation before or after an observed step, a class for an observed
chain, a demotion of it after one of its arrivals, a burst, or the split of data.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import msgspec

from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    SLOW,
    AdvanceTime,
    CallTool,
    Cancellation,
    CancelRun,
    Chain,
    CleanupEngine,
    CleanupUser,
    CollectGarbage,
    Connect,
    Demotion,
    Disconnect,
    Emit,
    Erase,
    Fail,
    Mutate,
    OpenContext,
    Operation,
    Read,
    ReadState,
    Recall,
    Reconnect,
    Remember,
    Return,
    RunAgent,
    Scenario,
    Schedule,
    Shutdown,
    Sleep,
    Spawn,
    Step,
    Think,
    Transact,
    User,
    Write,
    WriteState,
    canary,
    tools,
)
from isolation_spec.strategies.payloads import sign
from isolation_spec.strategies.scripts import COMMON

__all__ = [
    "IN_CONTEXT",
    "PLAIN",
    "Lane",
    "Names",
    "scenario_of",
    "scenarios",
    "with_each_decision",
]

replace = msgspec.structs.replace
Lane: TypeAlias = tuple[Operation, ...]

LABELS = ("alice", "bob")
Names: TypeAlias = tuple[tuple[str, str], tuple[str, str]]
"""The identity and the thread of each user."""

PLAIN: Names = (("alice", "t"), ("bob", "t"))

ONE_STEP: tuple[tuple[Step, ...], ...] = (
    (),
    (Think(prompt=""),),
    (Think(prompt="", seconds=SLOW),),
    (Think(prompt=COMMON),),
    *((CallTool(tool=tool, argument=""),) for tool in tools),
    (CallTool(tool="whoami", argument=COMMON),),
    (WriteState(key="s", value=""),),
    (ReadState(),),
    (Remember(key="k", value=""),),
    (Recall(key="k"),),
    (Transact(items=(("k", ""),)),),
    (Transact(items=(("k", ""),), fails=True),),
    (Remember(key="k", value="", broken=True),),
    (Emit(payload=""),),
    (Emit(payload="", large=True),),
    (Sleep(seconds=5.0),),
    (Spawn(script=(Think(prompt=""),)),),
    (Return(value=""),),
    (Fail(message=""),),
)
"""The scripts of at most one step."""

WORLD: tuple[Operation, ...] = (
    AdvanceTime(id=0, seconds=31.0),
    AdvanceTime(id=0, seconds=31.0, stalled=True),
    CollectGarbage(id=0),
    Shutdown(id=0),
)

_OWN, _OTHERS = -1, -2
"""The run to cancel, until operations have numbers: the user's own or the other's."""


# Lanes: the operations of one user.


@functools.cache
def _lanes(
    length: int, allowed: frozenset[Operation] | None = None
) -> tuple[Lane, ...]:
    """All lanes of one user with this many operations, attacks included.

    `allowed` restricts the operations in contexts; None allows all of them.
    """
    if not length:
        return ((),)
    return tuple(
        (*before, operation)
        for lane in _lanes(length - 1, allowed)
        for before in _variants(lane)
        for operation in _moves(before, allowed)
    )


def _variants(lane: Lane) -> Iterator[Lane]:
    """The lane, and the lane with its last run in the background."""
    yield lane
    if lane and isinstance(last := lane[-1], RunAgent) and last.victim is None:
        yield (*lane[:-1], replace(last, background=True))


def _moves(lane: Lane, allowed: frozenset[Operation] | None) -> Iterator[Operation]:
    """The operations that have an object to work on after this lane."""
    yield from _moves_at_connections(lane)
    yield from _moves_in_contexts(lane, allowed)
    yield CleanupUser(id=0, user=0)
    if any(operation.background for operation in lane):
        yield CancelRun(id=0, user=0, run=_OWN)
    if not any(map(_victim, lane)):
        yield from _attacks()


def _moves_at_connections(lane: Lane) -> Iterator[Operation]:
    name = f"c{sum(isinstance(one, Connect | Reconnect) for one in lane)}"
    yield Connect(id=0, user=0, connection=name)
    gone = {one.connection for one in lane if isinstance(one, Disconnect)}
    gone |= {one.replaces for one in lane if isinstance(one, Reconnect)}
    for one in lane:
        if isinstance(one, Connect | Reconnect) and (old := one.connection) not in gone:
            yield Reconnect(id=0, user=0, connection=name, replaces=old)
            for abrupt in (False, True):
                yield Disconnect(id=0, user=0, connection=old, abrupt=abrupt)


def _moves_in_contexts(
    lane: Lane, allowed: frozenset[Operation] | None
) -> Iterator[Operation]:
    opened = [one.context for one in lane if isinstance(one, OpenContext)]
    if len(opened) < 4:
        yield OpenContext(id=0, user=0, context=f"x{len(opened)}", thread="t")
    for context in opened:
        for one in IN_CONTEXT if allowed is None else sorted(allowed, key=str):
            yield replace(one, context=context)


def _in_context(context: str, victim: int | None) -> Iterator[Operation]:
    named: dict[str, Any] = {"id": 0, "user": 0, "context": context, "victim": victim}
    yield Read(**named)
    yield Write(**named, key="k", value="")
    yield Mutate(**named, value="")
    yield Erase(**named)
    yield CleanupEngine(**named)


IN_CONTEXT: tuple[Any, ...] = (
    *(RunAgent(id=0, user=0, context="x0", script=s) for s in ONE_STEP),
    *_in_context("x0", None),
)


def _attacks() -> Iterator[Operation]:
    for forged in (False, True):
        yield Connect(id=0, user=0, connection="c9", victim=1, forged=forged)
    for script in ((), (Think(prompt=""),), (Remember(key="k", value=""),)):
        yield RunAgent(id=0, user=0, context="x0", script=script, victim=1)
    yield from _in_context("x0", 1)
    yield CancelRun(id=0, user=0, run=_OTHERS, victim=1)


# Scenarios: two lanes and the world.


def scenarios(
    names: Names, operations: int, allowed: frozenset[Operation] | None = None
) -> Iterator[Scenario]:
    """Yields every scenario with this many operations and no decisions.

    Scenarios that divide the operations evenly between the users come first. With
    `allowed`, contexts have only these operations, and the world has none.
    """
    users = _make_users(names)
    for worldly in range(2 if operations > 1 and allowed is None else 1):
        own = operations - worldly
        for first in sorted(range(1, own + 1), key=lambda n: abs(2 * n - own)):
            for lanes in itertools.product(
                _lanes(first, allowed), _lanes(own - first, allowed)
            ):
                if all(_victims_exist(lanes, user) for user in (0, 1)):
                    for merged in _merge(lanes, worldly):
                        yield Scenario(users=users, operations=_number(merged, names))
    if operations == 1:
        for world in WORLD:
            yield Scenario(users=users, operations=_number((world,), names))


def scenario_of(lanes: tuple[Lane, Lane], names: Names) -> Scenario:
    """The scenario of these lanes, in plain order.

    It leaves out a second user without operations that no operation attacks.
    """
    (operations,) = _merge(lanes, 0)
    alone = not lanes[1] and not any(map(_victim, operations))
    users = _make_users(names)[: 1 if alone else 2]
    return Scenario(users=users, operations=_number(operations, names))


def _make_users(names: Names) -> tuple[User, ...]:
    called = zip(LABELS, names, strict=True)
    return tuple(User(label=label, id=name) for label, (name, _) in called)


def _victim(operation: Operation) -> bool:
    return operation.victim is not None


def _victims_exist(lanes: tuple[Lane, ...], user: int) -> bool:
    """Whether the other user has the contexts and runs that this user attacks."""
    other = lanes[1 - user]
    opened = any(isinstance(one, OpenContext) for one in other)
    ran = any(isinstance(one, RunAgent) for one in other)
    needed = (
        ran if isinstance(one, CancelRun) else opened
        for one in lanes[user]
        if one.victim is not None and not isinstance(one, Connect)
    )
    return all(needed)


def _merge(lanes: tuple[Lane, ...], worldly: int) -> Iterator[Lane]:
    """Yields one list for each position of the world's operation.

    The lanes stand one after the other: the schedule decides how they interleave.
    """
    first = tuple(_assign_user(one, 0) for one in lanes[0])
    second = tuple(_assign_user(one, 1) for one in lanes[1])
    if not worldly:
        yield first + second
        return
    for one, other in itertools.product(range(len(first) + 1), range(len(second) + 1)):
        for world in WORLD if one or other else ():
            yield (*first[:one], *second[:other], world, *first[one:], *second[other:])


def _assign_user(operation: Any, user: int) -> Operation:
    victim = 1 - user if _victim(operation) else None
    named = {"victim": victim} if "victim" in operation.__struct_fields__ else {}
    changed: Operation = replace(operation, user=user, **named)
    return changed


def _number(operations: Iterable[Any], names: Names) -> tuple[Operation, ...]:
    """The operations with their numbers, and with canaries as their values."""
    numbered = []
    runs: dict[int, int] = {}
    operations = tuple(operations)
    for number, one in enumerate(operations, start=1):
        if isinstance(one, RunAgent):
            runs[one.user] = number
    for number, one in enumerate(operations, start=1):
        user = one.user
        label = None if user is None else LABELS[user]
        changed: dict[str, Any] = {"id": number}
        if isinstance(one, Write | Mutate) and label is not None:
            changed["value"] = canary(label, number, 1)
        elif isinstance(one, RunAgent) and label is not None:
            changed["script"] = sign(one.script, label, number)
        elif isinstance(one, OpenContext):
            changed["thread"] = names[one.user][1]
        elif isinstance(one, CancelRun):
            changed["run"] = runs[one.user if one.run == _OWN else 1 - one.user]
        numbered.append(replace(one, **changed))
    return tuple(numbered)


# Decisions: one more, at each place that a run offers.


def with_each_decision(history: History) -> Iterator[Scenario]:
    """Yields the scenario of a run with one more decision, for each possible decision.

    The run must have counted its steps.
    """
    scenario = history.scenario
    for index, operation in enumerate(scenario.operations):
        if not operation.is_world and operation.cancel is None:
            for cancel in _cancellations(len(history.steps.get(operation.id, ()))):
                cancelled: Any = replace(operation, **{"cancel": cancel})
                operations = list(scenario.operations)
                operations[index] = cancelled
                yield replace(scenario, operations=tuple(operations))
    for schedule in _schedules(scenario, history.order):
        yield replace(scenario, schedule=schedule)


def _cancellations(steps: int) -> Iterator[Cancellation]:
    for step in range(1, steps + 1):
        yield Cancellation(step=step)
        if step < steps:
            yield Cancellation(step=step, after_step=True)


def _schedules(scenario: Scenario, order: Iterable[str]) -> Iterator[Schedule]:
    schedule = scenario.schedule
    own = {operation.id for operation in scenario.operations}
    arrivals = Counter(c for c in order if Chain.parse(c).owner in own)
    for chain in arrivals:
        if chain not in schedule.classes:
            yield replace(schedule, classes={**schedule.classes, chain: 1})
    rank = len(schedule.demotions)
    for chain, count in arrivals.items():
        for consumed in range(1, count):
            more = Demotion(chain=chain, consumed=consumed, rank=rank)
            yield replace(schedule, demotions=(*schedule.demotions, more))
    if not schedule.burst:
        yield replace(schedule, burst=1)
    if not schedule.split:
        yield replace(schedule, split=True)
