"""The graph of the engine's objects: sharing between contexts, and deep mutation.

Only the engine's own objects are looked into: attributes, slots and containers, never
those of libraries, of code, or of tasks. A library's object is held, and its inside is
the library's affair.
"""

from __future__ import annotations

import asyncio
import dataclasses
import types
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeAlias

from isolation_spec.execution.mutability import is_container, is_leaf, is_mutable
from isolation_spec.model.code_origin import EngineCode
from isolation_spec.model.history.entries import PathStep
from isolation_spec.model.history.rendering import render

__all__ = ["mutate_deeply", "shared_objects"]

_MOST = 3000


Path: TypeAlias = tuple[PathStep, ...]


def shared_objects(
    holders: Iterable[tuple[int, tuple[Any, ...]]],
    declared: Iterable[Any],
    engine: EngineCode,
) -> Iterator[tuple[int, int, Path, Path]]:
    """Yields (user, other user, their paths) for each mutable object that both reach.

    `holders` are (user, roots of the search). Objects that are reached through a
    declared object are shared on purpose. The parts of a shared object are shared with
    it, and are not listed again.
    """
    excluded = set(map(id, _reach(declared, engine)))
    owners: dict[int, tuple[int, Path]] = {}
    for user, roots in holders:
        walk = _Walk(roots, excluded, engine)
        for thing, path in walk:
            owner, first = owners.setdefault(id(thing), (user, path))
            if owner != user:
                yield user, owner, path, first
            else:
                walk.enter(thing, path)


def _reach(roots: Iterable[Any], engine: EngineCode) -> list[Any]:
    """The declared objects and their attributes, which contexts share on purpose."""
    found = []
    for root in roots:
        found.append(root)
        found.extend(value for _, value in _parts(root, engine))
    return found


class _Walk:
    """Yields (mutable object, path) reached from the roots, nearest first.

    A mutable object is looked into once `enter` is called with it.
    """

    def __init__(
        self, roots: Iterable[Any], excluded: set[int], engine: EngineCode
    ) -> None:
        self._engine = engine
        self._seen = set(excluded)
        self._waiting: deque[tuple[Any, Path]] = deque(
            (root, (PathStep(type(root).__name__),)) for root in roots
        )

    def __iter__(self) -> Iterator[tuple[Any, Path]]:
        while self._waiting and len(self._seen) < _MOST:
            thing, path = self._waiting.popleft()
            if id(thing) in self._seen or _is_leaf(thing):
                continue
            self._seen.add(id(thing))
            if self._can_change(thing):
                yield thing, path
            else:
                self.enter(thing, path)

    def enter(self, thing: Any, path: Path) -> None:
        """Puts the parts of the object on the list of those to look at."""
        for step, part in _parts(thing, self._engine):
            self._waiting.append((part, (*path, step)))

    def _can_change(self, thing: Any) -> bool:
        if is_container(type(thing)):
            return True
        return _is_own(type(thing), self._engine) and is_mutable(thing)


def _is_leaf(thing: Any) -> bool:
    return isinstance(thing, asyncio.Future) or is_leaf(type(thing))


def _is_own(kind: type, engine: EngineCode) -> bool:
    return engine.has_module(kind.__module__ or "")


def _parts(thing: Any, engine: EngineCode) -> Iterator[tuple[PathStep, Any]]:
    # By the methods of the built-in classes: those of a subclass are the engine's code.
    if isinstance(thing, dict):
        for key, value in dict.items(thing):
            yield PathStep(key=render(key)[:20]), value
    elif isinstance(thing, list | tuple | deque):
        for index, value in enumerate(thing):
            yield PathStep(f"[{index}]"), value
    elif isinstance(thing, set | frozenset):
        # The order of a set may be that of addresses, so its members have no index.
        yield from ((PathStep("[...]"), value) for value in thing)
    if _is_own(type(thing), engine) and not _is_leaf(thing):
        yield from _attributes(thing, engine)


def _attributes(thing: Any, engine: EngineCode) -> Iterator[tuple[PathStep, Any]]:
    """Yields the attributes in the instance, and in slots of the engine's classes.

    No property is computed.
    """
    for name, value in getattr(thing, "__dict__", {}).items():
        yield PathStep(f".{name}"), value
    for owner in type(thing).__mro__:
        for name, member in vars(owner).items() if _is_own(owner, engine) else ():
            if isinstance(member, types.MemberDescriptorType) and hasattr(thing, name):
                yield PathStep(f".{name}"), member.__get__(thing)


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
