"""Counts of operations, await sites of the engine, and cancellations there."""

from __future__ import annotations

import msgspec

from isolation_spec.model.history.entries import CancellationDelivered, OperationEnded
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Operation

__all__ = ["Coverage", "kind_of_operation"]


class Coverage(msgspec.Struct, kw_only=True):
    """Counts over many histories.

    Attributes:
        operations: kind of operation -> outcome -> number.
        places: kind of operation -> await site in the engine -> (number of awaits,
            number of cancellations). Awaits are counted in the first run of each
            workload.
    """

    operations: dict[str, dict[str, int]] = {}
    places: dict[str, dict[str, tuple[int, int]]] = {}

    def sites(self) -> set[tuple[str, str]]:
        """(kind of operation, await site) of all counted awaits."""
        return {
            (kind, place)
            for kind, places in self.places.items()
            for place, (awaits, _) in places.items()
            if awaits
        }

    def number_of_sites(self, *, cancelled: bool = False) -> int:
        """The number of await sites, or of those with a cancellation."""
        counts = (count for sites in self.places.values() for count in sites.values())
        return sum(bool(count[1]) or not cancelled for count in counts)

    def count(self, history: History) -> None:
        """Counts one more history."""
        operations = history.operations()
        for entry in history.entries:
            if isinstance(entry, OperationEnded) and entry.operation is not None:
                kind = kind_of_operation(operations[entry.operation])
                self._add_outcome(kind, entry.outcome, 1)
            elif isinstance(entry, CancellationDelivered) and entry.operation:
                kind = kind_of_operation(operations[entry.operation])
                self._add_site(kind, entry.place, 0, 1)
        for number, places in history.steps.items():
            kind = kind_of_operation(operations[number])
            for place in places:
                self._add_site(kind, place, 1, 0)

    def add(self, other: Coverage) -> None:
        """Adds the counts of another search."""
        for kind, outcomes in other.operations.items():
            for outcome, times in outcomes.items():
                self._add_outcome(kind, outcome, times)
        for kind, places in other.places.items():
            for place, (awaits, cancelled) in places.items():
                self._add_site(kind, place, awaits, cancelled)

    def _add_outcome(self, kind: str, outcome: str, times: int) -> None:
        outcomes = self.operations.setdefault(kind, {})
        outcomes[outcome] = outcomes.get(outcome, 0) + times

    def _add_site(self, kind: str, place: str, awaits: int, cancelled: int) -> None:
        places = self.places.setdefault(kind, {})
        before = places.get(place, (0, 0))
        places[place] = before[0] + awaits, before[1] + cancelled


def kind_of_operation(operation: Operation | type[Operation]) -> str:
    """The stable name of a kind of operation."""
    return str(operation.__struct_config__.tag)
