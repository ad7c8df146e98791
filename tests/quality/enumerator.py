"""All small scenarios in order of size, and the first at which a planted fault fails.

Shares no code with the shrinker: that removes, this builds up. A scenario is two lanes,
one a user, and at most one operation of the world somewhere between them. Its size is
operations plus decisions; of two with the same size the one with fewer operations comes
first, then the one with fewer script steps.

The alphabet is complete in kinds: each operation, each attack, each step of a script
with each value that the search gives it, but one step a run at most unless more are
asked for, one key, one thread, and of the world's waits one. Users are called by one
pair of identities that the engine may confuse. A decision is a cancellation before or
after a step that was seen, a class for a chain that was seen, a demotion of it after
each of its arrivals, a burst, or the split of data.
"""

from __future__ import annotations

import functools
import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, TypeAlias

import msgspec

import isolation_spec
from isolation_spec.claims import find_claim
from isolation_spec.contract.errors import AdapterError
from isolation_spec.engines.faults import Fault
from isolation_spec.engines.registry import Engine, find_engine
from isolation_spec.execution.run import run
from isolation_spec.execution.solo_runs import judge_with_solos
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
    "Found",
    "candidates",
    "decided",
    "fails",
    "least",
    "scenarios",
]

replace = msgspec.structs.replace
Lane: TypeAlias = tuple[Operation, ...]

LABELS = ("alice", "bob")
Names: TypeAlias = tuple[tuple[str, str], tuple[str, str]]
"""Of each user the identity and the thread."""

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
"""Which run is to be cancelled, until operations have numbers."""


# Lanes: what one user does


@functools.cache
def _lanes(length: int, worth: frozenset[Operation] | None = None) -> tuple[Lane, ...]:
    """All that one user may do in so many operations, attacks included; in contexts
    what is worth it, all if that is not said."""
    if not length:
        return ((),)
    return tuple(
        (*before, operation)
        for lane in _lanes(length - 1, worth)
        for before in _variants(lane)
        for operation in _moves(before, worth)
    )


def _variants(lane: Lane) -> Iterator[Lane]:
    """The lane, and the lane whose last run is not waited for."""
    yield lane
    if lane and isinstance(last := lane[-1], RunAgent) and last.victim is None:
        yield (*lane[:-1], replace(last, background=True))


def _moves(lane: Lane, worth: frozenset[Operation] | None) -> Iterator[Operation]:
    """The operations that have something to work on after these."""
    yield from _moves_at_connections(lane)
    yield from _moves_in_contexts(lane, worth)
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
    lane: Lane, worth: frozenset[Operation] | None
) -> Iterator[Operation]:
    opened = [one.context for one in lane if isinstance(one, OpenContext)]
    if len(opened) < 4:
        yield OpenContext(id=0, user=0, context=f"x{len(opened)}", thread="t")
    for context in opened:
        for one in IN_CONTEXT if worth is None else sorted(worth, key=str):
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


# Scenarios: lanes put together


def scenarios(
    names: Names, operations: int, worth: frozenset[Operation] | None = None
) -> Iterator[Scenario]:
    """Yields every scenario of so many operations, and no decisions; those with the
    operations shared evenly between the users first.

    If it is said what in a context is worth it, nothing else is done there, and the
    world does nothing.
    """
    users = _users(names)
    for worldly in range(2 if operations > 1 and worth is None else 1):
        own = operations - worldly
        for first in sorted(range(1, own + 1), key=lambda n: abs(2 * n - own)):
            for lanes in itertools.product(
                _lanes(first, worth), _lanes(own - first, worth)
            ):
                if all(_has(lanes, user) for user in (0, 1)):
                    for merged in _merged(lanes, worldly):
                        yield Scenario(users=users, operations=_numbered(merged, names))
    if operations == 1:
        for world in WORLD:
            yield Scenario(users=users, operations=_numbered((world,), names))


def scenario_of(lanes: tuple[Lane, Lane], names: Names) -> Scenario:
    """The scenario in which the users do this, in plain order; nobody who does nothing
    and to whom nothing is done is in it."""
    (operations,) = _merged(lanes, 0)
    alone = not lanes[1] and not any(map(_victim, operations))
    users = _users(names)[: 1 if alone else 2]
    return Scenario(users=users, operations=_numbered(operations, names))


