"""The scenario of the check with two users, and each attack on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from isolation_spec.adapter_check.result import ALICE, BOB, THREAD
from isolation_spec.model.scenario import (
    CallTool,
    CancelRun,
    CleanupEngine,
    Connect,
    Emit,
    Erase,
    Mutate,
    OpenContext,
    Operation,
    Read,
    ReadState,
    Recall,
    Remember,
    Return,
    RunAgent,
    Scenario,
    Sleep,
    Spawn,
    Step,
    Think,
    Transact,
    Write,
    WriteState,
    canary,
)

__all__ = ["ATTACK", "Attack", "attacks_on", "peaceful_scenario"]

_KEY = "k"
"""Both users store under one key, on one thread: many engines tell them apart by it."""
_LONG_RUN = 13
"""The run of Alice's during which Bob attacks."""
ATTACK = 30
"""The id of an attack."""


class Attack(NamedTuple):
    """A request in which Bob names something of Alice's.

    Attributes:
        method: the method of the adapter that it calls, and what is special about it.
        scenario: the peaceful scenario with this one attack.
    """

    method: str
    scenario: Scenario


def peaceful_scenario() -> Scenario:
    """Alice and Bob do the same at once, and neither names anything of the other's."""
    # Their operations alternate, so that neither is always the first.
    lanes = zip(_lane(0, "alice"), _lane(1, "bob"), strict=True)
    operations = tuple(operation for two in lanes for operation in two)
    return Scenario(users=(ALICE, BOB), operations=operations)


def _lane(user: int, label: str) -> Iterator[Operation]:
    """One user's operations; the ids of the first user's are odd."""

    def number(place: int) -> int:
        return 2 * place - 1 + user

    context = label[0]
    yield Connect(id=number(1), user=user, connection=context)
    yield OpenContext(id=number(2), user=user, context=context, thread=THREAD)
    yield RunAgent(
        id=number(3), user=user, context=context, script=_work(label, number(3))
    )
    yield Write(
        id=number(4),
        user=user,
        context=context,
        key="w",
        value=canary(label, number(4), 0),
    )
    yield Read(id=number(5), user=user, context=context)
    # Bob attacks when his own run is over, in the middle of Alice's.
    seconds = 4.0 if user == 0 else 2.0
    yield RunAgent(
        id=number(7), user=user, context=context, script=(Sleep(seconds=seconds),)
    )
    value = canary(label, number(8), 0)
    yield RunAgent(
        id=number(8),
        user=user,
        context=context,
        script=(
            Sleep(seconds=4.0 - seconds + 1.0),
            Recall(key=_KEY),
            Emit(payload=value),
            Return(value=value),
        ),
    )
    yield Read(id=number(9), user=user, context=context)


def _work(label: str, run: int) -> tuple[Step, ...]:
    """Every service once; both users have stored before either looks."""
    value = canary(label, run, 0)
    return (
        Think(prompt=value),
        WriteState(key=_KEY, value=value),
        Remember(key=_KEY, value=value),
        CallTool(tool="echo", argument=value),
        Transact(items=(("t", value),)),
        Sleep(seconds=1.0),
        ReadState(),
        Recall(key=_KEY),
        CallTool(tool="whoami", argument=""),
        Emit(payload=value),
        Spawn(script=(Think(prompt=value), Return(value=value))),
        Return(value=value),
    )


def attacks_on(peaceful: Scenario) -> Iterator[Attack]:
    """Yields each attack, made after Bob's run and before Alice looks again."""
    place = next(i for i, o in enumerate(peaceful.operations) if o.id == _LONG_RUN + 1)
    before = peaceful.operations[: place + 1]
    after = peaceful.operations[place + 1 :]
    for method, attack in _ATTACKS.items():
        operations = (*before, attack, *after)
        yield Attack(method, msgspec.structs.replace(peaceful, operations=operations))


_VALUE = canary("bob", ATTACK, 0)
_ATTACKS: Mapping[str, Operation] = {
    "read": Read(id=ATTACK, user=1, context="a", victim=0),
    "write": Write(id=ATTACK, user=1, context="a", key="w", value=_VALUE, victim=0),
    "mutate": Mutate(id=ATTACK, user=1, context="a", value=_VALUE, victim=0),
    "run_agent": RunAgent(
        id=ATTACK,
        user=1,
        context="a",
        victim=0,
        script=(
            Think(prompt=_VALUE),
            ReadState(),
            Recall(key=_KEY),
            Remember(key=_KEY, value=_VALUE),
            Return(value=_VALUE),
        ),
    ),
    "cancel_run": CancelRun(id=ATTACK, user=1, run=_LONG_RUN, victim=0),
    "erase": Erase(id=ATTACK, user=1, context="a", victim=0),
    "cleanup_context": CleanupEngine(id=ATTACK, user=1, context="a", victim=0),
    "connect": Connect(id=ATTACK, user=1, connection="x", victim=0),
    "forged connect": Connect(id=ATTACK, user=1, connection="x", victim=0, forged=True),
}
"""Method -> the attack by it."""
