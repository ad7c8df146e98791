"""Finds the parts of any object without running its code."""

from __future__ import annotations

import asyncio
import collections
import collections.abc
import contextvars
import datetime
import decimal
import enum
import gc
import io
import logging
import threading
import types
import uuid
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from isolation_spec.model.code_origin import is_suite_module
from isolation_spec.model.history.object_storage import (
    attributes,
    defines,
    has_base,
    module_name,
    native_parts,
    type_name,
)
from isolation_spec.model.history.opaque import OpaqueCause

__all__ = ["Parts", "find_parts"]

_NUMBERS = (int, float, complex)
_PLAIN = (str, bytes, bytearray, *_NUMBERS)
_SETS = (set, frozenset)
_CONTAINERS = (list, tuple, collections.deque, *_SETS)
_COLLECTIONS = (
    collections.abc.Mapping,
    collections.abc.Sequence,
    collections.abc.Set,
)
_BYTES = ("B", "b", "c")
_MOST_BYTES = 2**20
_STREAM = io.IOBase.__mro__[1]
_LAZY = (
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    types.FrameType,
    asyncio.Future,
    asyncio.Handle,
)
_NEVER_ENTERED = (
    # Names of code, which all users share.
    *(type, types.ModuleType, types.CodeType, property),
    # The way to the place where an error was raised.
    types.TracebackType,
    # They hold no text.
    *(datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo),
    *(decimal.Decimal, range, type(NotImplemented), type(...)),
    *(type(threading.Lock()), type(threading.RLock())),
    # Everything in the process can be reached through them.
    *(asyncio.AbstractEventLoop, threading.Thread, logging.Logger),
    *(contextvars.Context, contextvars.ContextVar, contextvars.Token),
    # A weak reference holds nothing.
    *(weakref.ReferenceType, weakref.ProxyType, weakref.CallableProxyType),
)
"""Types whose insides are no part of a value: the walk passes them by."""


@dataclass(slots=True)
class Parts:
    """The insides of one object.

    Attributes:
        text: its own text, None for an object that only consists of parts.
        shown: its items, and its public attributes, each after its name.
        hidden: private attributes, cells of closures, the insides of C objects.
        end: why some of its insides cannot be seen, None if all can.
        is_set: whether `shown` has no order.
    """

    text: str | None = None
    shown: list[Any] = field(default_factory=list)
    hidden: list[Any] = field(default_factory=list)
    end: OpaqueCause | None = None
    is_set: bool = False


def find_parts(value: Any) -> Parts:
    """Returns the insides of an object; no code of its class runs.

    The walk enters no code, no class and no object of this suite.
    """
    kind = type(value)
    if kind is list or kind is tuple:
        return Parts(shown=list(value))
    if issubclass(kind, _PLAIN):
        return Parts(_plain_text(value), hidden=[part for _, part in attributes(value)])
    if issubclass(kind, BaseException):
        return _of_exception(value)
    if (found := _of_container(value)) is None:
        if issubclass(kind, _NEVER_ENTERED) or is_suite_module(module_name(kind)):
            return Parts(type_name(value))
        if issubclass(kind, _LAZY):
            return Parts(type_name(value), end=OpaqueCause.LAZY)
        if issubclass(kind, uuid.UUID):
            return Parts(str(uuid.UUID(int=dict(attributes(value))["int"])))
        found = _of_code(value) or _of_memory(value)
    if found is None:
        found = Parts()
        _add_attributes(value, found)
        _add_native_parts(value, found)
        found.text = None if found.shown else type_name(value)
    return found


# Plain values, containers, exceptions


def _plain_text(value: Any) -> str:
    kind = type(value)
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, bytes):
        return bytes.decode(value, errors="replace")
    if issubclass(kind, bytearray):
        return bytearray.decode(value, errors="replace")
    number = next(one for one in _NUMBERS if issubclass(kind, one))
    try:
        return number.__repr__(value)
    except ValueError:
        # Python writes no integer of more than some thousand digits.
        return type_name(value)


