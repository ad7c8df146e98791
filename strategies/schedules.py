"""Scheduling choices: what a rule draws with its operation, and the search around it.

The first schedule of a workload is drawn by Hypothesis, priority classes as arguments
of the rules. The further ones come from a seed, keyed by chain, as one generated
workload is worth more interleavings than it costs to generate.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from hashlib import blake2s
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import msgspec
from hypothesis import strategies as st

from isolation_spec.history import Wait
from isolation_spec.scenario import (
    AdvanceTime,
    Cancellation,
    CollectGarbage,
    RunAgent,
    Scenario,
    Schedule,
    Shutdown,
)
from isolation_spec.world.scheduler import Scheduler
from isolation_spec.world.uniform import Uniform
from strategies.identifiers import identified

__all__ = [
    "Attempt",
    "Search",
    "cancellations",
    "classes",
    "first_attempt",
    "further_attempts",
    "searches",
]

CHAINS = ("start", "database", "call", "to-client")
"""The kinds of chains whose class is drawn with an operation."""
_CLASSES = 8
_HORIZON = 150
_UNIFORM, _FOUR_POINTS = 0.80, 0.85
"""Above the one and up to the other, chance decides; above that, four points."""
_IN_LINE = 0.3
"""How often somebody is cancelled where they wait for another."""
Steps: TypeAlias = Mapping[int, tuple[str, ...]]
"""Operation id -> where its task waited before each of its steps."""
_FEW_STEPS = 5
"""Of the task of a run, whatever its agent does."""
Waited: TypeAlias = Mapping[int, tuple[Wait, ...]]
"""Operation id -> what was under way while its task waited."""
_HANDED_ON = 3
"""Turns of the loop that an answer takes, from task to task, to who waits for it."""
Handed: TypeAlias = Mapping[int, tuple[int, ...]]
"""Operation id -> the steps before which its task waited for another operation."""


def classes() -> st.SearchStrategy[tuple[int, ...]]:
    """The class of each of `CHAINS`, for one operation; half of the time all zero."""
    drawn = st.tuples(*(st.integers(0, _CLASSES - 1) for _ in CHAINS))
    return st.just((0,) * len(CHAINS)) | drawn


def cancellations() -> st.SearchStrategy[Cancellation | None]:
    """A cancellation of an operation's own task, or, four times of five, none."""
    drawn = st.builds(Cancellation, step=st.integers(1, 20), early=st.booleans())
    return st.integers(0, 4).flatmap(lambda n: drawn if n == 4 else st.none())


class Search(NamedTuple):
    """What is drawn once for a scenario: absolute change points, turns and a seed."""

    change_points: tuple[int, ...]
    burst: int
    split: bool
    seed: int


def searches() -> st.SearchStrategy[Search]:
    """Two change points (0 is unused), the form of a turn, and a seed for the rest."""
    point = st.integers(0, _HORIZON)
    return st.builds(
        Search,
        change_points=st.tuples(point, point),
        burst=st.sampled_from((0, 0, 0, 1, 2)),
        split=st.booleans(),
        seed=st.integers(0, 2**32 - 1),
    )


class Attempt(NamedTuple):
    """A scenario and the scheduler under which it is to be run once."""

    scenario: Scenario
    scheduler: Scheduler


def first_attempt(scenario: Scenario, search: Search) -> Attempt:
    """The schedule that Hypothesis drew."""
    scenario = identified(scenario, random.Random(f"{search}"))
    return Attempt(
        scenario, Scheduler(scenario.schedule, change_points=search.change_points)
    )


