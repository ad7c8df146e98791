"""A value is seen whatever it is made of, and no code of its class runs."""

from __future__ import annotations

import array
import asyncio
import collections
import dataclasses
import enum
import functools
import http.cookies
import io
import itertools
import re
import sqlite3
import types
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from email.message import EmailMessage
from typing import Any, NamedTuple

import attrs
import msgspec
import pydantic
import pydantic.v1
import pytest

from isolation_spec.model.history.rendering import render
from isolation_spec.model.scenario import canaries_in, canary

SECRET = canary("alice", 1, 1)


# Classes of engines and of their libraries


class Attributes:
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def get(self) -> Any:
        return self.inner


class Private:
    def __init__(self, inner: Any) -> None:
        self._inner = inner


class Mangled:
    __slots__ = ("__inner",)

    def __init__(self, inner: Any) -> None:
        self.__inner = inner


class Slots:
    __slots__ = ("inner", "missing")

    def __init__(self, inner: Any) -> None:
        self.inner = inner


class InheritedSlots(Slots):
    __slots__ = ("own",)


class SlotsBelowAttributes(Slots):
    pass


class HiddenMangled(Mangled):
    __slots__ = ()


@dataclasses.dataclass
class Data:
    inner: Any


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenData:
    inner: Any


@attrs.define
class Attrs:
    inner: Any


@attrs.frozen
class FrozenAttrs:
    inner: Any


@attrs.define(slots=False)
class DictAttrs:
    inner: Any
    _private: Any = None


class Struct(msgspec.Struct):
    inner: Any


class FrozenStruct(msgspec.Struct, frozen=True, gc=False):
    inner: Any


class Pair(NamedTuple):
    inner: Any


class Model(pydantic.BaseModel):
    inner: Any


class FrozenModel(pydantic.BaseModel, frozen=True):
    inner: Any


class PrivateModel(pydantic.BaseModel):
    _inner: Any = pydantic.PrivateAttr()

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self._inner = inner


class OpenModel(pydantic.BaseModel, extra="allow"):
    pass


class Root(pydantic.RootModel[Any]):
    pass


class OldModel(pydantic.v1.BaseModel):
    inner: Any


class OldPrivateModel(pydantic.v1.BaseModel):
    _inner: Any = pydantic.v1.PrivateAttr()

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self._inner = inner


class OldOpenModel(pydantic.v1.BaseModel):
    class Config:
        extra = "allow"


class Message(pydantic.BaseModel):
    """As the messages of agent frameworks: parts of a union within a list."""

    role: str = "user"
    parts: list[Any]
    metadata: dict[str, Any] = {}


class OwnList(list[Any]):
    pass


class OwnDict(dict[Any, Any]):
    pass


class OwnStr(str):
    inner: Any


class Storage(Mapping[str, Any]):
    __slots__ = ("_items",)

    def __init__(self, **items: Any) -> None:
        self._items = types.MappingProxyType(items)

    def __getitem__(self, key: str) -> Any:
        raise AssertionError

    def __iter__(self) -> Iterator[str]:
        raise AssertionError

    def __len__(self) -> int:
        raise AssertionError


class Failure(Exception):
    def __init__(self, inner: Any) -> None:
        super().__init__("failed")
        self.response = inner


def with_attribute(thing: Any, value: Any) -> Any:
    thing.inner = value
    return thing


def member(kind: Any, value: str) -> Any:
    return kind("Kind", {"MEMBER": value}).MEMBER


def closure(value: Any) -> Callable[[], Any]:
    def get() -> Any:
        return value

    return get


def default(value: Any) -> Callable[[], Any]:
    def get(inner: Any = value) -> Any:
        return inner

    return get


def keyword_default(value: Any) -> Callable[[], Any]:
    def get(*, inner: Any = value) -> Any:
        return inner

    return get


def row(value: str) -> Any:
    with sqlite3.connect(":memory:") as database:
        database.row_factory = sqlite3.Row
        found = database.execute("SELECT ? AS inner", (value,)).fetchone()
    database.close()
    return found


def element(value: str) -> ET.Element:
    parent = ET.Element("a")
    ET.SubElement(parent, "b").text = value
    return parent


def email(value: str) -> EmailMessage:
    message = EmailMessage()
    message.set_content(value)
    return message


def cookie(value: str) -> http.cookies.SimpleCookie:
    return http.cookies.SimpleCookie({"inner": value})


