"""The replay scheduler follows a recorded order as far as the run allows it."""

import pytest

from isolation_spec.model.scenario import Schedule
from isolation_spec.world.schedulers.base import Source
from isolation_spec.world.schedulers.replay import ReplayScheduler


def replay(recorded: str, pending: str) -> str:
    """The order in which pending arrivals come in, one letter for each chain."""
    scheduler = ReplayScheduler(Schedule(), recorded)
    for chain in pending:
        scheduler.post(Source(chain), chain, lambda: None)
    while scheduler.take({}) is not None:
        pass
    return "".join(scheduler.arrived)


@pytest.mark.parametrize("recorded", ["abc", "cba", "bac", "aabb", "abab", "bbaa"])
def test_the_recorded_order_is_followed(recorded: str) -> None:
    """A run with the same arrivals shows them in the recorded order."""
    assert recorded == replay(recorded, "".join(sorted(recorded)))


def test_an_unrecorded_arrival_comes_when_the_next_one_is_not_pending() -> None:
    """The recorded order goes first; an arrival without a place in it follows."""
    assert "bax" == replay("ba", "xab")


def test_a_missing_arrival_is_skipped() -> None:
    """An arrival that never becomes pending does not hold up the others."""
    assert "cb" == replay("cab", "bc")


def test_an_unrecorded_arrival_comes_before_a_recorded_one_is_skipped() -> None:
    """Only where every pending arrival is recorded does the order lose one."""
    assert "xc" == replay("ac", "cx")


def test_an_excluded_source_waits() -> None:
    """A source that had its arrival in this turn is not taken again."""
    scheduler = ReplayScheduler(Schedule(), "ab")
    first, second = Source("a"), Source("b")
    scheduler.post(first, "a", lambda: None)
    scheduler.post(second, "b", lambda: None)
    taken = scheduler.take({first: None})

    assert taken is not None
    assert "b" == taken.chain
    assert None is scheduler.take({first: None, second: None})