def further_attempts(
    scenario: Scenario,
    search: Search,
    count: int,
    *,
    choices: int,
    steps: Steps,
    handed: Handed = MappingProxyType({}),
    waited: Waited = MappingProxyType({}),
    followed: Schedule | None = None,
) -> Iterator[Attempt]:
    """Yields so many seeded attempts around a scenario that has been run once.

    `choices`, `steps`, `handed`, `waited` and the schedule that was `followed` are what
    that run had: change points lie among its choices, and cancellations at its steps
    and between them, so that neither is wasted on a place that never comes.
    """
    for index in range(count):
        chance = random.Random(f"{search}/{index}")
        named = identified(scenario, chance)
        if not handed or chance.random() >= _IN_LINE:
            struck = _struck(named, chance, steps, waited)
            likely = 0.8 if _in_the_midst(struck) else 0.0
        else:
            struck = _struck_in_line(named, chance, steps, handed)
            likely = 0.5
        if followed is not None and chance.random() < likely:
            # Turns are counted: under another schedule they would be others.
            again = msgspec.structs.replace(struck, schedule=followed)
            yield Attempt(again, Scheduler(followed))
            continue
        yield _seeded(struck, chance, max(choices, 1), calm=struck == named)


def random_attempts(
    scenario: Scenario, search: Search, count: int
) -> Iterator[Attempt]:
    """Yields attempts in which each arrival is as likely as any other to be next.

    What a search without priorities would do; no part of a verification.
    """
    for index in range(count):
        chance = random.Random(f"{search}/random/{index}")
        named = identified(scenario, chance)
        plain = msgspec.structs.replace(named, schedule=Schedule())
        yield Attempt(plain, Uniform(plain.schedule, chance))


def fifo_attempt(scenario: Scenario, search: Search) -> Attempt:
    """What plain asyncio does, and nobody is cancelled by the world."""
    scenario = identified(scenario, random.Random(f"{search}"))
    operations = tuple(
        msgspec.structs.replace(operation, cancel=None)
        if getattr(operation, "cancel", None) is not None
        else operation
        for operation in scenario.operations
    )
    plain = msgspec.structs.replace(
        scenario, operations=operations, schedule=Schedule()
    )
    return Attempt(plain, Scheduler(plain.schedule))


def swept_attempts(scenario: Scenario, steps: Steps) -> Iterator[Attempt]:
    """Yields the workload in plain order, cancelled before and after every step."""
    plain = msgspec.structs.replace(scenario, schedule=Schedule())
    for index, step, _ in _places(plain, steps):
        for early in (False, True):
            cancelled = _with_cancellation(
                plain, index, Cancellation(step=step, early=early)
            )
            yield Attempt(cancelled, Scheduler(cancelled.schedule))


def _seeded(
    scenario: Scenario, chance: random.Random, choices: int, *, calm: bool
) -> Attempt:
    """SPCT with two or four change points.

    One of five that are not calm, as something is cancelled, is in plain order, and one
    of twenty lets in any arrival.
    """
    kind = chance.random()
    if not calm and kind < 0.2:
        plain = msgspec.structs.replace(scenario, schedule=Schedule())
        return Attempt(plain, Scheduler(plain.schedule))
    schedule = Schedule(
        burst=chance.choice((0, 0, 0, 1, 2)), split=chance.random() < 0.25
    )
    varied = msgspec.structs.replace(scenario, schedule=schedule)
    if _UNIFORM < kind <= _FOUR_POINTS:
        return Attempt(varied, Uniform(schedule, chance))
    points = [
        chance.randint(1, choices) for _ in range(4 if kind > _FOUR_POINTS else 2)
    ]
    salt, share = chance.getrandbits(32), chance.choice((0.25, 0.5, 1.0))

    def draw_class(chain: str) -> int:
        digest = blake2s(f"{salt}/{chain}".encode(), digest_size=4).digest()
        return digest[0] % _CLASSES if digest[1] / 256 < share else 0

    return Attempt(
        varied, Scheduler(schedule, change_points=points, draw_class=draw_class)
    )


def _struck(
    scenario: Scenario, chance: random.Random, steps: Steps, waited: Waited
) -> Scenario:
    """The scenario with up to two more cancellations, in two thirds of all cases."""
    for _ in range(chance.choices((0, 1, 2), (35, 45, 20))[0]):
        scenario = _cancelling(scenario, chance, steps, waited)
    return scenario


