"""Whether an object can change in place, however its class says that it cannot."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping, MutableSequence, MutableSet
from typing import Any

__all__ = ["is_container", "is_leaf", "is_mutable"]

_CHANGEABLE = (MutableMapping, MutableSequence, MutableSet)


def is_container(kind: type) -> bool:
    """Whether objects of this class are collections that can change in place."""
    return issubclass(kind, _CHANGEABLE)


def is_leaf(kind: type) -> bool:
    """Whether objects of this class are values, classes or code without parts.

    A class of the standard library that hashes its objects by value promises that they
    do not change: texts, numbers, dates, paths, UUIDs and patterns, and the members of
    an enumeration. Their subclasses keep the promise.
    """
    if issubclass(kind, type):
        return True
    if issubclass(kind, tuple | frozenset):
        return False
    return _hashes_like_library(kind)


def _hashes_like_library(kind: type) -> bool:
    for owner in kind.__mro__:
        if owner is object:
            return False
        if "__hash__" in vars(owner):
            top = owner.__module__.partition(".")[0]
            hashes = vars(owner)["__hash__"] is not None
            return hashes and top in sys.stdlib_module_names
    return False


def is_mutable(thing: Any) -> bool:
    """Whether an attribute of the object can be set.

    A class that replaces `__setattr__` may refuse: frozen dataclasses, frozen classes
    of attrs and msgspec, and any that an engine writes by hand.
    """
    kind = type(thing)
    if is_leaf(kind) or issubclass(kind, tuple | frozenset):
        return False
    declared = _declared_frozen(kind)
    if declared is not None:
        return not declared
    set_attribute: object = kind.__setattr__
    if set_attribute is object.__setattr__:
        return True
    try:
        # The one assignment that changes nothing where it succeeds.
        thing.__class__ = kind
    except Exception:
        return False
    return True


def _declared_frozen(kind: Any) -> bool | None:
    """Whether its class declares that the object is frozen, None without a word of it.

    Dataclasses and both versions of pydantic do; pydantic accepts or refuses
    `__class__` without regard to that.
    """
    if (data := getattr(kind, "__dataclass_params__", None)) is not None:
        return bool(data.frozen)
    if isinstance(config := getattr(kind, "model_config", None), dict):
        return bool(config.get("frozen"))
    if isinstance(config := getattr(kind, "__config__", None), type):
        refuses = getattr(config, "frozen", False)
        return bool(refuses or not getattr(config, "allow_mutation", True))
    return None
