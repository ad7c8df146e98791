"""Whether objects can change in place."""

import dataclasses
import datetime
import decimal
import enum
import pathlib
import re
import uuid
from collections import OrderedDict, UserDict, UserList, defaultdict, deque
from typing import Any, NamedTuple

import msgspec
import pytest

from isolation_spec.execution.mutability import is_container, is_leaf, is_mutable


class Colour(enum.Enum):
    """A member is one object for everybody."""

    RED = "red"


class Flags(enum.Flag):
    """A member is one object for everybody."""

    A = 1


class Point(NamedTuple):
    """A tuple with names."""

    x: int


@dataclasses.dataclass(frozen=True)
class FrozenData:
    """Refuses assignments to its fields."""

    name: str = ""


class FurtherFrozenData(FrozenData):
    """Inherits the refusal for the fields alone."""


class FrozenStruct(msgspec.Struct, frozen=True):
    """Refuses assignments, outside Python."""

    name: str = ""


class HandWritten:
    """Refuses assignments, as an engine wrote it."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


class OwnText(str):
    """A text with a type of its own."""


class OwnPath(pathlib.PurePosixPath):
    """A path with a type of its own."""


@dataclasses.dataclass
class Data:
    """Accepts assignments."""

    name: str = ""


class Struct(msgspec.Struct):
    """Accepts assignments, outside Python."""

    name: str = ""


class Slotted:
    """Accepts assignments to its slot."""

    __slots__ = ("name",)


class Watching:
    """Accepts assignments, and watches them."""

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)


class Keyed:
    """Hashes by value, and accepts assignments all the same."""

    def __hash__(self) -> int:
        return 1


VALUES = (
    *(1, 1.5, "x", b"x", True, range(3)),
    *(datetime.datetime(2026, 1, 1), datetime.timedelta(1), datetime.UTC),
    *(decimal.Decimal(1), uuid.UUID(int=1), pathlib.Path("x"), re.compile("x")),
    *(Colour.RED, Flags.A, OwnText("x"), OwnPath("x"), Data, int),
)
FROZEN: tuple[Any, ...] = (
    *((), frozenset(), Point(1)),
    *(FrozenData(), FurtherFrozenData(), FrozenStruct(), HandWritten()),
)
MUTABLE = (Data(), Struct(), Slotted(), Watching(), Keyed())
CONTAINERS: tuple[Any, ...] = (
    *([], {}, set(), deque(), bytearray(), OrderedDict(), defaultdict(int)),
    *(UserDict(), UserList()),
)


@pytest.mark.parametrize("thing", VALUES, ids=lambda one: type(one).__name__)
def test_a_value_is_a_leaf(thing: Any) -> None:
    """Values and classes cannot change, and nothing inside is of one user alone."""
    assert is_leaf(type(thing))
    assert not is_mutable(thing)


@pytest.mark.parametrize("thing", FROZEN, ids=lambda one: type(one).__name__)
def test_an_object_that_cannot_change_is_not_mutable(thing: Any) -> None:
    """The way in which its class says so makes no difference; its parts may change."""
    assert not is_mutable(thing)
    assert not is_leaf(type(thing))


@pytest.mark.parametrize("thing", MUTABLE, ids=lambda one: type(one).__name__)
def test_an_object_that_can_change_is_mutable(thing: Any) -> None:
    """A class with a hash or a `__setattr__` of its own is no exception."""
    before = repr(getattr(thing, "__dict__", None))

    assert is_mutable(thing)
    assert before == repr(getattr(thing, "__dict__", None))


@pytest.mark.parametrize("thing", CONTAINERS, ids=lambda one: type(one).__name__)
def test_a_collection_that_can_change_is_a_container(thing: Any) -> None:
    """Collections of the standard library count, and not the built-in ones alone."""
    assert is_container(type(thing))
    assert not is_leaf(type(thing))
