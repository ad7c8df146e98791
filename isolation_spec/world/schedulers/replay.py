"""A scheduler that replays an order of arrivals recorded in another run."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping

from isolation_spec.model.scenario import Schedule
from isolation_spec.world.schedulers.base import Arrival, Scheduler, Source

__all__ = ["ReplayScheduler"]


class ReplayScheduler(Scheduler):
    """Replays a recorded order of arrivals as far as this run has the same arrivals.

    An arrival missing from the recorded order is delivered as soon as the next recorded
    arrival is not pending. A recorded arrival is skipped once every pending arrival
    stands behind it in the order.

    Arguments:
        schedule: gives burst and split; the order decides all else.
        order: the chain of each recorded arrival.
    """

    def __init__(self, schedule: Schedule, order: Iterable[str]) -> None:
        super().__init__(schedule)
        self._recorded = deque(order)
        self._remaining = Counter(self._recorded)

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
        if self._recorded:
            for head in heads:
                if head.chain == self._recorded[0]:
                    self._advance()
                    return head
        for head in heads:
            if not self._remaining[head.chain]:
                return head
        pending = {head.chain: head for head in reversed(heads)}
        while self._recorded[0] not in pending:
            self._advance()
        return pending[self._advance()]

    def _advance(self) -> str:
        chain = self._recorded.popleft()
        self._remaining[chain] -= 1
        return chain
