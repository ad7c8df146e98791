"""The form of a fact, its fields, and walks over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from isolation_spec.model.scenario.fields import LARGEST, MOST_USERS

__all__ = [
    "Canary",
    "ConnectionName",
    "ContextName",
    "Count",
    "Fact",
    "Harmed",
    "Key",
    "OperationId",
    "Owner",
    "Place",
    "Seconds",
    "Shown",
    "Step",
    "Text",
    "Thread",
    "UserIndex",
    "change_texts",
    "texts_in",
]

FactT = TypeVar("FactT", bound="Fact")


class Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Text that the engine chose: an identity, an error, a key, a row.

    A failure file redacts it, so text of the engine is never a plain string.
    """

    text: Annotated[str, Meta(description="The text, as the engine showed it.")]


Text: TypeAlias = str | Shown
"""A name: a plain string is code or scenario, `Shown` is the engine's choice."""


def _tag(name: str) -> str:
    """Returns the name of a class in snake case, by which JSON names a fact."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).strip("_")


class Fact(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="fact",
    tag=_tag,
):
    """The observation of one clause of a claim, in typed fields and without a sentence.

    Users are indices, operations are ids, times are virtual seconds. Fields stand in
    order of importance: the first canary in them is the one whose provenance is shown.
    """


# Fields that many facts have

_INDEX = Meta(ge=0, lt=MOST_USERS)
UserIndex: TypeAlias = Annotated[
    int, _INDEX, Meta(description="The user, as an index into the users.")
]
Harmed: TypeAlias = Annotated[
    int, _INDEX, Meta(description="The harmed user, as an index into the users.")
]
Owner: TypeAlias = Annotated[
    int, _INDEX, Meta(description="The owner, as an index into the users.")
]
OperationId: TypeAlias = Annotated[
    int, Meta(ge=0, le=LARGEST, description="The id of the operation.")
]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=LARGEST, description="A count.")]
Seconds: TypeAlias = Annotated[
    float, Meta(ge=0, le=1e12, description="Virtual seconds.")
]
Canary: TypeAlias = Annotated[
    str, Meta(description="A synthetic value of the scenario, usually a canary.")
]
Step: TypeAlias = Annotated[
    str, Meta(description="The kind of step of the agent's script.")
]
Place: TypeAlias = Annotated[str, Meta(description="The place in the engine's code.")]
Key: TypeAlias = Annotated[str, Meta(description="The key of the row.")]
Thread: TypeAlias = Annotated[str, Meta(description="The thread of the row.")]
ContextName: TypeAlias = Annotated[
    str, Meta(description="The name that its owner gave the context.")
]
ConnectionName: TypeAlias = Annotated[
    str, Meta(description="The name that its user gave the connection.")
]


# Walks

Change: TypeAlias = Callable[[Text], Text]


def change_texts(fact: FactT, change: Change) -> FactT:
    """Returns the fact with each of its texts changed, at any depth."""
    changed: FactT = _changed(fact, change)
    return changed


def _changed(value: Any, change: Change) -> Any:
    if isinstance(value, str | Shown):
        # An enum is a word of the specification, and no text of anybody else.
        return change(value) if type(value) in (str, Shown) else value
    if isinstance(value, tuple):
        return tuple(_changed(item, change) for item in value)
    if isinstance(value, msgspec.Struct):
        names = value.__struct_fields__
        fields = {name: _changed(getattr(value, name), change) for name in names}
        return msgspec.structs.replace(value, **fields)
    return value


def texts_in(value: object) -> Iterator[str]:
    """Yields every text in a fact, in the order of its fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from texts_in(item)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from texts_in(getattr(value, name))
