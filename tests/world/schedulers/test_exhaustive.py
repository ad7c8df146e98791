"""Every order of arrivals, counted against the multinomial and against brute force."""

import itertools
import math
from collections import deque
from collections.abc import Sequence

import msgspec
import pytest

from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.execution.run import run
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    CleanupEngine,
    Connect,
    Demotion,
    Disconnect,
    Operation,
    Read,
    RunAgent,
    Scenario,
    Schedule,
    Think,
    User,
    Write,
)
from isolation_spec.world.schedulers.base import Arrival, Scheduler, Source
from isolation_spec.world.schedulers.exhaustive import (
    EnumeratingScheduler,
    ExhaustiveSchedulers,
)
from tests.builders import open_context

pytestmark = pytest.mark.slow

SHAPES = [(1,), (3,), (1, 1), (2, 2), (3, 1), (1, 1, 1), (2, 2, 1), (3, 2, 2), (2,) * 4]
USERS = (User(label="alice", id="u1"), User(label="bob", id="u11"))


def let_in(scheduler: Scheduler, lengths: Sequence[int]) -> tuple[str, ...]:
    """Lets in all arrivals of independent chains, each of its length."""
    scheduler.active = True
    for chain, length in enumerate(lengths):
        source = Source(f"{chain}")
        for _ in range(length):
            scheduler.post(source, f"{chain}", lambda: None)
    while scheduler.take({}) is not None:
        pass
    return tuple(scheduler.arrived)


@pytest.mark.parametrize("lengths", SHAPES)
def test_independent_chains_are_the_multinomial(lengths: tuple[int, ...]) -> None:
    """Every order comes exactly once: as many as the chains can be shuffled in."""
    exhaustive = ExhaustiveSchedulers(Schedule())
    orders = [let_in(scheduler, lengths) for scheduler in exhaustive]
    multinomial = math.factorial(sum(lengths)) // math.prod(
        math.factorial(length) for length in lengths
    )

    assert exhaustive.complete
    assert multinomial == len(orders) == len(set(orders))


def test_plain_order_comes_first() -> None:
    """The first order is that of plain asyncio: the oldest first."""
    (first, *_) = (let_in(s, (2, 2)) for s in ExhaustiveSchedulers(Schedule()))

    assert ("0", "0", "1", "1") == first


def test_classes_and_demotions_decide_nothing() -> None:
    """Of a schedule only the form of turns is kept: the orders are all orders."""
    schedule = Schedule(
        classes={"0": 3}, demotions=(Demotion(chain="1", consumed=1, rank=1),), burst=2
    )
    exhaustive = ExhaustiveSchedulers(schedule)

    assert 6 == len({let_in(scheduler, (2, 2)) for scheduler in exhaustive})
    assert Schedule(burst=2) == exhaustive.schedule


def test_bound_ends_it_incomplete() -> None:
    """After so many orders it gives up, and says so."""
    exhaustive = ExhaustiveSchedulers(Schedule(), most=5)

    assert 5 == len([let_in(scheduler, (2, 2)) for scheduler in exhaustive])
    assert not exhaustive.complete


def test_exactly_as_many_as_may_be_is_complete() -> None:
    """The bound is how many may be run, not one less."""
    exhaustive = ExhaustiveSchedulers(Schedule(), most=6)

    assert 6 == len([let_in(scheduler, (2, 2)) for scheduler in exhaustive])
    assert exhaustive.complete


def test_a_run_that_does_not_repeat_ends_it_incomplete() -> None:
    """A run in which a choice of the prefix has no place is not counted as all."""
    shapes = itertools.cycle([(2, 2), (1,)])
    exhaustive = ExhaustiveSchedulers(Schedule())
    orders = [let_in(scheduler, next(shapes)) for scheduler in exhaustive]

    assert len(orders) < 6
    assert not exhaustive.complete


@pytest.mark.parametrize("lengths", [(3, 1), (2, 2, 1)])
def test_each_order_is_followed_by_its_schedule(lengths: tuple[int, ...]) -> None:
    """The choices are recorded by chain and give the same order again."""
    for scheduler in ExhaustiveSchedulers(Schedule()):
        order = let_in(scheduler, lengths)
        again = Scheduler(scheduler.executed_schedule())

        assert order == let_in(again, lengths)
        assert () == again.unused_choices()


