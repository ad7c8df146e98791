"""Deeply immutable values, as carried by contexts."""

import datetime
import decimal
import uuid
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["FrozenMapping", "freeze"]

_SCALARS = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    decimal.Decimal,
    uuid.UUID,
    datetime.date,
    datetime.datetime,
    datetime.time,
    datetime.timedelta,
)


class FrozenMapping(Mapping[str, Any]):
    """An immutable mapping of immutable values."""

    __slots__ = ("_items",)

    _items: Mapping[str, Any]

    def __init__(self, items: Mapping[str, Any]) -> None:
        # The proxy makes the stored mapping read-only, even through the private
        # attribute.
        object.__setattr__(self, "_items", MappingProxyType(dict(items)))

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(dict(self._items))

    def __setattr__(self, name: str, value: object) -> None:
        message = f"FrozenMapping is immutable, cannot set {name!r}; make a new one"
        raise AttributeError(message)

    def __copy__(self) -> "FrozenMapping":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "FrozenMapping":
        return self

    def __reduce__(self) -> tuple[type["FrozenMapping"], tuple[dict[str, Any]]]:
        return FrozenMapping, (dict(self._items),)


def freeze(value: object, *, place: str) -> Any:
    """An immutable deep copy of plain data; `place` names the value in errors.

    Mappings, lists, tuples and sets are copied into immutable equivalents. Raises
    `TypeError` for anything that is not plain data, such as a database session.
    """
    if type(value) in _SCALARS:
        return value
    if isinstance(value, Mapping):
        return FrozenMapping(
            {
                _key(key, place): freeze(value[key], place=f"{place}[{key!r}]")
                for key in value
            }
        )
    if isinstance(value, list | tuple):
        return tuple(
            freeze(item, place=f"{place}[{index}]") for index, item in enumerate(value)
        )
    if isinstance(value, set | frozenset):
        return frozenset(freeze(item, place=f"{place} item") for item in value)
    message = (
        f"{place} must be plain data, got {type(value).__name__}; "
        "write text, numbers, lists and mappings, never live objects"
    )
    raise TypeError(message)


def _key(key: object, place: str) -> str:
    if type(key) is not str:
        message = f"{place} must have text keys, got {key!r}; write {str(key)!r}"
        raise TypeError(message)
    return key
