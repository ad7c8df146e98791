"""Reads the storage of an object, as the interpreter laid it out, without its code.

A class may override everything that Python offers to look at its objects, also by its
metaclass. Descriptors of the built-in types read the storage all the same.
"""

from __future__ import annotations

import collections
import gc
import types
from collections.abc import Iterator
from typing import Any

__all__ = [
    "attributes",
    "defines",
    "has_base",
    "module_name",
    "native_parts",
    "type_name",
]

_MRO = type.__dict__["__mro__"].__get__
_NAMESPACE = type.__dict__["__dict__"].__get__
_NAME = type.__dict__["__name__"].__get__
_MODULE = type.__dict__["__module__"].__get__
_BASE = type.__dict__["__base__"].__get__
_SIZE = type.__dict__["__basicsize__"].__get__
_FLAGS = type.__dict__["__flags__"].__get__
_HEAP_TYPE = 1 << 9
"""Of `__flags__`: static types of the interpreter lack it."""
_WORD = 8
_TRANSPARENT = (
    *(object, str, bytes, bytearray, int, float, complex, types.SimpleNamespace),
    *(list, tuple, dict, set, frozenset, collections.deque),
    *(collections.OrderedDict, collections.defaultdict),
)
"""C types whose contents their own methods or attributes show."""


def type_name(value: Any) -> str:
    """Returns the name of the object's real type."""
    name: str = _NAME(type(value))
    return name


def module_name(kind: type) -> str:
    """Returns the module of a type, "" if it claims to be of none."""
    module = _MODULE(kind)
    return module if type(module) is str else ""


def has_base(kind: type, bases: tuple[type, ...]) -> bool:
    """Whether a type names one of these as a base; abstract ones are not asked."""
    return any(one is base for one in _MRO(kind) for base in bases)


def defines(kind: type, method: str) -> bool:
    """Whether a class of the type defines the special method in Python."""
    found = (_NAMESPACE(one).get(method) for one in _MRO(kind))
    return any(type(one) is types.FunctionType for one in found)


def attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """Yields (name, value) of slots and of attributes, those of base classes first.

    Properties are not attributes: they would run. A name that is no text is "_".
    """
    kinds = _MRO(type(value))
    for kind in reversed(kinds):
        yield from _slots(kind, value)
    if (held := _attribute_dict(kinds, value)) is not None:
        for name, part in dict.items(held):
            yield (name if type(name) is str else "_"), part


def _slots(kind: type, value: Any) -> Iterator[tuple[str, Any]]:
    """Yields the slots that one class adds, in the order of their declaration."""
    namespace = _NAMESPACE(kind)
    if "__slots__" not in namespace:
        return
    found = {
        name: part
        for name, part in namespace.items()
        if type(part) is types.MemberDescriptorType
    }
    declared = namespace["__slots__"]
    if type(declared) is tuple or type(declared) is list:
        prefix = f"_{_NAME(kind).lstrip('_')}"
        order = [f"{prefix}{n}" if f"{prefix}{n}" in found else n for n in declared]
        found = {name: found[name] for name in order if name in found} | found
    yield from _read_members(found, value)


def _read_members(
    members: dict[str, types.MemberDescriptorType], value: Any
) -> Iterator[tuple[str, Any]]:
    for name, member in members.items():
        try:
            yield name, member.__get__(value)
        except AttributeError:
            continue


def _attribute_dict(kinds: tuple[type, ...], value: Any) -> Any:
    """Returns the `__dict__` that the interpreter keeps, None if there is none."""
    for kind in kinds:
        descriptor = _NAMESPACE(kind).get("__dict__")
        if _is_descriptor(descriptor):
            held = descriptor.__get__(value)
            return held if issubclass(type(held), dict) else None
    return None


# Storage that only C code knows


def native_parts(value: Any, known: list[Any]) -> list[Any] | None:
    """Returns the parts beyond `known` that the C types of an object hold.

    None if it has storage that neither members nor the garbage collector show. An
    object without a C type of its own has no such parts.
    """
    kinds = list(_c_types(type(value)))
    if not kinds:
        return []
    parts = [part for kind in kinds for part in _members(kind, value)]
    seen = {id(one) for one in known}
    seen.add(id(_attribute_dict(_MRO(type(value)), value)))
    parts += [
        one
        for one in gc.get_referents(value)
        if id(one) not in seen and not issubclass(type(one), type)
    ]
    if not parts and not all(map(_is_builtin_exception, kinds)):
        return None
    return parts


def _c_types(kind: type) -> Iterator[type]:
    """Yields the C types among the bases, which add storage that no slot accounts for.

    So is a class that masks its `__dict__`.
    """
    while not any(kind is one for one in _TRANSPARENT):
        base, namespace = _BASE(kind), _NAMESPACE(kind)
        described = sum(
            name in ("__dict__", "__weakref__") or "__slots__" in namespace
            for name, part in namespace.items()
            if _is_descriptor(part)
        )
        masked = "__dict__" in namespace and not _is_descriptor(namespace["__dict__"])
        if masked or _SIZE(kind) - _SIZE(base) > _WORD * described:
            yield kind
        kind = base


def _is_descriptor(part: Any) -> bool:
    kind = type(part)
    return kind is types.MemberDescriptorType or kind is types.GetSetDescriptorType


def _is_builtin_exception(kind: type) -> bool:
    return issubclass(kind, BaseException) and not _FLAGS(kind) & _HEAP_TYPE


def _members(kind: type, value: Any) -> Iterator[Any]:
    """Yields the objects that a C type shows as members."""
    namespace = _NAMESPACE(kind)
    if "__slots__" in namespace:
        return
    members = {
        name: part
        for name, part in namespace.items()
        if type(part) is types.MemberDescriptorType and not name.startswith("__")
    }
    for _, part in _read_members(members, value):
        if part is not None:
            yield part
