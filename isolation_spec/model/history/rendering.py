"""Renders any value as text without running its code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from isolation_spec.model.history.object_parts import Parts, find_parts
from isolation_spec.model.history.object_storage import type_name
from isolation_spec.model.history.opaque import OpaqueCause, OpaquePart
from isolation_spec.model.scenario.canary import canaries_in

__all__ = ["Rendered", "inspect_value", "render"]

_DEEPEST = 12
_MOST_SHOWN = 10_000
"""Parts of a value that are shown; a conversation of 100 messages has 2,000."""
_MOST_HIDDEN = 1_000
"""Private parts of a value that are searched for canaries: 3 ms at most."""
_MOST_PRIVATE = 2
"""Private attributes on the way to a part. A response of httpx leads by the third to
the pool of connections, and so to the requests of all users."""
_CHARACTERS = 256
"""Of a text count as one part."""
_MOST_ENDS = 8
_LONG = 2**63
_CUT = "..."


class Rendered(NamedTuple):
    """The text of a value, and the parts of it that cannot be seen."""

    text: str
    opaque: tuple[OpaquePart, ...] = ()


def render(value: Any) -> str:
    """All text inside a value, without addresses, so that equal runs give equal text.

    The text holds the items of containers, public attributes with their names, and of
    exceptions arguments, notes, and cause or else context; an object without such parts
    is its type's name. Private attributes, closures and the insides of C objects add
    the canaries in them. The walk ends 12 levels deep and at 10,000 parts. Characters
    that UTF-8 cannot encode are escaped.
    """
    return inspect_value(value).text


def inspect_value(value: Any, shared: Callable[[], Iterable[Any]] = tuple) -> Rendered:
    """Returns the text of a value, and the parts of it that cannot be seen.

    Private parts that cannot be seen count where no canary is found in the value.

    Arguments:
        shared: returns the objects that users share on purpose. A private attribute
            that holds one of them is not followed.
    """
    if (simple := _simple_text(value)) is not None:
        return Rendered(simple)
    walk = _Walk()
    text = walk.show(value, 0)
    if walk.hidden:
        search = _Search(shared)
        search.run(walk.hidden)
        beneath = [one for one in sorted(search.canaries) if one not in text]
        if not beneath and not any(canaries_in(text)):
            walk.ends |= search.ends
        text = " ".join((text, *beneath))
    if not walk.ends:
        return Rendered(text)
    return Rendered(text, tuple(sorted(walk.ends)[:_MOST_ENDS]))


class _Walk:
    """Goes through the parts of a value that are shown.

    Attributes:
        hidden: the private parts that it passed.
        ends: the objects that it could not look into; a dict, as an ordered set.
    """

    def __init__(self) -> None:
        self.hidden: list[Any] = []
        self.ends: dict[OpaquePart, None] = {}
        self._left = _MOST_SHOWN
        self._path: set[int] = set()

    def show(self, value: Any, depth: int) -> str:
        """Returns the text of a value, and collects its hidden parts."""
        if (text := _simple_text(value)) is not None:
            self._left -= 1 + len(text) // _CHARACTERS
            return text
        parts = find_parts(value)
        self._left -= 1
        self.hidden += parts.hidden
        if parts.end is not None:
            self._end(value, parts.end)
        if parts.text is not None:
            return _encodable(parts.text)
        if not parts.shown:
            return ""
        if id(value) in self._path:
            return _CUT
        if depth >= _DEEPEST:
            return self._end(value, OpaqueCause.DEPTH)
        self._path.add(id(value))
        texts = self._show_parts(value, parts, depth + 1)
        self._path.discard(id(value))
        return " ".join(texts)

    def _show_parts(self, value: Any, parts: Parts, depth: int) -> list[str]:
        if parts.is_set:
            return self._show_set(value, parts.shown, depth)
        texts = []
        for part in parts.shown:
            if self._left <= 0:
                texts.append(self._end(value, OpaqueCause.SIZE))
                break
            texts.append(self.show(part, depth))
        return texts

    def _show_set(self, value: Any, items: list[Any], depth: int) -> list[str]:
        """Shows each item with an equal share of the parts, as a set has no order."""
        whole = self._left
        share = whole // len(items)
        if share <= 0:
            return [self._end(value, OpaqueCause.SIZE)]
        texts = []
        for item in items:
            self._left = share
            texts.append(self.show(item, depth))
            whole -= share - self._left
        self._left = whole
        return sorted(texts)

    def _end(self, value: Any, cause: OpaqueCause) -> str:
        self.ends[OpaquePart(type_name(value), cause)] = None
        return _CUT


class _Search:
    """Searches the private parts of a value for canaries, the nearest first.

    Attributes:
        canaries: those found.
        ends: the objects that it could not look into.
    """

    def __init__(self, shared: Callable[[], Iterable[Any]]) -> None:
        self.canaries: set[str] = set()
        self.ends: dict[OpaquePart, None] = {}
        self._shared = shared

    def run(self, roots: list[Any]) -> None:
        """Searches the roots and everything that they lead to."""
        # The list keeps each part alive, so that no two have one id.
        waiting = [(root, 1) for root in roots]
        declared = None
        seen: set[int] = set()
        for value, private in waiting:
            if (text := _simple_text(value)) is not None:
                self._read(text)
                continue
            if declared is None:
                declared = list(self._shared())
                seen.update(map(id, declared))
            if id(value) not in seen:
                seen.add(id(value))
                self._enter(value, private, waiting)

    def _enter(self, value: Any, private: int, waiting: list[tuple[Any, int]]) -> None:
        parts = find_parts(value)
        self._read(parts.text or "")
        number = len(parts.shown) + len(parts.hidden)
        cause = parts.end
        if number and private > _MOST_PRIVATE:
            cause = OpaqueCause.DEPTH
        elif number + len(waiting) > _MOST_HIDDEN:
            cause = OpaqueCause.SIZE
        else:
            waiting += [(part, private) for part in parts.shown]
            waiting += [(part, private + 1) for part in parts.hidden]
        if cause is not None:
            self.ends[OpaquePart(type_name(value), cause)] = None

    def _read(self, text: str) -> None:
        if "~" in text:
            self.canaries.update(value for _, value in canaries_in(text))


def _simple_text(value: Any) -> str | None:
    """Returns the text of a plain value, None for any other object."""
    kind = type(value)
    if kind is str:
        return _encodable(value)
    if value is None or kind is bool or kind is float:
        return str(value)
    if kind is int and -_LONG < value < _LONG:
        return str(value)
    return None


def _encodable(text: str) -> str:
    if text.isascii():
        return text
    return text.encode(errors="backslashreplace").decode()
