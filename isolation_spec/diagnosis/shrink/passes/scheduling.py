"""The same with another timing: an operation can stand for a decision, and two
decisions for one.

Nothing here is drawn. What is tried are the decisions that had a place in a run of the
scenario without what is removed: a class or a demotion of each chain that arrived, a
cancellation at each step that was made.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from isolation_spec.diagnosis.shrink.observation import Look
from isolation_spec.diagnosis.shrink.passes.cancellation import calm, with_cancellations
from isolation_spec.diagnosis.shrink.passes.deletion import (
    exchanged,
    has_all_that_is_named,
    with_operations,
    without_one,
)
from isolation_spec.diagnosis.shrink.passes.merging import (
    LONG,
    later,
    script_of,
    sleeping,
)
from isolation_spec.model.scenario import (
    Chain,
    ChainKind,
    Demotion,
    OpenContext,
    Operation,
    Read,
    RunAgent,
    Scenario,
    Schedule,
    Sleep,
    Think,
    Write,
)

__all__ = [
    "decided_otherwise",
    "delayed",
    "met",
    "reordered",
    "retimed",
    "retimed_twice",
    "retimed_widely",
    "slowed",
    "undecided",
]

replace = msgspec.structs.replace


def undecided(scenario: Scenario) -> Iterator[Scenario]:
    """Yields the scenario without one of its decisions, for each."""
    schedule = scenario.schedule
    for chain in schedule.classes:
        rest = {c: n for c, n in schedule.classes.items() if c != chain}
        yield replace(scenario, schedule=replace(schedule, classes=rest))
    for index in range(len(schedule.demotions)):
        others = schedule.demotions[:index] + schedule.demotions[index + 1 :]
        yield replace(scenario, schedule=replace(schedule, demotions=others))
    if schedule.burst:
        yield replace(scenario, schedule=replace(schedule, burst=0))
    if schedule.split:
        yield replace(scenario, schedule=replace(schedule, split=False))
    yield from calm(scenario)


def reordered(scenario: Scenario, look: Look) -> Iterator[Scenario]:
    """Puts one operation elsewhere instead of one decision, or of all."""
    plain = replace(scenario, schedule=Schedule())
    for fewer in dict.fromkeys(_encoded((plain, *undecided(scenario)))):
        without = Scenario.from_json(fewer)
        if without != scenario:
            for operations in _rearranged(without.operations):
                yield replace(without, operations=operations)


def _encoded(scenarios: tuple[Scenario, ...]) -> Iterator[bytes]:
    return (scenario.to_json() for scenario in scenarios)


def _rearranged(
    operations: tuple[Operation, ...],
) -> Iterator[tuple[Operation, ...]]:
    """The lanes in another order; then single operations at another place."""
    lanes = list(dict.fromkeys(o.user for o in operations))
    for first in lanes[1:]:
        ours = tuple(o for o in operations if o.user == first)
        theirs = tuple(o for o in operations if o.user != first)
        yield ours + theirs
    for index, operation in enumerate(operations):
        others = operations[:index] + operations[index + 1 :]
        for place in range(len(others), -1, -1):
            if place == index:
                continue
            yield (*others[:place], operation, *others[place:])
            before = others[place - 1] if place else None
            if isinstance(before, RunAgent) and not before.background:
                behind = replace(before, background=True)
                yield (*others[: place - 1], behind, operation, *others[place:])


def slowed(scenario: Scenario, look: Look) -> Iterator[Scenario]:
    """Lets an agent sleep instead of one decision, of all, or of an operation."""
    plain = replace(scenario, schedule=Schedule())
    fewer = [one for one in (plain, *undecided(scenario)) if one != scenario]
    fewer.extend(without_one(scenario))
    for without in fewer:
        yield replace(without, operations=tuple(map(later, without.operations)))
        for index, operation in enumerate(without.operations):
            for place in range(len(script_of(operation)), -1, -1):
                slower = sleeping(operation, place)
                if slower != operation:
                    yield exchanged(without, index, slower)


def delayed(scenario: Scenario) -> Iterator[Scenario]:
    """Lets a user do something else first, instead of two decisions or of all."""
    pairs = (less for one in undecided(scenario) for less in undecided(one))
    plain = replace(scenario, schedule=Schedule())
    number = 1 + max((o.id for o in scenario.operations), default=0)
    for without in (plain, *pairs):
        for index, operation in enumerate(without.operations):
            if isinstance(operation, RunAgent | Read | Write):
                before, after = without.operations[:index], without.operations[index:]
                for script in ((), (Think(prompt=""),), (Sleep(seconds=LONG),)):
                    first = RunAgent(
                        id=number,
                        user=operation.user,
                        context=operation.context,
                        victim=operation.victim,
                        script=script,
                    )
                    yield replace(without, operations=(*before, first, *after))


def met(scenario: Scenario, look: Look) -> Iterator[Scenario]:
    """Two operations of two users alone, each in its context, at the same moment:
    what most races need, and far from what greedy steps come to."""
    opened = [o for o in scenario.operations if isinstance(o, OpenContext)]
    plain = replace(scenario, schedule=Schedule())
    asked = [o for o in scenario.operations if isinstance(o, RunAgent | Read | Write)]
    for one, other in itertools.combinations(asked, 2):
        named = {(o.user, o.context) for o in (one, other)}
        needed = tuple(o for o in opened if (o.user, o.context) in named)
        if one.user == other.user or len(needed) != len(named):
            continue
        for steps in itertools.product(_single(one), _single(other)):
            yield with_operations(plain, (*needed, *steps))
            yield with_operations(plain, (*needed, *map(later, steps)))
        yield with_operations(plain, (*needed, one, later(other)))
        yield with_operations(plain, (*needed, later(one), other))


def _single(operation: Operation) -> Iterator[Operation]:
    """The operation, and what is left of a run with one of its steps."""
    yield operation
    if isinstance(operation, RunAgent) and len(operation.script) > 1:
        for step in operation.script:
            yield replace(operation, script=(step,))


def retimed_widely(scenario: Scenario, look: Look) -> Iterator[Scenario]:
    """Removes all operations of one kind and decides one thing more instead."""
    yield from _in_turn(_decided(one, look) for one in _without_a_kind(scenario))


def _without_a_kind(scenario: Scenario) -> Iterator[Scenario]:
    for kind in dict.fromkeys(map(type, scenario.operations)):
        kept = tuple(o for o in scenario.operations if type(o) is not kind)
        if len(kept) < len(scenario.operations) - 1 and has_all_that_is_named(kept):
            yield with_operations(scenario, kept)


def retimed(scenario: Scenario, look: Look) -> Iterator[Scenario]:
    """Removes an operation and decides one thing more instead."""
    yield from _in_turn(_decided(one, look) for one in without_one(scenario))


def retimed_twice(scenario: Scenario, look: Look) -> Iterator[Scenario]:
    """Removes two operations and decides one thing more instead."""
    yield from _in_turn(_decided(two, look) for two in _without_two(scenario))


def _without_two(scenario: Scenario) -> Iterator[Scenario]:
    count = len(scenario.operations)
    for gone in itertools.combinations(range(count - 1, -1, -1), 2):
        kept = tuple(o for i, o in enumerate(scenario.operations) if i not in gone)
        if has_all_that_is_named(kept):
            yield with_operations(scenario, kept)


def _in_turn(candidates: Iterable[Iterator[Scenario]]) -> Iterator[Scenario]:
    """One of each, then the next of each: the useful ones of all come first."""
    under_way = list(candidates)
    while under_way:
        for one in tuple(under_way):
            if (candidate := next(one, None)) is None:
                under_way.remove(one)
            else:
                yield candidate


def decided_otherwise(scenario: Scenario, look: Look) -> Iterator[Scenario]:
    """Decides one thing instead of two."""
    tried: set[bytes] = set()
    for one in undecided(scenario):
        for without in undecided(one):
            if (key := without.to_json()) not in tried:
                tried.add(key)
                yield from _decided(without, look)


_FIRST: tuple[str, ...] = (ChainKind.START, ChainKind.CALL, ChainKind.DATABASE)
"""The kinds of chains that are held back first; they matter most often."""


def _decided(scenario: Scenario, look: Look) -> Iterator[Scenario]:
    """Yields the scenario with one more decision, for each that has a place."""
    places = look(scenario)
    own = {operation.id for operation in scenario.operations}
    arrivals = Counter(c for c in places.order if Chain.parse(c).owner in own)
    chains = sorted(arrivals, key=_usefulness)
    schedule = scenario.schedule
    for chain in chains:
        if chain not in schedule.classes:
            later = {**schedule.classes, chain: 1}
            yield replace(scenario, schedule=replace(schedule, classes=later))
    yield from with_cancellations(scenario, places.steps)
    rank = 1 + max((d.rank for d in schedule.demotions), default=-1)
    for chain in chains:
        for consumed in range(1, arrivals[chain]):
            more = Demotion(chain=chain, consumed=consumed, rank=rank)
            demotions = (*schedule.demotions, more)
            yield replace(scenario, schedule=replace(schedule, demotions=demotions))


def _usefulness(chain: str) -> tuple[int, str]:
    kind = Chain.parse(chain).kind
    return (_FIRST.index(kind) if kind in _FIRST else len(_FIRST), chain)
