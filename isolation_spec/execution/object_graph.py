"""The graph of the engine's objects: sharing between contexts, and deep mutation.

Only the engine's own objects are looked into: attributes, slots and containers, never
those of libraries, of code, or of tasks.
"""

from __future__ import annotations

import asyncio
import dataclasses
import types
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeAlias

from isolation_spec.model.code_origin import EngineCode
from isolation_spec.model.history.entries import PathStep

__all__ = ["mutate_deeply", "shared_objects"]

_MOST = 3000
_CONTAINERS = (list, dict, set, deque, bytearray)
_ATOMS = (
    str,
    bytes,
    int,
    float,
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.CoroutineType,
    asyncio.Future,
)


Path: TypeAlias = tuple[PathStep, ...]


def shared_objects(
    holders: Iterable[tuple[int, tuple[Any, ...]]],
    declared: Iterable[Any],
    engine: EngineCode,
) -> Iterator[tuple[int, int, Path, Path]]:
    """Yields (user, other user, their paths) for each mutable object that both reach.

    `holders` are (user, roots of the search). Objects that are reached through a
    declared object are shared on purpose.
    """
    excluded = set(map(id, _reach(declared, engine)))
    owners: dict[int, tuple[int, Path]] = {}
    for user, roots in holders:
        for thing, path in _paths(roots, excluded, engine):
            owner, first = owners.setdefault(id(thing), (user, path))
            if owner != user:
                yield user, owner, path, first


def _reach(roots: Iterable[Any], engine: EngineCode) -> list[Any]:
    """The declared objects and their attributes, which contexts share on purpose."""
    found = []
    for root in roots:
        found.append(root)
        found.extend(value for _, value in _parts(root, engine))
    return found


def _paths(
    roots: Iterable[Any], excluded: set[int], engine: EngineCode
) -> Iterator[tuple[Any, Path]]:
    """Yields (mutable object, path) reached from the roots, nearest first."""
    waiting: deque[tuple[Any, Path]] = deque(
        (root, (PathStep(type(root).__name__),)) for root in roots
    )
    seen = set(excluded)
    while waiting and len(seen) < _MOST:
        thing, path = waiting.popleft()
        if id(thing) in seen or thing is None or isinstance(thing, _ATOMS):
            continue
        seen.add(id(thing))
        if _is_mutable(thing, engine):
            yield thing, path
        for step, part in _parts(thing, engine):
            waiting.append((part, (*path, step)))


def _is_mutable(thing: Any, engine: EngineCode) -> bool:
    """Whether it is a mutable container, or an object of the engine's own classes."""
    if isinstance(thing, _CONTAINERS):
        return True
    frozen = getattr(
        getattr(type(thing), "__dataclass_params__", None), "frozen", False
    )
    return not frozen and _is_own(thing, engine) and hasattr(thing, "__dict__")


def _is_own(thing: Any, engine: EngineCode) -> bool:
    return engine.has_module(type(thing).__module__ or "")


def _parts(thing: Any, engine: EngineCode) -> Iterator[tuple[PathStep, Any]]:
    if isinstance(thing, dict):
        for key, value in thing.items():
            yield PathStep(key=str(key)[:20]), value
    elif isinstance(thing, list | tuple | set | frozenset | deque):
        for index, value in enumerate(thing):
            yield PathStep(f"[{index}]"), value
    elif _is_own(thing, engine) and not isinstance(thing, _ATOMS):
        for name, value in getattr(thing, "__dict__", {}).items():
            yield PathStep(f".{name}"), value
        for owner in type(thing).__mro__:
            slots = owner.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if hasattr(thing, name):
                    yield PathStep(f".{name}"), getattr(thing, name)


def _public_parts(thing: Any) -> list[Any]:
    """The parts of an object that its holder can reach without private names."""
    if isinstance(thing, Mapping):
        return list(thing.values())
    if isinstance(thing, list | tuple | set | frozenset | deque):
        return list(thing)
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        names = [field.name for field in dataclasses.fields(thing)]
        return [getattr(thing, name) for name in names if not name.startswith("_")]
    return []


def mutate_deeply(thing: Any, value: str, depth: int = 0) -> None:
    """Writes the value into every container that can be changed, at any depth."""
    if depth > 6:
        return
    for part in _public_parts(thing):
        if not isinstance(part, _ATOMS):
            mutate_deeply(part, value, depth + 1)
    try:
        if isinstance(thing, list | deque):
            thing.append(value)
        elif isinstance(thing, MutableMapping):
            thing[value] = value
        elif isinstance(thing, set):
            thing.add(value)
    except TypeError:
        # A mapping that looks mutable and refuses is as good as an immutable one.
        return
