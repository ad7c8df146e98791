"""Which pending external completion arrives next.

The scheduler never touches the ready queue of the loop: callbacks that are ready run in
the order in which asyncio would run them. What really is undetermined is the order in
which the outside answers, and only that is chosen. Everything outside is a *source*, a
queue whose head alone can arrive; every arrival belongs to a *chain*, named after the
operation that asked for it. All choices zero means: the oldest first.

The search is SPCT, a shrinkable form of probabilistic concurrency testing (Burckhardt
et al., ASPLOS 2010): a small class for each chain, and a few change points at absolute
positions, each of which demotes the chain that leads there. What a change point did is
recorded keyed by its chain, so a saved schedule survives the removal of operations.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2s

from isolation_spec.model.scenario import Demotion, Schedule

__all__ = ["Arrival", "Scheduler", "Source"]

_BEHIND_EVERY_CLASS = 1000


class Arrival:
    """One external completion that is pending, and since which turn of the loop."""

    __slots__ = ("chain", "deliver", "sequence", "since", "source")

    def __init__(
        self,
        source: Source,
        chain: str,
        deliver: Callable[[], object],
        sequence: int,
        since: int,
    ) -> None:
        self.source = source
        self.chain = chain
        self.deliver = deliver
        self.sequence = sequence
        self.since = since


class Source:
    """Something outside that answers in order; `name` says what, for the ledger."""

    __slots__ = ("arrivals", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.arrivals: deque[Arrival] = deque()


class Scheduler:
    """Orders arrivals by (rank of the chain, age) and records what it did.

    Arguments:
        schedule: the keyed choices to follow.
        change_points: absolute positions, counted in choices with at least two
            candidates, at which the leading chain is demoted; 0 is unused.
        draw_class: gives the class of a chain that the schedule does not name.

    Attributes:
        turn: the turn of the loop that it serves.
        arrived: the chain of each arrival so far, in order.
        flights: of each, between which turns it was pending.
    """

    def __init__(
        self,
        schedule: Schedule,
        *,
        change_points: Sequence[int] = (),
        draw_class: Callable[[str], int] | None = None,
    ) -> None:
        self.schedule = schedule
        self.choices = 0
        self.active = False
        self.turn = 0
        self._draw_class = draw_class
        self._change_points = {p: i for i, p in enumerate(change_points) if p}
        self._pending: dict[Source, None] = {}
        self._ranks: dict[str, int] = {}
        self._classes: dict[str, int] = {}
        self._consumed: dict[str, int] = {}
        self._demotions = {(d.chain, d.consumed): d.rank for d in schedule.demotions}
        self._done: list[Demotion] = []
        self._sequence = 0
        self.arrived: list[str] = []
        self.flights: list[tuple[int, int]] = []

    def post(self, source: Source, chain: str, deliver: Callable[[], object]) -> None:
        """An arrival of the chain is pending at the end of the source."""
        self._sequence += 1
        source.arrivals.append(
            Arrival(source, chain, deliver, self._sequence, self.turn)
        )
        self._pending[source] = None
        if chain not in self._ranks:
            self._enter(chain)

    def withdraw(self, source: Source) -> None:
        """Nothing of the source is pending any more."""
        source.arrivals.clear()
        self._pending.pop(source, None)

    def pending(self) -> tuple[Source, ...]:
        """The sources of which an arrival is pending."""
        return tuple(self._pending)

    def take(self, excluded: Mapping[Source, None]) -> Arrival | None:
        """Removes and returns the next arrival from a source that is not excluded."""
        heads = self.heads(excluded)
        if not heads:
            return None
        chosen = heads[0] if len(heads) == 1 else self._choose(heads)
        self.consume(chosen)
        return chosen

    def heads(self, excluded: Mapping[Source, None]) -> list[Arrival]:
        """What may come in next: of each source that is not excluded the oldest."""
        return [s.arrivals[0] for s in self._pending if s not in excluded]

    def _choose(self, heads: list[Arrival]) -> Arrival:
        leader = min(heads, key=self._rank)
        if not self.active:
            return leader
        self.choices += 1
        index = self._change_points.get(self.choices)
        if index is None or self._ranks[leader.chain] >= _BEHIND_EVERY_CLASS + index:
            return leader
        consumed = self._consumed.get(leader.chain, 0)
        self._demote(Demotion(chain=leader.chain, consumed=consumed, rank=index))
        return min(heads, key=self._rank)

    def _rank(self, arrival: Arrival) -> tuple[int, int]:
        return (self._ranks[arrival.chain], arrival.sequence)

    def consume(self, arrival: Arrival) -> None:
        """The arrival has come in."""
        source, chain = arrival.source, arrival.chain
        source.arrivals.popleft()
        if not source.arrivals:
            del self._pending[source]
        count = self._consumed[chain] = self._consumed.get(chain, 0) + 1
        self.arrived.append(chain)
        self.flights.append((arrival.since, self.turn))
        self._apply(chain, count)

    def _enter(self, chain: str) -> None:
        """The chain appears for the first time and gets its class."""
        rank = self.schedule.classes.get(chain)
        if rank is None:
            rank = self._draw_class(chain) if self._draw_class is not None else 0
        self._classes[chain] = self._ranks[chain] = rank
        self._apply(chain, 0)

    def _apply(self, chain: str, consumed: int) -> None:
        rank = self._demotions.get((chain, consumed))
        if rank is not None:
            self._demote(Demotion(chain=chain, consumed=consumed, rank=rank))

    def _demote(self, demotion: Demotion) -> None:
        self._ranks[demotion.chain] = _BEHIND_EVERY_CLASS + demotion.rank
        self._done.append(demotion)

    def followed(self) -> Schedule:
        """The choices that had a place in this run, keyed by chain, zeros left out."""
        return Schedule(
            classes={c: n for c, n in sorted(self._classes.items()) if n},
            demotions=tuple({(d.chain, d.consumed): d for d in self._done}.values()),
            burst=self.schedule.burst,
            split=self.schedule.split,
        )

    def unused(self) -> tuple[str, ...]:
        """The choices of the schedule whose place never came."""
        classes = [c for c in self.schedule.classes if c not in self._classes]
        done = set(self._done)
        demotions = [d.chain for d in self.schedule.demotions if d not in done]
        return tuple(
            [f"class of {chain}" for chain in classes]
            + [f"demotion of {chain}" for chain in demotions]
        )

    def order(self) -> str:
        """A digest of the order of arrivals so far."""
        text = "\n".join(self.arrived)
        return blake2s(text.encode(), digest_size=16).hexdigest()
