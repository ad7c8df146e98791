"""The scheduler orders arrivals by rank and age and records its choices."""

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

from isolation_spec.model.scenario import Demotion, Schedule
from isolation_spec.world.schedulers.base import Arrival, Scheduler, Source


class Outside:
    """Sources that answer; `taken` is the order in which their arrivals came in."""

    def __init__(self, scheduler: Scheduler) -> None:
        scheduler.active = True
        self.scheduler = scheduler
        self.sources: dict[str, Source] = {}
        self.taken: list[str] = []

    def post(self, source: str, chain: str, label: str) -> None:
        found = self.sources.setdefault(source, Source(source))
        self.scheduler.post(found, chain, lambda: self.taken.append(label))

    def take(self, *excluded: str) -> Arrival | None:
        names = dict.fromkeys(self.sources[name] for name in excluded)
        arrival = self.scheduler.take(names)
        if arrival is not None:
            arrival.deliver()
        return arrival

    def take_all(self) -> list[str]:
        while self.take() is not None:
            pass
        return self.taken


def filled(scheduler: Scheduler, chains: str = "ab", length: int = 3) -> Outside:
    """One source for each chain, posted in turn: a1 b1 a2 b2 and so on."""
    outside = Outside(scheduler)
    for number in range(1, length + 1):
        for chain in chains:
            outside.post(chain, chain, f"{chain}{number}")
    return outside


def test_all_zero_is_oldest_first() -> None:
    """Without choices, arrivals come in the order in which they became pending."""
    assert ["a1", "b1", "a2", "b2", "a3", "b3"] == filled(
        Scheduler(Schedule())
    ).take_all()


def test_classes() -> None:
    """A chain of a lower class goes before one of a higher class, then age decides."""
    scheduler = Scheduler(Schedule(classes={"a": 2, "c": 1}))

    assert ["b1", "b2", "c1", "c2", "a1", "a2"] == filled(
        scheduler, "abc", 2
    ).take_all()
    assert {"a": 2, "c": 1} == scheduler.executed_schedule().classes


def test_drawn_classes_are_recorded() -> None:
    """A class drawn for a chain without one in the schedule is followed and kept."""
    drawn: list[str] = []

    def draw_class(chain: str) -> int:
        drawn.append(chain)
        return {"b": 3}.get(chain, 0)

    scheduler = Scheduler(Schedule(classes={"a": 4}), draw_class=draw_class)

    assert ["c1", "c2", "b1", "b2", "a1", "a2"] == filled(
        scheduler, "abc", 2
    ).take_all()
    assert ["b", "c"] == drawn
    assert {"a": 4, "b": 3} == scheduler.executed_schedule().classes


def test_demotion_falls_behind_every_class() -> None:
    """From so many arrivals on a demoted chain is last; ranks order the demoted."""
    demotions = (
        Demotion(chain="a", consumed=1, rank=1),
        Demotion(chain="b", consumed=0, rank=0),
    )
    scheduler = Scheduler(Schedule(classes={"c": 7}, demotions=demotions))

    assert ["a1", "c1", "c2", "b1", "b2", "a2"] == filled(
        scheduler, "abc", 2
    ).take_all()
    assert set(demotions) == set(scheduler.executed_schedule().demotions)
    assert () == scheduler.unused_choices()


def test_change_point_demotes_the_leader() -> None:
    """At its position, counted in real choices, the leading chain falls behind."""
    scheduler = Scheduler(Schedule(), change_points=(0, 3))
    order = filled(scheduler).take_all()
    (demotion,) = scheduler.executed_schedule().demotions

    assert ["a1", "b1", "b2", "b3", "a2", "a3"] == order
    assert ("a", 1) == (demotion.chain, demotion.consumed)


def test_choices_count_only_real_ones() -> None:
    """Where a single arrival is pending, or before it matters, nothing is counted."""
    scheduler = Scheduler(Schedule(), change_points=(1,))
    outside = filled(scheduler, "a")
    outside.take_all()

    assert 0 == scheduler.choices

    scheduler = Scheduler(Schedule(), change_points=(1,))
    outside = filled(scheduler)
    scheduler.active = False
    outside.take_all()

    assert 0 == scheduler.choices
    assert ["a1", "b1", "a2", "b2", "a3", "b3"] == outside.taken
    assert () == scheduler.executed_schedule().demotions


def test_fifo_within_a_source() -> None:
    """Only the head of a source can arrive, regardless of the classes behind it."""
    outside = Outside(Scheduler(Schedule(classes={"slow": 5})))
    outside.post("one", "slow", "first")
    outside.post("one", "fast", "second")
    outside.post("other", "middle", "other 1")
    outside.post("other", "middle", "other 2")

    assert ["other 1", "other 2", "first", "second"] == outside.take_all()


def test_excluded_sources_wait() -> None:
    """A source has at most one arrival a turn."""
    outside = filled(Scheduler(Schedule()))
    outside.take()
    outside.take("a")

    assert ["a1", "b1"] == outside.taken
    assert outside.take("a", "b") is None


def test_withdrawn_source_is_not_pending() -> None:
    """A withdrawn arrival neither arrives nor is pending, and can be posted again."""
    outside = filled(Scheduler(Schedule()))
    outside.scheduler.withdraw(outside.sources["a"])
    outside.scheduler.withdraw(outside.sources["a"])

    assert (outside.sources["b"],) == outside.scheduler.pending()

    outside.post("a", "a", "again")

    assert ["b1", "b2", "b3", "again"] == outside.take_all()
    assert () == outside.scheduler.pending()


