"""What a search came to: operations, the awaits of the engine, and cancellations."""

from __future__ import annotations

import msgspec

from isolation_spec.model.history.entries import CancellationDelivered, OperationEnded
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Operation

__all__ = ["Coverage", "kind_of_operation"]


class Coverage(msgspec.Struct, kw_only=True):
    """Counts over many histories.

    Attributes:
        operations: kind of operation -> how it ended -> how often.
        places: kind of operation -> place in the engine at which one waited -> (how
            often, how often one was cancelled there). Awaits are counted in the first
            run of each workload.
    """

    operations: dict[str, dict[str, int]] = {}
    places: dict[str, dict[str, tuple[int, int]]] = {}

    def count(self, history: History) -> None:
        """Counts one more history."""
        operations = history.operations()
        for entry in history.entries:
            if isinstance(entry, OperationEnded) and entry.operation is not None:
                kind = kind_of_operation(operations[entry.operation])
                self._ended(kind, entry.outcome, 1)
            elif isinstance(entry, CancellationDelivered) and entry.operation:
                kind = kind_of_operation(operations[entry.operation])
                self._came_to(kind, entry.place, 0, 1)
        for number, places in history.steps.items():
            kind = kind_of_operation(operations[number])
            for place in places:
                self._came_to(kind, place, 1, 0)

    def add(self, other: Coverage) -> None:
        """Adds the counts of another search."""
        for kind, outcomes in other.operations.items():
            for outcome, times in outcomes.items():
                self._ended(kind, outcome, times)
        for kind, places in other.places.items():
            for place, (seen, cancelled) in places.items():
                self._came_to(kind, place, seen, cancelled)

    def _ended(self, kind: str, outcome: str, times: int) -> None:
        outcomes = self.operations.setdefault(kind, {})
        outcomes[outcome] = outcomes.get(outcome, 0) + times

    def _came_to(self, kind: str, place: str, seen: int, cancelled: int) -> None:
        places = self.places.setdefault(kind, {})
        before = places.get(place, (0, 0))
        places[place] = before[0] + seen, before[1] + cancelled


def kind_of_operation(operation: Operation | type[Operation]) -> str:
    """The stable name of a kind of operation."""
    return str(operation.__struct_config__.tag)