def filename(value: str) -> OSError:
    return OSError(2, "no such file", value)


HOLDERS: dict[str, Callable[[str], Any]] = {
    "attributes": Attributes,
    "private attribute": Private,
    "name-mangled slot": Mangled,
    "slots": Slots,
    "inherited slots": InheritedSlots,
    "slots of a base class with attributes": SlotsBelowAttributes,
    "name-mangled slot of a base class": HiddenMangled,
    "attribute in another": lambda v: Attributes(Private(Slots(v))),
    "dataclass": Data,
    "frozen dataclass": FrozenData,
    "attrs": Attrs,
    "frozen attrs": FrozenAttrs,
    "attrs with a dict": DictAttrs,
    "private attribute of attrs": lambda v: DictAttrs(None, v),
    "struct": Struct,
    "frozen struct": FrozenStruct,
    "named tuple": Pair,
    "enum": functools.partial(member, enum.Enum),
    "enum of texts": functools.partial(member, enum.StrEnum),
    "pydantic": lambda v: Model(inner=v),
    "frozen pydantic": lambda v: FrozenModel(inner=v),
    "private attribute of pydantic": PrivateModel,
    "extra of pydantic": lambda v: OpenModel.model_validate({"anything": v}),
    "root of pydantic": Root,
    "secret of pydantic": pydantic.SecretStr,
    "pydantic 1": lambda v: OldModel(inner=v),
    "private attribute of pydantic 1": OldPrivateModel,
    "extra of pydantic 1": lambda v: OldOpenModel(anything=v),
    "message of a framework": lambda v: Message(parts=[Message(parts=[{"text": v}])]),
    "subclass of list": lambda v: OwnList([v]),
    "attribute of a list": lambda v: with_attribute(OwnList(), v),
    "subclass of dict": lambda v: OwnDict(a=v),
    "attribute of a dict": lambda v: with_attribute(OwnDict(), v),
    "attribute of a text": lambda v: with_attribute(OwnStr("text"), v),
    "mapping": lambda v: Storage(inner=v),
    "ordered dict": lambda v: collections.OrderedDict(a=v),
    "default dict": lambda v: collections.defaultdict(list, a=[v]),
    "counter": lambda v: collections.Counter([v]),
    "chain map": lambda v: collections.ChainMap({}, {"a": v}),
    "user dict": lambda v: collections.UserDict(a=v),
    "user list": lambda v: collections.UserList([v]),
    "user string": collections.UserString,
    "mapping proxy": lambda v: types.MappingProxyType({"a": v}),
    "view of a dict": lambda v: {"a": v}.values(),
    "deque": lambda v: collections.deque([v]),
    "namespace": lambda v: types.SimpleNamespace(inner=v),
    "bytes": lambda v: v.encode(),
    "bytearray": lambda v: bytearray(v.encode()),
    "view of memory": lambda v: memoryview(v.encode()),
    "array": lambda v: array.array("b", v.encode()),
    "bytes in memory": lambda v: io.BytesIO(v.encode()).getbuffer(),
    "match": lambda v: re.match(".*", v),
    "pattern": lambda v: re.compile(re.escape(v).replace("\\", "")),
    "row of a database": row,
    "element of XML": element,
    "email": email,
    "cookie": cookie,
    "queue": lambda v: with_item(asyncio.Queue(), v),
    "closure": closure,
    "default of a function": default,
    "keyword default of a function": keyword_default,
    "attribute of a function": lambda v: with_attribute(lambda: None, v),
    "bound method": lambda v: Attributes(v).get,
    "bound method of a list": lambda v: [v].append,
    "partial": lambda v: functools.partial(print, v),
    "keyword of a partial": lambda v: functools.partial(print, end=v),
    "iterator of a list": lambda v: iter([v]),
    "chain of iterators": lambda v: itertools.chain([v]),
    "cell": types.CellType,
    "attribute of an exception": Failure,
    "file name of an exception": filename,
    "value of StopIteration": StopIteration,
}


def with_item(queue: asyncio.Queue[Any], value: Any) -> asyncio.Queue[Any]:
    queue.put_nowait(value)
    return queue


