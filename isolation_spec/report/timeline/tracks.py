"""Places bars of one lane that overlap in time beside each other."""

from __future__ import annotations

from collections.abc import Iterable

from isolation_spec.model.history.entries import Entry
from isolation_spec.report.timeline.spans import Span, bar_of, lasting

__all__ = ["MOST_TRACKS", "Tracks"]

MOST_TRACKS = 3
"""Tracks of one lane; more would leave no room for the text of a row."""


class Tracks:
    """The track of each bar, from 0 on the left.

    Attributes:
        counts: the number of tracks in the lane of each user.
    """

    def __init__(self, spans: Iterable[Span]) -> None:
        self.counts: dict[int | None, int] = {}
        self._tracks: dict[object, int] = {}
        taken: dict[int | None, list[int]] = {}
        for key, span in lasting(spans).items():
            ends = taken.setdefault(span.user, [])
            free = (i for i, end in enumerate(ends) if end < span.begin)
            track = min(next(free, len(ends)), MOST_TRACKS - 1)
            ends[track : track + 1] = [max(span.end, *ends[track : track + 1], 0)]
            self._tracks[key] = track
            self.counts[span.user] = len(ends)

    def of(self, key: object) -> int:
        """Returns the track of a bar by its key, 0 for any other object."""
        return self._tracks.get(key, 0)

    def of_entry(self, entry: Entry) -> int:
        """Returns the track of the bar on which an entry is drawn."""
        return self.of(bar_of(entry))
