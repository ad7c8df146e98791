"""Passes that change the timing: they exchange operations for decisions and back.

Nothing here is drawn. A pass first deletes something, then runs and observes the
smaller scenario, and tries each decision that has a place in that run: a class or a
demotion of each chain that arrived, and a cancellation at each step that was made.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from isolation_spec.diagnosis.shrink.edits import (
    LONG_SLEEP,
    as_script,
    keep_operations,
    opens_every_named_context,
    replace_operation,
    sleep_before_step,
    sleep_first,
)
from isolation_spec.diagnosis.shrink.observation import Observe
from isolation_spec.diagnosis.shrink.passes.cancellation import (
    with_one_more_cancellation,
    without_one_cancellation,
)
from isolation_spec.diagnosis.shrink.passes.deletion import without_one_operation
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
    "with_decision_for_kind",
    "with_decision_for_operation",
    "with_decision_for_two_decisions",
    "with_decision_for_two_operations",
    "with_preceding_runs",
    "with_reordered_operations",
    "with_sleeps",
    "with_two_operations_only",
]

replace = msgspec.structs.replace


def _without_one_decision(scenario: Scenario) -> Iterator[Scenario]:
    """Removes each decision."""
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
    yield from without_one_cancellation(scenario)


def with_reordered_operations(scenario: Scenario) -> Iterator[Scenario]:
    """Moves one lane or one operation in place of one decision, or of all."""
    plain = replace(scenario, schedule=Schedule())
    for fewer in dict.fromkeys(_to_json((plain, *_without_one_decision(scenario)))):
        without = Scenario.from_json(fewer)
        if without != scenario:
            for operations in _rearrange(without.operations):
                yield replace(without, operations=operations)


def _to_json(scenarios: tuple[Scenario, ...]) -> Iterator[bytes]:
    return (scenario.to_json() for scenario in scenarios)


def _rearrange(
    operations: tuple[Operation, ...],
) -> Iterator[tuple[Operation, ...]]:
    """The lanes in another order; then single operations at another place.

    The run before the moved operation also goes to the background, so that the two
    overlap.
    """
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


def with_sleeps(scenario: Scenario) -> Iterator[Scenario]:
    """Lets agents sleep in place of one decision, of all, or of one operation."""
    plain = replace(scenario, schedule=Schedule())
    fewer = [
        one for one in (plain, *_without_one_decision(scenario)) if one != scenario
    ]
    fewer.extend(without_one_operation(scenario))
    for without in fewer:
        yield replace(without, operations=tuple(map(sleep_first, without.operations)))
        for index, operation in enumerate(without.operations):
            for place in range(len(as_script(operation)), -1, -1):
                slower = sleep_before_step(operation, place)
                if slower != operation:
                    yield replace_operation(without, index, slower)


def with_preceding_runs(scenario: Scenario) -> Iterator[Scenario]:
    """Adds a run before an operation of its user in place of two decisions or of all.

    The run costs one operation, so it must replace two decisions to make the scenario
    smaller.
    """
    pairs = (
        fewer
        for one in _without_one_decision(scenario)
        for fewer in _without_one_decision(one)
    )
    plain = replace(scenario, schedule=Schedule())
    number = 1 + max((o.id for o in scenario.operations), default=0)
    for without in (plain, *pairs):
        for index, operation in enumerate(without.operations):
            if isinstance(operation, RunAgent | Read | Write):
                before, after = without.operations[:index], without.operations[index:]
                for script in ((), (Think(prompt=""),), (Sleep(seconds=LONG_SLEEP),)):
                    first = RunAgent(
                        id=number,
                        user=operation.user,
                        context=operation.context,
                        victim=operation.victim,
                        script=script,
                    )
                    yield replace(without, operations=(*before, first, *after))


def with_two_operations_only(scenario: Scenario) -> Iterator[Scenario]:
    """Two operations of two users, each in its own context, perhaps at one moment.

    Most races need no more, and greedy deletions seldom reach it: they would have to
    change the timing and delete everything else in one step.
    """
    opened = [o for o in scenario.operations if isinstance(o, OpenContext)]
    plain = replace(scenario, schedule=Schedule())
    requests = [
        o for o in scenario.operations if isinstance(o, RunAgent | Read | Write)
    ]
    for one, other in itertools.combinations(requests, 2):
        named = {(o.user, o.context) for o in (one, other)}
        needed = tuple(o for o in opened if (o.user, o.context) in named)
        if one.user == other.user or len(needed) != len(named):
            continue
        for steps in itertools.product(
            _with_single_steps(one), _with_single_steps(other)
        ):
            yield keep_operations(plain, (*needed, *steps))
            yield keep_operations(plain, (*needed, *map(sleep_first, steps)))
        yield keep_operations(plain, (*needed, one, sleep_first(other)))
        yield keep_operations(plain, (*needed, sleep_first(one), other))


def _with_single_steps(operation: Operation) -> Iterator[Operation]:
    """The operation, and for a run also the runs with only one of its steps."""
    yield operation
    if isinstance(operation, RunAgent) and len(operation.script) > 1:
        for step in operation.script:
            yield replace(operation, script=(step,))


def with_decision_for_kind(scenario: Scenario, observe: Observe) -> Iterator[Scenario]:
    """Replaces all operations of one kind by one decision."""
    yield from _interleave(
        _with_one_more_decision(one, observe) for one in _without_one_kind(scenario)
    )


def _without_one_kind(scenario: Scenario) -> Iterator[Scenario]:
    for kind in dict.fromkeys(map(type, scenario.operations)):
        kept = tuple(o for o in scenario.operations if type(o) is not kind)
        if len(kept) < len(scenario.operations) - 1 and opens_every_named_context(kept):
            yield keep_operations(scenario, kept)


def with_decision_for_operation(
    scenario: Scenario, observe: Observe
) -> Iterator[Scenario]:
    """Replaces one operation by one decision."""
    yield from _interleave(
        _with_one_more_decision(one, observe) for one in without_one_operation(scenario)
    )


def with_decision_for_two_operations(
    scenario: Scenario, observe: Observe
) -> Iterator[Scenario]:
    """Replaces two operations by one decision."""
    yield from _interleave(
        _with_one_more_decision(one, observe)
        for one in _without_two_operations(scenario)
    )


def _without_two_operations(scenario: Scenario) -> Iterator[Scenario]:
    count = len(scenario.operations)
    for gone in itertools.combinations(range(count - 1, -1, -1), 2):
        kept = tuple(o for i, o in enumerate(scenario.operations) if i not in gone)
        if opens_every_named_context(kept):
            yield keep_operations(scenario, kept)


def _interleave(candidates: Iterable[Iterator[Scenario]]) -> Iterator[Scenario]:
    """The first candidate of each iterator, then the second of each, and so on.

    Each iterator begins with its most useful decisions, so these come first for all.
    """
    unfinished = list(candidates)
    while unfinished:
        for one in tuple(unfinished):
            if (candidate := next(one, None)) is None:
                unfinished.remove(one)
            else:
                yield candidate


def with_decision_for_two_decisions(
    scenario: Scenario, observe: Observe
) -> Iterator[Scenario]:
    """Replaces two decisions by one."""
    tried: set[bytes] = set()
    for one in _without_one_decision(scenario):
        for without in _without_one_decision(one):
            if (key := without.to_json()) not in tried:
                tried.add(key)
                yield from _with_one_more_decision(without, observe)


_FIRST: tuple[str, ...] = (ChainKind.START, ChainKind.CALL, ChainKind.DATABASE)
"""The kinds of chains for which a class is tried first; they matter most often."""


def _with_one_more_decision(scenario: Scenario, observe: Observe) -> Iterator[Scenario]:
    """Adds each decision that has a place: classes, cancellations, then demotions."""
    observation = observe(scenario)
    own = {operation.id for operation in scenario.operations}
    arrivals = Counter(c for c in observation.order if Chain.parse(c).owner in own)
    chains = sorted(arrivals, key=_rank_usefulness)
    schedule = scenario.schedule
    for chain in chains:
        if chain not in schedule.classes:
            classes = {**schedule.classes, chain: 1}
            yield replace(scenario, schedule=replace(schedule, classes=classes))
    yield from with_one_more_cancellation(scenario, observation.steps)
    rank = 1 + max((d.rank for d in schedule.demotions), default=-1)
    for chain in chains:
        for consumed in range(1, arrivals[chain]):
            more = Demotion(chain=chain, consumed=consumed, rank=rank)
            demotions = (*schedule.demotions, more)
            yield replace(scenario, schedule=replace(schedule, demotions=demotions))


def _rank_usefulness(chain: str) -> tuple[int, str]:
    kind = Chain.parse(chain).kind
    return (_FIRST.index(kind) if kind in _FIRST else len(_FIRST), chain)
