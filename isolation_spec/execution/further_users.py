"""A scenario in which further users do afterwards as one of its users did."""

from __future__ import annotations

from typing import Any

import msgspec

from isolation_spec.model.scenario import (
    CancelRun,
    Chain,
    ChainKind,
    Demotion,
    Operation,
    Scenario,
    Schedule,
    User,
    names_victim,
)

__all__ = ["with_further_users"]

replace = msgspec.structs.replace


def with_further_users(scenario: Scenario, user: int, count: int) -> Scenario:
    """The scenario and so many further users, who repeat the part of the user.

    Their operations have the choices of the originals, and begin once no arrival of
    the scenario is left to come first. Attacks of the user are not repeated.
    """
    part = tuple(
        operation
        for operation in scenario.operations
        if operation.user == user and not names_victim(operation)
    )
    # An even distance: the parity of its id decides the metadata of a context.
    distance = max((one.id for one in scenario.operations), default=0) // 2 * 2 + 2
    for number in range(1, count + 1):
        newcomer = User(label=f"further{number}", id=f"newcomer-{number}-of-{count}")
        shift = distance * number
        scenario = replace(
            scenario,
            users=(*scenario.users, _like(scenario.users[user], newcomer)),
            operations=(
                *scenario.operations,
                *(_repeated(one, len(scenario.users), shift) for one in part),
            ),
            schedule=_with_choices(scenario.schedule, part, shift),
        )
    return scenario


def _like(user: User, newcomer: User) -> User:
    """A newcomer with the permissions of the user."""
    return replace(user, label=newcomer.label, id=newcomer.id)


def _repeated(operation: Operation, user: int, shift: int) -> Operation:
    changed: dict[str, Any] = {"id": operation.id + shift, "user": user}
    if isinstance(operation, CancelRun):
        changed["run"] = operation.run + shift
    repeated: Operation = replace(operation, **changed)
    return repeated


def _with_choices(
    schedule: Schedule, part: tuple[Operation, ...], shift: int
) -> Schedule:
    """The schedule with the choices on the part once more, on the newcomer's chains."""
    own = schedule.restricted_to({operation.id for operation in part})
    last = 1 + max(schedule.classes.values(), default=0)
    starts = {Chain.text(o.id + shift, ChainKind.START): last for o in part}
    classes = {_shifted(chain, shift): n for chain, n in own.classes.items()}
    demotions = tuple(
        Demotion(chain=_shifted(one.chain, shift), consumed=one.consumed, rank=one.rank)
        for one in own.demotions
    )
    return replace(
        schedule,
        classes={**schedule.classes, **classes, **starts},
        demotions=(*schedule.demotions, *demotions),
    )


def _shifted(chain: str, shift: int) -> str:
    parsed = Chain.parse(chain)
    assert parsed.owner is not None
    return Chain.text(parsed.owner + shift, parsed.kind, parsed.ordinal)
