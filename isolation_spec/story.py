"""What is told of a violation: which choices matter, what passes, where values went.

Further runs in fresh worlds tell which decisions are needed: without each of those, and
all else equal, the claim is not violated. One such run is the passing neighbour. The
words are for `explain` and for the pages to choose; here are only the facts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import msgspec

from isolation_spec.adapter import Adapter
from isolation_spec.awaits import NOWHERE
from isolation_spec.claims import Judgement, Verdict, Violation, find_claim
from isolation_spec.history import CancellationDelivered, History
from isolation_spec.hops import Hop, hops_of
from isolation_spec.run import run
from isolation_spec.scenario import Cancellation, Scenario, Schedule
from isolation_spec.solo import judge_with_solos
from isolation_spec.wording import describe_chain, describe_demotion, describe_owner
from isolation_spec.world.scheduler import Scheduler

__all__ = ["Decision", "Hop", "Neighbour", "Story", "tell_story"]

MakeAdapter = Callable[[], Adapter]
replace = msgspec.structs.replace

_MOST_TRIED = 24
"""Decisions that are tried; a shrunk scenario has far fewer."""
_OTHER_ORDERS = 8


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One choice of the schedule, or one cancellation.

    Attributes:
        kind: "class", "demotion", "burst", "split" or "cancellation".
        operation: id of the operation that it concerns, None for all or the world.
        text: what it does, in words.
        needed: True if without it, all else equal, the claim is not violated.
        tried: False if nobody ran the scenario without it.
    """

    kind: str
    operation: int | None
    text: str
    needed: bool
    tried: bool = True


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is like the failing one but for one choice, and passes.

    Attributes:
        without: what it goes without, as a noun: a decision, or this order.
        history: all that was observed in it.
        step: index of the first entry that differs from the failing run.
    """

    without: str
    history: History
    step: int


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """All that is to be told of one violation.

    Attributes:
        history: the failing run.
        decisions: every choice that the run followed, in the order of the scenario.
        neighbour: a passing run beside it, None if none was found.
        hops: the way of the foreign canary, or else of what the violation is about.
    """

    history: History
    violation: Violation
    decisions: tuple[Decision, ...]
    neighbour: Neighbour | None
    hops: tuple[Hop, ...]


def tell_story(
    history: History, violation: Violation, make_adapter: MakeAdapter | None
) -> Story:
    """The story of a violation in a history; a few dozen further runs at most.

    Without a way to make adapters, as for what was found live, nothing is run again.

    Raises:
        AdapterError: the adapter broke its contract.
    """
    scenario = replace(history.scenario, schedule=history.schedule)
    decisions: tuple[Decision, ...] = ()
    neighbours: list[Neighbour] = []
    for index, (decision, smaller) in enumerate(_decisions(history, scenario)):
        if make_adapter is None or index >= _MOST_TRIED:
            decisions += (replace(decision, tried=False),)
            continue
        other = run(smaller, make_adapter)
        verdict = _judge(other, violation, make_adapter).verdict
        needed = verdict is not Verdict.VIOLATED
        decisions += (replace(decision, needed=needed),)
        if needed:
            neighbours.append(_neighbour(history, other, decision.text))
    if not neighbours and make_adapter is not None:
        neighbours.extend(_other_order(history, scenario, violation, make_adapter))
    return Story(
        history=history,
        violation=violation,
        decisions=decisions,
        # The longer both runs go together, the more the difference says.
        neighbour=max(neighbours, key=lambda one: one.step, default=None),
        hops=hops_of(history, violation),
    )


def _judge(
    history: History, violation: Violation, make_adapter: MakeAdapter
) -> Judgement:
    claims = (find_claim(violation.claim),)
    (judgement,) = judge_with_solos(history, make_adapter, claims)
    return judgement


# Decisions


def _decisions(
    history: History, scenario: Scenario
) -> Iterator[tuple[Decision, Scenario]]:
    """Yields each decision with the scenario that goes without it."""
    places = {e.operation: e.place for e in history.of(CancellationDelivered)}
    for index, operation in enumerate(scenario.operations):
        cancel: Cancellation | None = getattr(operation, "cancel", None)
        if cancel is None or operation.id not in places:
            continue
        kept = list(scenario.operations)
        kept[index] = replace(operation, cancel=None)
        words = _cancellation(scenario, operation.id, cancel, places[operation.id])
        yield (
            _decision("cancellation", operation.id, words),
            replace(scenario, operations=tuple(kept)),
        )
    for decision, schedule in _choices(scenario):
        yield decision, replace(scenario, schedule=schedule)


def _cancellation(
    scenario: Scenario, operation: int, cancel: Cancellation, place: str
) -> str:
    side = "after" if cancel.early else "before"
    where = "" if place == NOWHERE else f", at {place}"
    whose = describe_owner(scenario, operation)
    return f"the cancellation of {whose} {side} its step {cancel.step}{where}"


def _decision(kind: str, operation: int | None, text: str) -> Decision:
    return Decision(kind=kind, operation=operation, text=text, needed=False)


def _choices(scenario: Scenario) -> Iterator[tuple[Decision, Schedule]]:
    schedule = scenario.schedule
    for chain in schedule.classes:
        rest = {c: n for c, n in schedule.classes.items() if c != chain}
        text = f"holding back {describe_chain(scenario, chain)}"
        yield _decision("class", _owner(chain), text), replace(schedule, classes=rest)
    for index, demotion in enumerate(schedule.demotions):
        kept = schedule.demotions[:index] + schedule.demotions[index + 1 :]
        text = describe_demotion(scenario, demotion)
        yield (
            _decision("demotion", _owner(demotion.chain), text),
            replace(schedule, demotions=kept),
        )
    if schedule.burst:
        more = "a further arrival" if schedule.burst == 1 else "further arrivals"
        text = f"letting {more} in before ready callbacks run"
        yield _decision("burst", None, text), replace(schedule, burst=0)
    if schedule.split:
        text = "delivering adjacent data piece by piece"
        yield _decision("split", None, text), replace(schedule, split=False)


def _owner(chain: str) -> int | None:
    owner = chain.partition("/")[0]
    return int(owner) if owner.isdecimal() else None


# The passing neighbour


def _neighbour(history: History, other: History, without: str) -> Neighbour:
    return Neighbour(without=without, history=other, step=_parting(history, other))


def _parting(history: History, other: History) -> int:
    """The index of the first entry that differs."""
    pairs = zip(history.entries, other.entries, strict=False)
    for index, (entry, instead) in enumerate(pairs):
        if entry != instead:
            return index
    return min(len(history.entries), len(other.entries))


def _other_order(
    history: History,
    scenario: Scenario,
    violation: Violation,
    make_adapter: MakeAdapter,
) -> Iterator[Neighbour]:
    """Yields the first of a few other orders of arrivals in which the claim holds."""
    for seed in range(_OTHER_ORDERS):
        chance = random.Random(seed)
        points = [chance.randint(1, 20) for _ in range(2)]
        scheduler = Scheduler(scenario.schedule, change_points=points)
        other = run(scenario, make_adapter, scheduler=scheduler)
        if _judge(other, violation, make_adapter).verdict is Verdict.HOLDS:
            yield _neighbour(history, other, "this order of arrivals")
            return