def _users(names: Names) -> tuple[User, ...]:
    called = zip(LABELS, names, strict=True)
    return tuple(User(label=label, id=name) for label, (name, _) in called)


def _victim(operation: Operation) -> bool:
    return operation.victim is not None


def _has(lanes: tuple[Lane, ...], user: int) -> bool:
    """True if what the user attacks is there to be attacked."""
    other = lanes[1 - user]
    opened = any(isinstance(one, OpenContext) for one in other)
    ran = any(isinstance(one, RunAgent) for one in other)
    needed = (
        ran if isinstance(one, CancelRun) else opened
        for one in lanes[user]
        if one.victim is not None and not isinstance(one, Connect)
    )
    return all(needed)


def _merged(lanes: tuple[Lane, ...], worldly: int) -> Iterator[Lane]:
    """One list: the lanes one after the other, and the world's operation after any
    part of them. How lanes interleave is not the list's to say."""
    first = tuple(_of_user(one, 0) for one in lanes[0])
    second = tuple(_of_user(one, 1) for one in lanes[1])
    if not worldly:
        yield first + second
        return
    for one, other in itertools.product(range(len(first) + 1), range(len(second) + 1)):
        for world in WORLD if one or other else ():
            yield (*first[:one], *second[:other], world, *first[one:], *second[other:])


def _of_user(operation: Any, user: int) -> Operation:
    victim = 1 - user if _victim(operation) else None
    named = {"victim": victim} if "victim" in operation.__struct_fields__ else {}
    changed: Operation = replace(operation, user=user, **named)
    return changed


def _numbered(operations: Iterable[Any], names: Names) -> tuple[Operation, ...]:
    """Operations with their numbers, and in every value a canary of their own."""
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


# Decisions: one more of those that a run has a place for


def decided(history: History) -> Iterator[Scenario]:
    """Yields the scenario of a run, whose steps were counted, with one more decision,
    for each that had a place in it."""
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


# What need not be run: where nothing of the fault is called, or one user is alone

_TWO_USERS = frozenset({"context-ownership", "noninterference"})
"""Claims that say of one user what another one did to them."""


