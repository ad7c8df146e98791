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
from isolation_spec.claims import Judgement, Verdict, Violation, find_claim
from isolation_spec.history import (
    AgentStepped,
    CancellationDelivered,
    Entry,
    History,
    OperationStarted,
    RowStored,
)
from isolation_spec.run import run
from isolation_spec.scenario import (
    Cancellation,
    Scenario,
    Schedule,
    canaries_in,
    owned_canaries,
)
from isolation_spec.solo import judge_with_solos
from isolation_spec.world.scheduler import Scheduler

__all__ = ["Decision", "Hop", "Neighbour", "Story", "tell_story"]

MakeAdapter = Callable[[], Adapter]
replace = msgspec.structs.replace

_MOST_TRIED = 24
"""Decisions that are tried; a shrunk scenario has far fewer."""
_OTHER_ORDERS = 8


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One place in the history at which the value, or the resource, was seen.

    The first is where it was born, the last where the violation shows.

    Attributes:
        entry: index into the entries of the history.
        user: index of the user who saw it there, None for the world.
        operation: id of the operation in which it was seen.
        what: a few words, without the user's name.
    """

    entry: int
    user: int | None
    operation: int | None
    what: str


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
        without: the decision that it goes without, or which order it has instead.
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
        hops=tuple(_hops(history, violation)),
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
        if cancel is not None and operation.id in places:
            side = "after" if cancel.early else "before"
            who = scenario.users[operation.user].label  # type: ignore[union-attr]
            text = (
                f"the cancellation of {who}'s operation {operation.id} {side} its "
                f"step {cancel.step}, at {places[operation.id]}"
            )
            kept = list(scenario.operations)
            kept[index] = replace(operation, cancel=None)
            yield (
                _decision("cancellation", operation.id, text),
                replace(scenario, operations=tuple(kept)),
            )
    for decision, schedule in _choices(scenario.schedule):
        yield decision, replace(scenario, schedule=schedule)


def _decision(kind: str, operation: int | None, text: str) -> Decision:
    return Decision(kind=kind, operation=operation, text=text, needed=False)


def _choices(schedule: Schedule) -> Iterator[tuple[Decision, Schedule]]:
    for chain in schedule.classes:
        rest = {c: n for c, n in schedule.classes.items() if c != chain}
        text = f"arrivals of {chain} yielding to others"
        yield _decision("class", _owner(chain), text), replace(schedule, classes=rest)
    for index, demotion in enumerate(schedule.demotions):
        kept = schedule.demotions[:index] + schedule.demotions[index + 1 :]
        text = f"{demotion.chain} coming last after {demotion.consumed} arrivals"
        yield (
            _decision("demotion", _owner(demotion.chain), text),
            replace(schedule, demotions=kept),
        )
    if schedule.burst:
        text = f"up to {schedule.burst} arrivals coming in at once"
        yield _decision("burst", None, text), replace(schedule, burst=0)
    if schedule.split:
        text = "adjacent data arriving piece by piece"
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
            yield _neighbour(history, other, "in another order of arrivals")
            return


# Hops


def _hops(history: History, violation: Violation) -> Iterator[Hop]:
    value = _canary(history, violation)
    if value is None:
        return
    born = _birth(history, value)
    for index, entry in enumerate(history.entries[: violation.entry + 1]):
        if index == born:
            yield _hop(history, index, "written")
        elif value in str(entry) and index > born:
            yield _hop(history, index, type(entry).__name__)


def _hop(history: History, index: int, what: str) -> Hop:
    entry = history.entries[index]
    return Hop(
        entry=index,
        user=_viewer(history, entry),
        operation=entry.operation,
        what=what,
    )


def _viewer(history: History, entry: Entry) -> int | None:
    if isinstance(entry, RowStored):
        ids = [user.id for user in history.scenario.users]
        return ids.index(entry.owner) if entry.owner in ids else None
    return entry.user


def _canary(history: History, violation: Violation) -> str | None:
    """The canary that the violation is about, a foreign one first."""
    labels = [user.label for user in history.scenario.users]
    owners = {
        value: labels.index(label)
        for value, label in owned_canaries(history.scenario).items()
    }
    shows = history.entries[violation.entry : violation.entry + 1]
    texts = [violation.however, *map(str, shows), *violation.let, violation.then]
    found = [value for text in texts for _, value in canaries_in(text)]
    viewer = _viewer(history, shows[0]) if shows else None
    foreign = [v for v in found if owners.get(v, viewer) != viewer]
    return next(iter(foreign or found), None)


def _birth(history: History, value: str) -> int:
    """The index of the entry at which the value came into the engine."""
    for index, entry in enumerate(history.entries):
        if isinstance(entry, OperationStarted | AgentStepped) and value in str(
            history.operations().get(entry.operation or -1)
        ):
            return index
    return 0
