"""Renders any value as text without running its code."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

__all__ = ["render"]


_DEEPEST = 12


def render(value: Any, depth: int = 0) -> str:
    """All text inside a value, without addresses, so that equal runs give equal text.

    Goes through containers, dataclasses, structs and exceptions (arguments, notes,
    cause or else context), 12 levels deep; of any other object only the name of its
    type is kept. Characters that UTF-8 cannot encode are escaped.
    """
    if value is None or isinstance(value, str | int | float | bool):
        return _encodable(str(value))
    if depth >= _DEEPEST:
        return "..."
    return " ".join(render(part, depth + 1) for part in _parts(value))


def _encodable(text: str) -> str:
    if text.isascii():
        return text
    return text.encode(errors="backslashreplace").decode()


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, bytes):
        yield value.decode(errors="replace")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield item
    elif isinstance(value, list | tuple):
        yield from value
    elif isinstance(value, set | frozenset):
        yield from sorted(render(item) for item in value)
    elif isinstance(value, BaseException):
        yield from _parts_of_exception(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield field.name
            yield getattr(value, field.name)
    elif isinstance(value, msgspec.Struct):
        yield from (getattr(value, name) for name in value.__struct_fields__)
    else:
        yield type(value).__name__


def _parts_of_exception(error: BaseException) -> Iterator[Any]:
    yield type(error).__name__
    # The second argument of a group is its members, which come below.
    yield error.args[:1] if isinstance(error, BaseExceptionGroup) else error.args
    yield getattr(error, "__notes__", ())
    if isinstance(error, BaseExceptionGroup):
        yield error.exceptions
    # One of the two, as both often lead to the same error: twelve levels of a diamond
    # would be thousands of visits.
    yield error.__cause__ or error.__context__ or ()