# On the real engine


class BruteForce(Scheduler):
    """Takes the arrival at a given index of every choice, regardless of its chain."""

    def __init__(self, schedule: Schedule, indexes: Sequence[int]) -> None:
        super().__init__(schedule)
        self.indexes = deque(indexes)
        self.width_after_the_last = 0

    def _choose(self, heads: list[Arrival]) -> Arrival:
        if not self.active:
            return super()._choose(heads)
        self.choices += 1
        if self.indexes:
            return heads[self.indexes.popleft()]
        self.width_after_the_last = self.width_after_the_last or len(heads)
        return heads[0]


def brute_force(scenario: Scenario) -> set[tuple[str, ...]]:
    """Breadth first: wherever one run had a choice, each index is tried."""
    found = set()
    waiting: deque[tuple[int, ...]] = deque([()])
    while waiting:
        indexes = waiting.popleft()
        scheduler = BruteForce(scenario.schedule, indexes)
        history = run(scenario, ReferenceAdapter, scheduler=scheduler)
        width = scheduler.width_after_the_last
        waiting.extend((*indexes, index) for index in range(width))
        if not width:
            found.add(history.order)
    return found


SMALL: dict[str, tuple[Operation, ...]] = {
    "two contexts": (open_context(1, 0), open_context(2, 1)),
    "a connection beside a context": (
        Connect(id=1, user=0, connection="c"),
        open_context(2, 1),
    ),
    "a run beside a context": (
        open_context(1, 0),
        open_context(2, 1),
        RunAgent(id=3, user=0, context="x", script=(Think(prompt="p"),)),
    ),
    "a write beside a context": (
        open_context(1, 0),
        open_context(2, 1),
        Write(id=3, user=0, context="x", key="k", value="v"),
    ),
    "a read and a cleanup": (
        open_context(1, 0),
        Read(id=2, user=0, context="x"),
        open_context(3, 1),
        CleanupEngine(id=4, user=1, context="x"),
    ),
}


@pytest.mark.parametrize("burst", [0, 1])
@pytest.mark.parametrize("name", SMALL)
def test_brute_force_finds_the_same_orders(name: str, burst: int) -> None:
    """On the engine too, each order of arrivals is found, once, and no other."""
    scenario = Scenario(
        users=USERS, operations=SMALL[name], schedule=Schedule(burst=burst)
    )
    exhaustive = ExhaustiveSchedulers(scenario.schedule)
    orders = [
        run(scenario, ReferenceAdapter, scheduler=scheduler).order
        for scheduler in exhaustive
    ]

    assert exhaustive.complete
    assert 1 < len(orders) == len(set(orders))
    assert brute_force(scenario) == set(orders)


def test_each_order_of_the_engine_replays() -> None:
    """The schedule that a run followed gives the same history, in plain replay."""
    scenario = Scenario(
        users=USERS,
        operations=(
            Connect(id=1, user=0, connection="c"),
            open_context(2, 1),
            Disconnect(id=3, user=0, connection="c"),
        ),
    )
    for scheduler in ExhaustiveSchedulers(scenario.schedule):
        history = run(scenario, ReferenceAdapter, scheduler=scheduler)
        assert_replays(history)


def assert_replays(history: History) -> None:
    scenario = msgspec.structs.replace(history.scenario, schedule=history.schedule)
    again = run(scenario, ReferenceAdapter)

    assert history.digest() == again.digest()
    assert history.order == again.order
    assert () == again.unused


def test_a_prefix_is_followed() -> None:
    """The index counts chains, oldest first, at each choice in turn."""
    scheduler = EnumeratingScheduler(Schedule(), (1, 0))

    assert ("1", "0", "0", "1") == let_in(scheduler, (2, 2))
    assert [(1, 2), (0, 2)] == scheduler.choices_made[:2]
    assert scheduler.has_followed_prefix()