def test_unused_choices_are_named() -> None:
    """A class or a demotion whose place never came is reported by its chain."""
    schedule = Schedule(
        classes={"a": 1, "nowhere": 2},
        demotions=(
            Demotion(chain="b", consumed=1, rank=0),
            Demotion(chain="b", consumed=99, rank=1),
            Demotion(chain="elsewhere", consumed=0, rank=2),
        ),
    )
    scheduler = Scheduler(schedule)
    filled(scheduler).take_all()
    expected = "class of nowhere", "demotion of b", "demotion of elsewhere"

    assert expected == scheduler.unused_choices()


def test_order_is_a_digest_of_chains() -> None:
    """The digest moves with every arrival, and is equal for equal orders alone."""
    outsides = [
        filled(Scheduler(Schedule())),
        filled(Scheduler(Schedule())),
        filled(Scheduler(Schedule(classes={"a": 1}))),
    ]
    before = outsides[0].scheduler.order_digest()
    for outside in outsides:
        outside.take_all()
    orders = [outside.scheduler.order_digest() for outside in outsides]

    assert before != orders[0] == orders[1] != orders[2]


# Replay


def workload(seed: int) -> Callable[[Scheduler], list[str]]:
    """A seeded outside: posts and takes in turns, up to 5 sources and 7 chains."""

    def play(scheduler: Scheduler) -> list[str]:
        chance = random.Random(f"workload {seed}")
        outside = Outside(scheduler)
        for number in range(60):
            for _ in range(chance.choice((0, 1, 1, 2))):
                source = chance.choice("vwxyz")
                chain = chance.choice((source, source, "p", "q"))
                outside.post(source, chain, f"{source}{number}")
            if outside.sources and chance.random() < 0.7:
                outside.take(*chance.sample(sorted(outside.sources), k=1))
        return outside.take_all()

    return play


def searching(seed: int) -> Scheduler:
    chance = random.Random(f"search {seed}")
    points = [chance.randint(0, 40) for _ in range(chance.randint(0, 6))]
    classes = {chain: chance.choice((0, 0, 1, 7)) for chain in "pqvwxyz"}
    return Scheduler(Schedule(), change_points=points, draw_class=classes.__getitem__)


def test_replay_of_executed_schedules() -> None:
    """An executed schedule gives the same order again and uses all its choices."""
    demoted = 0
    for seed in range(2000):
        play = workload(seed)
        found = searching(seed)
        order = play(found)
        followed = found.executed_schedule()
        replay = Scheduler(followed)
        demoted += bool(followed.demotions)

        assert order == play(replay)
        assert found.order_digest() == replay.order_digest()
        assert () == replay.unused_choices()
        assert followed.classes == replay.executed_schedule().classes
        assert set(followed.demotions) == set(replay.executed_schedule().demotions)

    assert demoted > 1000


def test_chain_demoted_twice_while_it_waits() -> None:
    """A chain demoted twice between two arrivals of its own is replayed as it was."""

    def play(scheduler: Scheduler) -> list[str]:
        outside = Outside(scheduler)
        for label in ("a1", "b1", "c1"):
            outside.post(label[0], label[0], label)
        outside.take()
        outside.take("b")
        outside.post("d", "d", "d1")
        return outside.take_all()

    found = Scheduler(Schedule(), change_points=(1, 2))
    order = play(found)
    replay = Scheduler(found.executed_schedule())

    assert order == play(replay)
    assert () == replay.unused_choices()


def test_any_three_change_points_are_replayed() -> None:
    """Demotions of one chain, in any order of the points, are replayed as they were."""

    def play(scheduler: Scheduler) -> list[str]:
        outside = Outside(scheduler)
        for label in ("a1", "b1", "a2", "b2", "a3", "b3", "a4", "b4"):
            outside.post(label[0], label[0], label)
        return outside.take_all()

    for points in itertools.product(range(7), repeat=3):
        found = Scheduler(Schedule(), change_points=points)
        order = play(found)
        replay = Scheduler(found.executed_schedule())

        assert order == play(replay)
        assert found.order_digest() == replay.order_digest()
        assert () == replay.unused_choices()


# Every small case


def interleavings(lengths: Sequence[int]) -> set[tuple[int, ...]]:
    """All merges of so many queues of these lengths, as indexes of the queues."""
    items = [queue for queue, length in enumerate(lengths) for _ in range(length)]
    return set(itertools.permutations(items))


def test_two_change_points_reach_every_order_of_two_pairs() -> None:
    """Classes and two change points show all 6 merges of two queues of two."""
    found: dict[tuple[str, ...], Any] = {}
    for classes in itertools.product((0, 1), repeat=2):
        for points in itertools.product(range(4), repeat=2):
            scheduler = Scheduler(
                Schedule(classes=dict(zip("ab", classes, strict=True))),
                change_points=points,
            )
            order = filled(scheduler, "ab", 2).take_all()
            found[tuple(order)] = scheduler.executed_schedule()
    expected = set()
    for merge in interleavings((2, 2)):
        counters = [itertools.count(1), itertools.count(1)]
        expected.add(tuple(f"{'ab'[queue]}{next(counters[queue])}" for queue in merge))

    assert expected == set(found)


def test_every_order_keeps_the_queues() -> None:
    """With any choices, each arrival comes once and in the order of its source."""
    for classes in itertools.product((0, 1, 2), repeat=3):
        for points in itertools.product(range(5), repeat=2):
            scheduler = Scheduler(
                Schedule(classes=dict(zip("abc", classes, strict=True))),
                change_points=points,
            )
            order = filled(scheduler, "abc", 2).take_all()

            assert ["a1", "a2"] == [label for label in order if label[0] == "a"]
            assert ["b1", "b2"] == [label for label in order if label[0] == "b"]
            assert ["c1", "c2"] == [label for label in order if label[0] == "c"]
