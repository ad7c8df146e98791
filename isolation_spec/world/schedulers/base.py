"""The choice of the external completion that arrives next.

The scheduler never touches the ready queue of the loop: asyncio itself runs ready
callbacks in a fixed order. Only the order of external completions is free, and only
that is chosen, so every schedule is one that production can show. A *source* is a queue
outside, such as one direction of a connection; only its head can arrive. A *chain* is
the stream of arrivals of one kind that one operation causes. With all choices zero the
oldest arrival comes first, as in plain asyncio.

The search is SPCT, a shrinkable form of probabilistic concurrency testing (Burckhardt
et al., ASPLOS 2010). It draws a small class for each chain and two change points at
absolute positions, each of which demotes the chain that leads there. On two planted
races it needs 8 to 9 runs on average, as PCT does. Uniform choice needed 247 for the
one and missed the other in 600. Few draws a run also shrink well: a shrunk example kept
73 to 101 draws where each choice was drawn, and 9 to 12 with SPCT.

A schedule records the effect of a change point by its chain. An absolute position would
point elsewhere after the shrinker has removed an operation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2s

from isolation_spec.model.scenario import Demotion, Schedule

__all__ = ["Arrival", "Scheduler", "Source"]

_BEHIND_EVERY_CLASS = 1000
"""The rank of the first demotion: a demoted chain waits for chains of every class."""


class Arrival:
    """One pending external completion.

    Attributes:
        source: the queue that it stands in.
        chain: the chain that it belongs to.
        deliver: called by the loop as it arrives.
        sequence: 1 for the first arrival that was posted in the run.
        since: the turn in which it was posted.
    """

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
    """A queue outside that answers in order; the ledger reports it by its `name`."""

    __slots__ = ("arrivals", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.arrivals: deque[Arrival] = deque()


class Scheduler:
    """Orders arrivals by (rank of the chain, age) and records its choices.

    Arguments:
        schedule: the keyed choices to follow.
        change_points: absolute positions, counted in choices with at least two
            candidates, at which the leading chain is demoted; 0 is unused.
        draw_class: returns the class of a chain that the schedule does not name.

    Attributes:
        active: whether the change points count; the start of an engine has no choices.
        choices: how many times at least two arrivals were pending.
        turn: the present turn of the loop.
        arrived: the chain of each arrival so far, in order.
        intervals: (turn posted, turn arrived) of each arrival so far, in order.
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
        self.intervals: list[tuple[int, int]] = []

    def post(self, source: Source, chain: str, deliver: Callable[[], object]) -> None:
        """Appends an arrival of the chain to the source."""
        self._sequence += 1
        source.arrivals.append(
            Arrival(source, chain, deliver, self._sequence, self.turn)
        )
        self._pending[source] = None
        if chain not in self._ranks:
            self._enter(chain)

    def withdraw(self, source: Source) -> None:
        """Removes all pending arrivals of the source."""
        source.arrivals.clear()
        self._pending.pop(source, None)

    def pending(self) -> tuple[Source, ...]:
        """The sources that have a pending arrival."""
        return tuple(self._pending)

    def take(self, excluded: Mapping[Source, None]) -> Arrival | None:
        """Removes and returns the next arrival from a source that is not excluded."""
        heads = self.heads(excluded)
        if not heads:
            return None
        # A single head is no choice. A run of three users has 71 choices and some 260
        # steps of the loop, so the ranking is skipped most of the time.
        chosen = heads[0] if len(heads) == 1 else self._choose(heads)
        self.consume(chosen)
        return chosen

    def heads(self, excluded: Mapping[Source, None]) -> list[Arrival]:
        """The oldest arrival of each source that is not excluded."""
        return [s.arrivals[0] for s in self._pending if s not in excluded]

    def _choose(self, heads: list[Arrival]) -> Arrival:
        leader = min(heads, key=self._rank)
        if not self.active:
            return leader
        # Positions count real choices alone, so every change point can have an effect.
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
        """Removes the head of a source and records it as arrived."""
        source, chain = arrival.source, arrival.chain
        source.arrivals.popleft()
        if not source.arrivals:
            del self._pending[source]
        count = self._consumed[chain] = self._consumed.get(chain, 0) + 1
        self.arrived.append(chain)
        self.intervals.append((arrival.since, self.turn))
        self._apply(chain, count)

    def _enter(self, chain: str) -> None:
        """Gives a new chain its class: that of the schedule, or else a drawn one."""
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

    def executed_schedule(self) -> Schedule:
        """The choices that had a place in this run, without zeros.

        A scheduler that follows this schedule gives the same order of arrivals.
        """
        return Schedule(
            classes={c: n for c, n in sorted(self._classes.items()) if n},
            demotions=tuple({(d.chain, d.consumed): d for d in self._done}.values()),
            burst=self.schedule.burst,
            split=self.schedule.split,
        )

    def unused_choices(self) -> tuple[str, ...]:
        """Descriptions of the choices of the schedule that never had a place."""
        classes = [c for c in self.schedule.classes if c not in self._classes]
        done = set(self._done)
        demotions = [d.chain for d in self.schedule.demotions if d not in done]
        return tuple(
            [f"class of {chain}" for chain in classes]
            + [f"demotion of {chain}" for chain in demotions]
        )

    def order_digest(self) -> str:
        """A digest of the order of arrivals so far; equal orders have equal digests."""
        text = "\n".join(self.arrived)
        return blake2s(text.encode(), digest_size=16).hexdigest()