@pytest.mark.parametrize("name", HOLDERS)
def test_value_is_seen_in(name: str) -> None:
    """A value is found in any object, and nothing but the value."""
    held = HOLDERS[name](SECRET)

    assert {("alice", SECRET)} == set(canaries_in(render(held)))
    assert render(held) == render(HOLDERS[name](SECRET))
    assert None is re.search("0x[0-9a-f]{6}", render(held))


def test_values_of_a_set_are_sorted() -> None:
    """Objects in a set give the same text in any order."""
    texts = [render({Pair(n) for n in order}) for order in ("abcdef", "fedcba")]

    assert [" ".join("abcdef")] * 2 == texts


# No code of the engine runs


def trap(*_: Any, **__: Any) -> Any:
    raise AssertionError


QUESTIONS = (
    *("__eq__", "__hash__", "__instancecheck__", "__subclasscheck__"),
    *("__getattribute__", "__repr__", "__iter__", "__bool__", "__len__"),
)
PROPERTIES = ("__mro__", "__name__", "__dict__")
Metatrap: type[type] = type(
    "Metatrap",
    (type,),
    dict.fromkeys(QUESTIONS, trap) | dict.fromkeys(PROPERTIES, property(trap)),
)
"""A metaclass whose classes refuse every question."""


SPECIAL = (
    *("__repr__", "__str__", "__format__", "__bytes__", "__int__", "__float__"),
    *("__eq__", "__hash__", "__bool__", "__len__", "__iter__", "__contains__"),
    *("__next__", "__getitem__", "__getattr__", "__getattribute__", "__dir__"),
    *("__reduce__", "__reduce_ex__", "__getstate__", "__copy__", "__deepcopy__"),
    *("__call__", "__get__", "__enter__", "__index__", "__buffer__", "__fspath__"),
    *("keys", "values", "items", "copy", "get", "decode", "isoformat", "__lt__"),
)


def make_trap(*bases: type, **held: Any) -> type:
    """Returns a class of which every method fails."""
    namespace: dict[str, Any] = dict.fromkeys(SPECIAL, trap)
    namespace["__class__"] = namespace["lazy"] = property(trap)
    meta = next((type(base) for base in bases if type(base) is not type), Metatrap)
    made: type = type.__call__(meta, "Trap", bases, namespace | held)
    return made


TRAPS: dict[str, Callable[[], Any]] = {
    "object": lambda: fill(make_trap(), object),
    "object with a masked dict": lambda: fill(
        make_trap(__dict__=property(trap)), object
    ),
    "list": lambda: fill(make_trap(list), list, [SECRET]),
    "tuple": lambda: tuple.__new__(make_trap(tuple), [SECRET]),
    "dict": lambda: fill(make_trap(dict), dict, {"a": SECRET}),
    "set": lambda: fill(make_trap(set), set, [SECRET]),
    "text": lambda: str.__new__(make_trap(str), SECRET),
    "bytes": lambda: bytes.__new__(make_trap(bytes), SECRET.encode()),
    "mapping": lambda: fill(make_trap(Mapping), object),
    "exception": lambda: BaseException.__new__(make_trap(ValueError), SECRET),
    "deque": lambda: fill(make_trap(collections.deque), collections.deque, [SECRET]),
    "default dict": lambda: fill(
        make_trap(collections.defaultdict), collections.defaultdict, list, {1: SECRET}
    ),
    "partial": lambda: functools.partial.__new__(
        make_trap(functools.partial), print, SECRET
    ),
}


def fill(kind: type, base: Any, *arguments: Any) -> Any:
    """Returns an object of the class, filled by a method of its base class."""
    made = base.__new__(kind)
    base.__init__(made, *arguments)
    if base is object:
        object.__setattr__(made, "inner", SECRET)
    return made


@pytest.mark.parametrize("name", TRAPS)
def test_no_code_runs_of(name: str) -> None:
    """An object of which every method fails shows its value all the same."""
    value = TRAPS[name]()

    assert {("alice", SECRET)} == set(canaries_in(render([value])))


def test_lazy_values_are_not_computed() -> None:
    """Properties, cached properties, generators and coroutines are left alone."""

    class Lazy:
        name = property(trap)
        other = functools.cached_property(trap)

    ran = []

    def generator() -> Iterator[None]:
        ran.append("generator")
        yield

    async def coroutine() -> None:
        ran.append("coroutine")

    waiting = coroutine()
    render([Lazy(), generator(), waiting])
    waiting.close()

    assert [] == ran
