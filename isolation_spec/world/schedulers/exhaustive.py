"""Every order in which the arrivals of one small scenario can come in.

Depth first over the choices of the scheduler: a run follows a prefix of choices and
takes the oldest from there on; what it could have taken instead is what is run later.
Nothing is left out because it looks equivalent, so the count of independent chains is
the multinomial of their lengths. What is chosen is the order alone: how many arrivals
share a turn is the scenario's own choice (`burst`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isolation_spec.model.scenario import Schedule
from isolation_spec.world.schedulers.base import Arrival
from isolation_spec.world.schedulers.random import PreferringScheduler

__all__ = ["Enumerated", "ExhaustiveSchedulers"]


class Enumerated(PreferringScheduler):
    """Follows a prefix of choices among chains, then lets in the oldest.

    Attributes:
        choices_made: (index of the chain let in, how many could be) of each choice
            among at least two chains, oldest first.
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

    def has_followed(self) -> bool:
        """True if every choice of the prefix had its place."""
        made = tuple(index for index, _ in self.choices_made[: len(self.prefix)])
        return made == self.prefix

    def following(self) -> tuple[int, ...] | None:
        """The prefix that leads to the next order, None after the last."""
        for place in range(len(self.choices_made) - 1, -1, -1):
            index, width = self.choices_made[place]
            if index + 1 < width:
                before = (index for index, _ in self.choices_made[:place])
                return (*before, index + 1)
        return None


class ExhaustiveSchedulers:
    """Iterates over schedulers, one for each order; each is run before the next.

        for scheduler in Exhaustive(scenario.schedule):
            run(scenario, make_adapter, scheduler=scheduler)

    Arguments:
        schedule: the form of turns; classes and demotions in it decide nothing.
        most: orders after which it gives up, None for never.

    Attributes:
        complete: True once all orders were run. It stays False after `most`, and where
            a run could not follow its prefix: its engine then is not deterministic.
    """

    def __init__(self, schedule: Schedule, *, most: int | None = None) -> None:
        self.schedule = Schedule(burst=schedule.burst, split=schedule.split)
        self.most = most
        self.complete = False

    def __iter__(self) -> Iterator[Enumerated]:
        prefix: tuple[int, ...] | None = ()
        count = 0
        while prefix is not None:
            if count == self.most:
                return
            scheduler = Enumerated(self.schedule, prefix)
            yield scheduler
            count += 1
            if not scheduler.has_followed():
                return
            prefix = scheduler.following()
        self.complete = True