def _called(scenario: Scenario, engine: Engine, folder: str) -> frozenset[str]:
    """The names of the functions in modules of a folder that a run calls."""
    names: set[str] = set()

    def look(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and folder in frame.f_code.co_filename:
            names.add(frame.f_code.co_name)

    sys.setprofile(look)
    try:
        run(scenario, engine.make_adapter)
    finally:
        sys.setprofile(None)
    return frozenset(names)


_HOUSE = str(Path(isolation_spec.__file__).parent)
_FAULTS = str(Path(_HOUSE, "engines", "faults"))
_CLEAN = find_engine("reference")
_OPENED = OpenContext(id=0, user=0, context="x0", thread="t")
_CONNECTED = Connect(id=0, user=0, connection="c0")
_SURVEY: tuple[Lane, ...] = (
    *((_OPENED, one) for one in IN_CONTEXT),
    (_OPENED, CleanupUser(id=0, user=0)),
    (_CONNECTED, Disconnect(id=0, user=0, connection="c0")),
    (_CONNECTED, _OPENED, RunAgent(id=0, user=0, context="x0", script=())),
)
"""What one user may do, each thing once."""


def _alone(lane: Lane) -> Scenario:
    user = User(label=LABELS[0], id=LABELS[0])
    return Scenario(users=(user,), operations=_numbered(lane, PLAIN))


@functools.cache
def _called_in_each(operations: int) -> tuple[frozenset[str], ...]:
    """For each scenario of so many operations what the clean engine calls."""
    return tuple(
        _called(scenario, _CLEAN, _HOUSE) for scenario in scenarios(PLAIN, operations)
    )


def seams(engine: Engine) -> frozenset[str]:
    """The functions of the clean engine in whose place the fault has its own, as far
    as they are not called in every run; none if that is not known."""
    nobody = Scenario(users=(User(label="alice", id="alice"),), operations=())
    always = _called(nobody, _CLEAN, _HOUSE)
    everywhere = tuple(map(_alone, _SURVEY))
    anywhere = frozenset().union(*(_called(s, _CLEAN, _HOUSE) for s in everywhere))
    own = frozenset().union(*(_called(s, engine, _FAULTS) for s in everywhere))
    found = (own & anywhere) - always
    # What only makes a part is no seam, if the part has any of its own.
    return frozenset(n for n in found if not n.startswith("_create_")) or found


class Relevance:
    """Says which scenarios can violate a claim of a fault: those that call one of the
    functions which the fault replaces, by two users where the claims speak of two.

    Of more than two operations that is not known of each. There, what is done in a
    context is what calls such a function, or looks, erases or ends.
    """

    def __init__(self, fault: Fault, engine: Engine) -> None:
        self._seams = seams(engine)
        self._two = fault.claims <= _TWO_USERS
        opening = _called(_alone((_OPENED,)), _CLEAN, _HOUSE)
        looking = {
            one for one in IN_CONTEXT if isinstance(one, Read | Erase | CleanupEngine)
        }
        self.worth = frozenset(looking) | {
            one
            for one in IN_CONTEXT
            if not self._seams - opening
            or (self._seams - opening) & _called(_alone((_OPENED, one)), _CLEAN, _HOUSE)
        }

    def of(self, names: Names, operations: int) -> Iterator[Scenario]:
        """Yields the scenarios of so many operations that are worth a run."""
        if operations > MOST_TRACED:
            found = scenarios(names, operations, self.worth)
            yield from (s for s in found if self._is_for_two(s))
            return
        for scenario, called in zip(
            scenarios(names, operations), _called_in_each(operations), strict=True
        ):
            touched = not self._seams or self._seams & called
            if touched and self._is_for_two(scenario):
                yield scenario

    def _is_for_two(self, scenario: Scenario) -> bool:
        users = {one.user for one in scenario.operations}
        return not self._two or {0, 1} <= users


MOST_TRACED = 2


# The least at which a fault fails


class Found(NamedTuple):
    """A scenario that fails, its decisions, the claim that it violates, and how many
    runs it took to find it."""

    scenario: Scenario
    decisions: int
    claim: str
    runs: int


Probe: TypeAlias = Callable[[Scenario], tuple[History | None, str | None]]


def fails(engine: Engine, claims: Iterable[str]) -> Probe:
    """A function that runs a scenario and says what was observed, and which of the
    claims is violated, if one is."""
    judged = tuple(find_claim(claim) for claim in sorted(claims))

    def probe(scenario: Scenario) -> tuple[History | None, str | None]:
        try:
            history = run(scenario, engine.make_adapter, count_steps=True)
        except AdapterError:
            return None, None
        judgements = judge_with_solos(history, engine.make_adapter, judged)
        return history, next((j.claim for j in judgements if j.violations), None)

    return probe


def candidates(
    relevance: Relevance, names: Names, size: int, probe: Probe
) -> Iterator[tuple[Scenario, str | None]]:
    """Yields every scenario of that size and the claim that it violates, or None.

    Fewer operations first; so many decisions as there are operations, at most.
    """
    for operations in range(-(-size // 2), size + 1):
        for scenario in relevance.of(names, operations):
            yield from _probed(scenario, size - operations, probe)


def _probed(
    scenario: Scenario, decisions: int, probe: Probe
) -> Iterator[tuple[Scenario, str | None]]:
    history, claim = probe(scenario)
    if not decisions:
        yield scenario, claim
    elif history is not None and claim is None:
        for one in decided(history):
            yield from _probed(one, decisions - 1, probe)


def least(fault: Fault, names: Names, most: int) -> Found | None:
    """The first scenario of at most this size that violates a claim of the fault."""
    engine = Engine(f"reference+{fault.id}", fault.adapter)
    probe, relevance = fails(engine, fault.claims), Relevance(fault, engine)
    runs = itertools.count(1)
    for size in range(1, most + 1):
        for scenario, claim in candidates(relevance, names, size, probe):
            number = next(runs)
            if claim is not None:
                decisions = size - len(scenario.operations)
                return Found(scenario, decisions, claim, number)
    return None
