"""Probabilistic concurrency testing as it was published, with its bound.

Burckhardt et al., ASPLOS 2010: every thread gets a random priority, different from all
others; at d - 1 random steps of at most k, the thread that has just made that step
falls behind all others. A bug that d ordering constraints decide then shows with a
probability of at least 1/(n k^(d-1)) in each run. A thread is here a chain, and a step
an arrival, since only the order of arrivals is free. The bound speaks of one workload,
its disruptions included, and of nothing else in a search: the rest is drawn otherwise.
"""

from __future__ import annotations

import random

import msgspec

from isolation_spec.model.scenario import Demotion, Schedule
from isolation_spec.world.schedulers.base import Arrival, Scheduler

__all__ = ["Bound", "PCTScheduler"]

_PRIORITIES = 1000
"""As many as there are classes in front of every demotion."""


class PCTScheduler(Scheduler):
    """A random priority for each chain, and `depth - 1` change points.

    Arguments:
        schedule: the form of turns; classes and demotions in it decide nothing.
        steps: k, arrivals of a run at most; change points are drawn among so many.

    Attributes:
        arrivals: how many came in since the engine was started.
    """

    def __init__(
        self, schedule: Schedule, chance: random.Random, *, depth: int, steps: int
    ) -> None:
        form = Schedule(burst=schedule.burst, split=schedule.split)
        super().__init__(form, draw_class=self._draw_priority)
        self.depth = depth
        self.steps = steps
        self.arrivals = 0
        self._free = chance.sample(range(_PRIORITIES), _PRIORITIES)
        self._points = {chance.randint(1, steps): rank for rank in range(depth - 1)}

    def _draw_priority(self, chain: str) -> int:
        return self._free.pop() if self._free else _PRIORITIES - 1

    def consume(self, arrival: Arrival) -> None:
        """The arrival has come in; at a change point its chain falls behind."""
        super().consume(arrival)
        if not self.active:
            return
        self.arrivals += 1
        rank = self._points.get(self.arrivals)
        if rank is not None:
            chain = arrival.chain
            consumed = self._consumed[chain]
            self._demote(Demotion(chain=chain, consumed=consumed, rank=rank))

    def bound(self) -> Bound:
        """What this run, once it is over, was worth."""
        chains = len(self._classes)
        beyond = self.arrivals > self.steps or chains > _PRIORITIES
        return Bound(
            depth=self.depth,
            runs=int(not beyond),
            chains=chains,
            arrivals=self.steps,
            beyond=int(beyond),
        )


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """How probable it is that one of these runs shows a bug of its workload.

    Attributes:
        depth: d, ordering constraints that decide the bug.
        runs: made as pure PCT, within `chains` and `arrivals`.
        chains: n, the most that a run had.
        arrivals: k, the most among which change points were drawn.
        beyond: further runs, which had more arrivals than k: no bound holds for them.
    """

    depth: int
    runs: int
    chains: int
    arrivals: int
    beyond: int

    @property
    def probability(self) -> float:
        """1/(n k^(d-1)), of each run, for a bug of that depth in its workload."""
        steps = float(max(self.arrivals, 1))
        return 1.0 / (max(self.chains, 1) * pow(steps, self.depth - 1))

    def plus(self, other: Bound | None) -> Bound:
        """The bound of both, of the same depth: the weaker one, for all runs."""
        if other is None:
            return self
        return Bound(
            depth=self.depth,
            runs=self.runs + other.runs,
            chains=max(self.chains, other.chains),
            arrivals=max(self.arrivals, other.arrivals),
            beyond=self.beyond + other.beyond,
        )

    def __str__(self) -> str:
        power = self.depth - 1
        factor = {0: "", 1: " k"}.get(power, f" k^{power}")
        text = (
            f"pure PCT: {self.runs:,} runs of depth {self.depth}, n = {self.chains} "
            f"chains, k = {self.arrivals} arrivals: each shows a bug of its workload "
            f"that {self.depth} ordering constraints decide with probability at least "
            f"1/(n{factor}) = {self.probability:.1e}"
        )
        if self.beyond:
            text += f"; {self.beyond:,} more runs went beyond k, without a bound"
        return text