def _of_container(value: Any) -> Parts | None:
    """Returns the items of a built-in container, with the attributes of a subclass."""
    kind = type(value)
    if kind is types.MappingProxyType:
        return Parts(shown=gc.get_referents(value))
    if kind is dict:
        return Parts(shown=list(chain.from_iterable(value.items())))
    if issubclass(kind, dict):
        items: Iterable[Any] = chain.from_iterable(dict.items(value))
    else:
        container = next((one for one in _CONTAINERS if issubclass(kind, one)), None)
        if container is None:
            return None
        items = container.__iter__(value)
    found = Parts(shown=list(items), is_set=issubclass(kind, _SETS))
    _add_attributes(value, found)
    _add_native_parts(value, found)
    return found


_ARGUMENTS = BaseException.__dict__["args"].__get__
_CAUSE = BaseException.__dict__["__cause__"].__get__
_CONTEXT = BaseException.__dict__["__context__"].__get__
_MEMBERS = BaseExceptionGroup.__dict__["exceptions"].__get__


def _of_exception(error: BaseException) -> Parts:
    """Shows arguments, notes, and cause or else context; hides other attributes."""
    is_group = issubclass(type(error), BaseExceptionGroup)
    held = dict(attributes(error))
    arguments = _ARGUMENTS(error)
    # The second argument of a group is its members, which come below.
    shown = [type_name(error), arguments[:1] if is_group else arguments]
    shown.append(held.pop("__notes__", ()))
    if is_group:
        shown.append(_MEMBERS(error))
    # One of the two, as both often lead to the same error: twelve levels of a diamond
    # would be thousands of visits.
    linked = _CONTEXT(error) if _CAUSE(error) is None else _CAUSE(error)
    found = Parts(shown=[*shown, () if linked is None else linked])
    found.hidden += held.values()
    _add_native_parts(error, found)
    return found


# Other objects


def _of_code(value: Any) -> Parts | None:
    """Returns the parts of a function, method or cell; globals are not entered."""
    kind = type(value)
    hidden: list[Any]
    if kind is types.FunctionType:
        module = value.__module__
        if type(module) is str and is_suite_module(module):
            return Parts(type_name(value))
        hidden = [*(value.__closure__ or ()), value.__defaults__, value.__kwdefaults__]
        hidden += [part for _, part in attributes(value)]
    elif kind is types.MethodType:
        hidden = [value.__self__, value.__func__]
    elif kind is types.BuiltinFunctionType or kind is types.MethodWrapperType:
        hidden = [value.__self__]
    elif kind is types.CellType:
        return Parts("", hidden=gc.get_referents(value))
    else:
        return None
    return Parts(type_name(value), hidden=hidden, end=OpaqueCause.CODE)


def _of_memory(value: Any) -> Parts | None:
    """Returns the bytes of an object of a C type that lends out its memory."""
    if defines(type(value), "__buffer__"):
        return None
    try:
        with memoryview(value) as memory:
            if memory.format not in _BYTES:
                return None
            if memory.nbytes > _MOST_BYTES:
                return Parts(type_name(value), end=OpaqueCause.SIZE)
            return Parts(memory.tobytes().decode(errors="replace"))
    except (TypeError, ValueError, BufferError):
        return None


def _add_attributes(value: Any, found: Parts) -> None:
    """Adds attributes: private ones are hidden, but for the storage of a collection."""
    kind = type(value)
    if issubclass(kind, enum.Enum):
        held = dict(attributes(value))
        found.shown += (held.get("_name_"), held.get("_value_"))
        return
    is_collection = has_base(kind, _COLLECTIONS)
    for name, part in attributes(value):
        if not name.startswith("_"):
            found.shown += (name, part)
        elif is_collection:
            found.shown.append(part)
        else:
            found.hidden.append(part)


def _add_native_parts(value: Any, found: Parts) -> None:
    parts = native_parts(value, [*found.shown, *found.hidden])
    found.hidden += parts or ()
    # From Python 3.12 on, a stream shows its line ends, and not its contents.
    if parts is None or has_base(type(value), (_STREAM,)):
        found.end = OpaqueCause.NATIVE
