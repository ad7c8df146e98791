"""Groups the entries of a history into rows, and the awaits between them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from isolation_spec.model.history.activity import Await
from isolation_spec.model.history.entries import Entry, GaugeRead, SessionMoved

__all__ = ["awaits_by_row", "group_entries", "join_texts"]


def group_entries(entries: Sequence[Entry]) -> Iterator[tuple[int, int]]:
    """Yields (first, last) of the entries that share a row."""
    first = 0
    for index in range(1, len(entries) + 1):
        if index == len(entries) or not _share(entries[index - 1], entries[index]):
            yield first, index - 1
            first = index


def _share(entry: Entry, following: Entry) -> bool:
    if type(entry) is not type(following) or entry.turn != following.turn:
        return False
    if isinstance(entry, GaugeRead):
        return entry.user == following.user
    if isinstance(entry, SessionMoved) and isinstance(following, SessionMoved):
        return entry.session == following.session
    return False


def join_texts(texts: Sequence[str]) -> str:
    """Joins the texts of one row and states their common beginning once."""
    if len(texts) == 1:
        return texts[0]
    words = [text.split(" ") for text in texts]
    common = 0
    while all(len(w) > common + 1 and w[common] == words[0][common] for w in words):
        common += 1
    ends = [" ".join(word[common:]) for word in words]
    return " ".join([*words[0][:common], ", ".join(ends)])


def awaits_by_row(
    awaits: Iterable[Await], firsts: Sequence[int]
) -> dict[int, list[Await]]:
    """Returns the awaits before each row; `firsts` are the first entries of rows."""
    rows: dict[int, list[Await]] = {}
    for one in awaits:
        row = bisect_right(firsts, one.entry - 1)
        rows.setdefault(row, []).append(one)
    return rows
