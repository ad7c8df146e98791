"""Names the state that a process carries from one run of an engine to the next.

Each run has a fresh adapter and a fresh world, but modules and classes live as long as
their process: a cache, a registry or a counter there survives the run that filled it.
"""

from __future__ import annotations

import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

from isolation_spec.model.code_origin import EngineCode

__all__ = ["changed_between", "process_state"]

_SIZES: dict[type, Callable[[Any], int]] = {
    dict: dict.__len__,
    list: list.__len__,
    set: set.__len__,
    deque: deque.__len__,
}
"""Sizes as these types count them, so that no `__len__` of the engine is called."""
_PLAIN = (int, float, str, bytes, type(None))


def process_state(code: EngineCode) -> dict[str, object]:
    """Qualified name -> size of a container, or value of a counter or text.

    Covers the globals of the engine's modules, the attributes of its classes, and the
    attributes of its instances among both.
    """
    return dict(_states(code))


def changed_between(
    before: Mapping[str, object], after: dict[str, object]
) -> list[str]:
    """The names that are in both states, with another size or value."""
    return [n for n in after if n in before and before[n] != after[n]]


def _states(code: EngineCode) -> Iterator[tuple[str, object]]:
    for name, module in tuple(sys.modules.items()):
        if code.has_module(name) and issubclass(type(module), ModuleType):
            yield from _members(name, module, code)
            for key, value in _attributes(module):
                if isinstance(value, type) and value.__module__ == name:
                    yield from _members(f"{name}.{key}", value, code)


def _members(
    owner: str, holder: object, code: EngineCode
) -> Iterator[tuple[str, object]]:
    """Yields the states among an object's attributes, and one level below them."""
    for key, value in _attributes(holder):
        yield from _state(f"{owner}.{key}", value)
        if not isinstance(value, type) and code.has_module(type(value).__module__):
            for inner, member in _attributes(value):
                yield from _state(f"{owner}.{key}.{inner}", member)


def _state(name: str, value: object) -> Iterator[tuple[str, object]]:
    if type(value) in _PLAIN:
        yield name, value
    elif type(value) is itertools.count:
        yield name, repr(value)
    for kind, size in _SIZES.items():
        if issubclass(type(value), kind):
            yield name, size(value)


def _attributes(holder: object) -> tuple[tuple[str, Any], ...]:
    """The attributes that the object holds; no code of the object's own is run."""
    get = type if isinstance(holder, type) else object
    try:
        return tuple(get.__getattribute__(holder, "__dict__").items())
    except AttributeError:
        return ()
