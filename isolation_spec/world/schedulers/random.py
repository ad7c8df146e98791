"""Arrivals in an order of pure chance, written down so that it can be followed.

Priorities cannot say "this one now", so what was passed over is demoted: each chain
that stood before the chosen one falls behind all that fell before it. It is not let in
until then, so a schedule that demotes it at once gives the same order.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from isolation_spec.model.scenario import Demotion, Schedule
from isolation_spec.world.schedulers.base import Arrival, Scheduler

__all__ = ["PreferringScheduler", "RandomScheduler"]


class PreferringScheduler(Scheduler):
    """A scheduler that lets in whatever it prefers, and records it as demotions."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(schedule)
        self._passed_over = 0

    def _candidates(self, heads: list[Arrival]) -> list[Arrival]:
        """The oldest of each chain: no schedule tells two of one chain apart."""
        chains: dict[str, Arrival] = {}
        for head in sorted(heads, key=lambda head: head.sequence):
            chains.setdefault(head.chain, head)
        return list(chains.values())

    def _prefer(self, chosen: Arrival, heads: list[Arrival]) -> Arrival:
        """The chosen arrival; all chains that stood before its own fall behind it."""
        for head in sorted(heads, key=self._rank):
            if head.chain == chosen.chain:
                break
            self._passed_over += 1
            consumed = self._consumed.get(head.chain, 0)
            self._demote(
                Demotion(chain=head.chain, consumed=consumed, rank=self._passed_over)
            )
        return chosen

    def _pick(self, candidates: Sequence[Arrival]) -> Arrival:
        """The one of at least two candidates that is let in."""
        raise NotImplementedError

    def _choose(self, heads: list[Arrival]) -> Arrival:
        if not self.active:
            return super()._choose(heads)
        self.choices += 1
        candidates = self._candidates(heads)
        chosen = candidates[0] if len(candidates) == 1 else self._pick(candidates)
        return self._prefer(chosen, heads)


class RandomScheduler(PreferringScheduler):
    """Lets in any pending arrival, each chain as likely as the others."""

    def __init__(self, schedule: Schedule, chance: random.Random) -> None:
        super().__init__(schedule)
        self._chance = chance

    def _pick(self, candidates: Sequence[Arrival]) -> Arrival:
        return self._chance.choice(candidates)
