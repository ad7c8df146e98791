"""Remarks on a history: worth a person's look, and no part of a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from isolation_spec.model.history.entries import IdentityKept, ObjectShared, PathStep
from isolation_spec.model.history.history import History

__all__ = [
    "AnyRemark",
    "CallbackComputes",
    "IdentityOfDeparted",
    "ObjectHeldByTwo",
    "ValuesSeenInPart",
    "remarks_on",
]


class ObjectHeldByTwo(msgspec.Struct, frozen=True, tag_field="remark", tag=True):
    """Contexts of two users hold one mutable object that the adapter does not declare.

    It is no violation: a table of the work under way is shared by right. A value or a
    change of one user that reaches another through it violates the claim that sees it.

    Attributes:
        path, others_path: the way to it from either context, without keys of mappings.
    """

    path: str
    others_path: str


class IdentityOfDeparted(msgspec.Struct, frozen=True, tag_field="remark", tag=True):
    """By the engine's word, a task or a timer works for a user after the cleanup.

    Where the server started it for all, with the first request, it inherited the user's
    context variables. Work that it then does for another user is judged where it shows.

    Attributes:
        kind, name: of the resource; the name is that of its code.
    """

    kind: str
    name: str


class CallbackComputes(msgspec.Struct, frozen=True, tag_field="remark", tag=True):
    """A callback computed for a CPU second or more, while the loop served no one else.

    Below ten seconds it is no violation, as another machine may take half of that.

    Attributes:
        function: the qualified name of the engine's innermost function at that time.
    """

    function: str


class ValuesSeenInPart(msgspec.Struct, frozen=True, tag_field="remark", tag=True):
    """More than 1 % of the values of one kind of operation have a part unseen.

    Attributes:
        kind: of the operation, or of the step of an agent.
        opaque, values: how many values have such a part, of how many.
        types: the types of those parts, each with the reason.
    """

    kind: str
    opaque: int
    values: int
    types: str


AnyRemark: TypeAlias = (
    ObjectHeldByTwo | IdentityOfDeparted | CallbackComputes | ValuesSeenInPart
)


def remarks_on(history: History) -> Iterator[AnyRemark]:
    """Yields the remarks on one history; equal ones may come more than once."""
    for shared in history.of(ObjectShared):
        yield ObjectHeldByTwo(_place(shared.path), _place(shared.others_path))
    yield from map(CallbackComputes, history.computing)
    users = {user.id for user in history.scenario.users}
    for kept in history.of(IdentityKept):
        if kept.identity in users:
            yield IdentityOfDeparted(kept.kind, kept.what)


def _place(path: tuple[PathStep, ...]) -> str:
    """The path as code; the keys of mappings are values of this one run."""
    return "".join(step.code if step.key is None else "[...]" for step in path)
