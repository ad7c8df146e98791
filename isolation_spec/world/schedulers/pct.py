"""Probabilistic concurrency testing as published, with its bound.

Burckhardt et al., ASPLOS 2010: each thread gets a random priority, different from all
others. At d - 1 random steps of at most k, the thread that has just made the step falls
behind all others. A bug that d ordering constraints decide then shows with a
probability of at least 1/(n k^(d-1)) in each run.

Here a thread is a chain and a step is an arrival, since only the order of arrivals is
free. The bound holds for one workload with its disruptions. It says nothing about other
workloads, which the search draws without a known distribution.
"""

from __future__ import annotations

import random

import msgspec

from isolation_spec.model.scenario import Demotion, Schedule
from isolation_spec.world.schedulers.base import Arrival, Scheduler

__all__ = ["Bound", "PCTScheduler"]

_PRIORITIES = 1000
"""The number of ranks in front of every demotion, so each chain gets its own."""


class PCTScheduler(Scheduler):
    """A random priority for each chain, and `depth - 1` change points.

    Arguments:
        schedule: gives burst and split; its classes and demotions are ignored.
        chance: the source of randomness.
        depth: d, the number of ordering constraints that decide a bug.
        steps: k, the positions among which change points are drawn.

    Attributes:
        arrivals: how many arrivals came in since the engine started.
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
        """Records the arrival; at a change point its chain falls behind all others."""
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
        """The bound that this run contributes once it is over."""
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
    """The probability that one of these runs shows a bug of its workload.

    Attributes:
        depth: d, the ordering constraints that decide the bug.
        runs: the runs of pure PCT within `chains` and `arrivals`.
        chains: n, the most chains of a run.
        arrivals: k, the most positions among which change points were drawn.
        beyond: further runs with more arrivals than k, for which no bound holds.
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
        """The bound of the runs of both, which have the same depth: the weaker one."""
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
