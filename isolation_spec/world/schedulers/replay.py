"""A scheduler that follows an order of arrivals recorded in another run."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping

from isolation_spec.model.scenario import Schedule
from isolation_spec.world.schedulers.base import Arrival, Scheduler, Source

__all__ = ["ReplayScheduler"]


class ReplayScheduler(Scheduler):
    """Lets in what the recorded order has next, as far as it is there.

    What the order has not at all comes in as soon as nothing recorded can; what it has
    but does not come is passed over.
    """

    def __init__(self, schedule: Schedule, order: Iterable[str]) -> None:
        super().__init__(schedule)
        self._wanted = deque(order)
        self._left = Counter(self._wanted)

    def take(self, excluded: Mapping[Source, None]) -> Arrival | None:
        """Removes and returns the next arrival from a source that is not excluded."""
        heads = self.heads(excluded)
        if not heads:
            return None
        heads.sort(key=lambda arrival: arrival.sequence)
        chosen = self._next(heads)
        self.consume(chosen)
        return chosen

    def _next(self, heads: list[Arrival]) -> Arrival:
        if self._wanted:
            for head in heads:
                if head.chain == self._wanted[0]:
                    self._pass()
                    return head
        for head in heads:
            if not self._left[head.chain]:
                return head
        pending = {head.chain: head for head in reversed(heads)}
        while self._wanted[0] not in pending:
            self._pass()
        return pending[self._pass()]

    def _pass(self) -> str:
        chain = self._wanted.popleft()
        self._left[chain] -= 1
        return chain