def _cancelling(
    scenario: Scenario, chance: random.Random, steps: Steps, waited: Waited
) -> Scenario:
    """The scenario with one more cancellation, half of the time of a run.

    Half of the time any step is as likely as another, else any place in the engine, as
    most steps wait at few of them.
    """
    places = _places(scenario, steps)
    if chance.random() < (0.85 if _works_elsewhere(scenario, steps) else 0.1):
        waits = _waits(scenario, waited)
        if chance.random() < 0.7:
            of_runs = [
                one
                for one in waits
                if isinstance(scenario.operations[one[0]], RunAgent)
            ]
            waits = of_runs or waits
        if waits:
            return _with_cancellation(scenario, *_midst(chance, waits))
    if chance.random() < 0.5:
        runs = [
            one for one in places if isinstance(scenario.operations[one[0]], RunAgent)
        ]
        places = runs or places
    if not places:
        return scenario
    if chance.random() < 0.5:
        wanted = chance.choice(sorted({place for _, _, place in places}))
        places = [one for one in places if one[2] == wanted]
    index, step, _ = chance.choice(places)
    # Waiting before a step is waiting after the one before.
    early = step > 1 and chance.random() < 0.5
    cancel = Cancellation(step=step - early, early=early)
    return _with_cancellation(scenario, index, cancel)


def _struck_in_line(
    scenario: Scenario, chance: random.Random, steps: Steps, handed: Handed
) -> Scenario:
    """The scenario with one or two who are cancelled where they wait for another.

    At one place in the engine, any as likely as another; mostly when what they waited
    for is theirs already.
    """
    lines: dict[str, list[tuple[int, int]]] = {}
    for index, step, place in _places(scenario, steps):
        if step in handed.get(scenario.operations[index].id, ()):
            lines.setdefault(place, []).append((index, step))
    if not lines:
        return scenario
    line = lines[chance.choice(sorted(lines))]
    for index, step in chance.sample(line, min(len(line), chance.choice((1, 1, 2)))):
        early = chance.random() < 0.4
        cancel = Cancellation(step=step - early, early=early)
        scenario = _with_cancellation(scenario, index, cancel)
    return scenario


def _places(scenario: Scenario, steps: Steps) -> list[tuple[int, int, str]]:
    """(index of an operation, step, where it waited before) for each of its steps."""
    return [
        (index, step, f"{type(operation).__name__} {place}")
        for index, operation in enumerate(scenario.operations)
        if not isinstance(operation, AdvanceTime | CollectGarbage | Shutdown)
        for step, place in enumerate(steps.get(operation.id, ()), start=1)
    ]


def _midst(
    chance: random.Random, waits: list[tuple[int, Wait]]
) -> tuple[int, Cancellation]:
    """(index of an operation, when it is cancelled) before what was under way came in,
    or just after, while it is handed on."""
    index, wait = chance.choice(waits)
    turns = chance.randint(wait.first + 1, wait.last)
    if chance.random() < 0.3:
        turns = wait.last + chance.randint(1, _HANDED_ON)
    return index, Cancellation(step=wait.step, early=True, turns=turns)


def _in_the_midst(scenario: Scenario) -> bool:
    """True if somebody is cancelled while others work for them."""
    cancels = (getattr(operation, "cancel", None) for operation in scenario.operations)
    return any(cancel is not None and cancel.turns for cancel in cancels)


def _waits(scenario: Scenario, waited: Waited) -> list[tuple[int, Wait]]:
    """(index of an operation, what was under way while it waited) for each."""
    return [
        (index, wait)
        for index, operation in enumerate(scenario.operations)
        if not isinstance(operation, AdvanceTime | CollectGarbage | Shutdown)
        for wait in waited.get(operation.id, ())
    ]


def _works_elsewhere(scenario: Scenario, steps: Steps) -> bool:
    """True if agents work in tasks of their own, and those who ask for runs wait: then
    a run is cancelled in the midst of that wait, or nowhere."""
    made = [
        len(steps.get(operation.id, ()))
        for operation in scenario.operations
        if isinstance(operation, RunAgent) and len(operation.script) > 1
    ]
    return bool(made) and max(made) <= _FEW_STEPS


def _with_cancellation(
    scenario: Scenario, index: int, cancel: Cancellation
) -> Scenario:
    operations = list(scenario.operations)
    operations[index] = msgspec.structs.replace(operations[index], cancel=cancel)
    return msgspec.structs.replace(scenario, operations=tuple(operations))
