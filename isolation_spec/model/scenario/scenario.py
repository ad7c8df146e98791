"""A scenario, and the facts that follow from it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from isolation_spec.model.scenario.canary import canaries_in, canary
from isolation_spec.model.scenario.fields import MOST_OPERATIONS, MOST_USERS, Data, User
from isolation_spec.model.scenario.operations import (
    CancelRun,
    Connect,
    OpenContext,
    Operation,
    RunAgent,
    UserOperation,
)
from isolation_spec.model.scenario.schedule import Schedule

__all__ = [
    "Moment",
    "Scenario",
    "attack_prerequisites",
    "metadata_canary",
    "owned_canaries",
]


class Scenario(Data, frozen=True, kw_only=True):
    """Users, their operations, and a schedule."""

    users: Annotated[
        tuple[User, ...],
        Meta(
            max_length=MOST_USERS,
            description="The users; operations name them by index.",
        ),
    ]
    operations: Annotated[
        tuple[Operation, ...],
        Meta(
            max_length=MOST_OPERATIONS,
            description="The operations; each user's happen in this order.",
        ),
    ]
    schedule: Annotated[
        Schedule, Meta(description="In which order the outside answers.")
    ] = Schedule()
    version: Annotated[Literal[1], Meta(description="The version of this form.")] = 1

    def problems(self) -> Iterator[str]:
        """Yields every rule of a well-formed scenario that this one breaks."""
        labels = [user.label for user in self.users]
        ids = [operation.id for operation in self.operations]
        if len(set(labels)) != len(labels):
            yield "user labels must differ"
        if len({user.id for user in self.users}) != len(labels):
            yield "user ids must differ"
        if len(set(ids)) != len(ids):
            yield "operation ids must be unique"
        for operation in self.operations:
            for user in (operation.user, operation.victim):
                if user is not None and not 0 <= user < len(labels):
                    yield f"operation {operation.id} names user {user} of {len(labels)}"
        owners = {o.id: o.user for o in self.operations if isinstance(o, RunAgent)}
        for cancel in self.operations:
            if isinstance(cancel, CancelRun):
                owner = owners.get(cancel.run, cancel.user)
                if owner not in (cancel.user, cancel.victim):
                    yield (
                        f"operation {cancel.id} cancels run {cancel.run} of user "
                        f"{owner}, who is to be named as its victim"
                    )

    def to_json(self) -> bytes:
        """The scenario as JSON; `from_json` gives an equal one back."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes | str) -> Scenario:
        """A scenario from its JSON.

        Raises:
            ValueError: the JSON has not the form of a scenario; the text names the
            place.
        """
        return cls.from_data(msgspec.json.decode(data))

    @classmethod
    def from_data(cls, data: Any) -> Scenario:
        """A scenario from decoded JSON; raises ValueError as `from_json` does."""
        scenario = msgspec.convert(data, cls)
        for problem in scenario.problems():
            raise ValueError(f"not a scenario: {problem}")
        return scenario


class Moment(StrEnum):
    """The moments of an operation for which another one may wait."""

    BEGUN = "begun"
    ENDED = "ended"


def attack_prerequisites(scenario: Scenario) -> dict[int, tuple[int, Moment]]:
    """Attack -> (operation, moment) for which it waits, if that stands before it.

    The moment is the beginning of a run, or the end of the opening of a context.
    """
    found: dict[int, tuple[int, Moment]] = {}
    runs: set[int] = set()
    opened: dict[tuple[int, str], int] = {}
    for operation in scenario.operations:
        victim = operation.victim
        if isinstance(operation, OpenContext):
            opened[operation.user, operation.context] = operation.id
        elif isinstance(operation, CancelRun):
            if victim is not None and operation.run in runs:
                found[operation.id] = operation.run, Moment.BEGUN
        elif victim is not None and not isinstance(operation, Connect):
            opening = opened.get((victim, operation.context or ""))
            if opening is not None:
                found[operation.id] = opening, Moment.ENDED
        if isinstance(operation, RunAgent):
            runs.add(operation.id)
    return found


def metadata_canary(label: str, operation: OpenContext) -> str:
    """The value in the metadata of the context that the user of this label opens."""
    return canary(label, operation.id, 0)


def owned_canaries(scenario: Scenario) -> dict[str, str]:
    """Canary in the scenario or in the metadata of a context -> label of its writer."""
    owners: dict[str, str] = {}
    for operation in scenario.operations:
        if isinstance(operation, UserOperation):
            label = scenario.users[operation.user].label
            for _, value in canaries_in(str(operation)):
                owners.setdefault(value, label)
            if isinstance(operation, OpenContext):
                owners.setdefault(metadata_canary(label, operation), label)
    return owners
