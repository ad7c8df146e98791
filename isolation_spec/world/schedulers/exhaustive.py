"""Every order in which the arrivals of one small scenario can come in.

The enumeration is a depth-first search over the choices of the scheduler. A run follows
a prefix of choices and then takes the oldest arrival; later runs take the alternatives.
No order is left out as equivalent to another, so independent chains have as many orders
as the multinomial of their lengths. Only the order is enumerated: the scenario itself
chooses how many arrivals share a turn (`burst`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isolation_spec.model.scenario import Schedule
from isolation_spec.world.schedulers.base import Arrival
from isolation_spec.world.schedulers.random import PreferringScheduler

__all__ = ["EnumeratingScheduler", "ExhaustiveSchedulers"]


class EnumeratingScheduler(PreferringScheduler):
    """Follows a prefix of choices among chains, then takes the oldest arrival.

    Attributes:
        choices_made: (index of the chosen chain, number of candidates) of each choice
            among at least two chains, in order.
    """

    def __init__(self, schedule: Schedule, prefix: Sequence[int]) -> None:
        super().__init__(schedule)
        self.prefix = tuple(prefix)
        self.choices_made: list[tuple[int, int]] = []

    def _pick(self, candidates: Sequence[Arrival]) -> Arrival:
        place, width = len(self.choices_made), len(candidates)
        wanted = self.prefix[place] if place < len(self.prefix) else 0
        index = min(wanted, width - 1)
        self.choices_made.append((index, width))
        return candidates[index]

    def has_followed_prefix(self) -> bool:
        """Whether the run made every choice of the prefix."""
        made = tuple(index for index, _ in self.choices_made[: len(self.prefix)])
        return made == self.prefix

    def next_prefix(self) -> tuple[int, ...] | None:
        """The prefix that leads to the next order; None after the last."""
        for place in range(len(self.choices_made) - 1, -1, -1):
            index, width = self.choices_made[place]
            if index + 1 < width:
                before = (index for index, _ in self.choices_made[:place])
                return (*before, index + 1)
        return None


class ExhaustiveSchedulers:
    """Iterates over schedulers, one for each order; run each before the next.

        for scheduler in ExhaustiveSchedulers(scenario.schedule):
            run(scenario, make_adapter, scheduler=scheduler)

    Arguments:
        schedule: gives burst and split; its classes and demotions are ignored.
        most: the orders after which the iteration ends; None for all.

    Attributes:
        complete: whether all orders were run. It stays False after `most` orders, and
            where a run cannot follow its prefix, as its engine is not deterministic.
    """

    def __init__(self, schedule: Schedule, *, most: int | None = None) -> None:
        self.schedule = Schedule(burst=schedule.burst, split=schedule.split)
        self.most = most
        self.complete = False

    def __iter__(self) -> Iterator[EnumeratingScheduler]:
        prefix: tuple[int, ...] | None = ()
        count = 0
        while prefix is not None:
            if count == self.most:
                return
            scheduler = EnumeratingScheduler(self.schedule, prefix)
            yield scheduler
            count += 1
            if not scheduler.has_followed_prefix():
                return
            prefix = scheduler.next_prefix()
        self.complete = True
