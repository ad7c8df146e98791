"""The agenda offers each user's next operation in its time, and no sooner."""

from collections.abc import Callable

from isolation_spec.execution.operation_queue import OperationQueue
from isolation_spec.model.scenario import (
    AdvanceTime,
    CancelRun,
    Chain,
    Operation,
    Read,
    RunAgent,
    Scenario,
    User,
)
from tests.builders import open_context

USERS = (User(label="alice", id="u1"), User(label="bob", id="u2"))


class Desk:
    """An agenda whose arrivals come when the test lets them."""

    def __init__(self, *operations: Operation) -> None:
        self.arriving: dict[int | None, Callable[[], None]] = {}
        self.launched: list[int] = []
        scenario = Scenario(users=USERS, operations=operations)
        self.agenda = OperationQueue(
            scenario, self.post, lambda operation: self.launched.append(operation.id)
        )
        self.agenda.begin()

    def post(self, lane: int | None, chain: str, arrive: Callable[[], None]) -> None:
        self.arriving[Chain.parse(chain).owner] = arrive

    @property
    def offered(self) -> set[int | None]:
        return set(self.arriving)

    def come(self, number: int) -> None:
        self.arriving.pop(number)()

    def end(self, number: int) -> None:
        self.agenda.ended(number)


def test_the_next_of_a_user_waits_for_the_one_before() -> None:
    """Of each user one operation is offered, and the next one when that has ended."""
    desk = Desk(open_context(1, 0), Read(id=2, user=0, context="x"), open_context(3, 1))

    offered = [desk.offered]
    desk.come(1)
    offered.append(desk.offered)
    desk.end(1)
    offered.append(desk.offered)

    assert [{1, 3}, {3}, {2, 3}] == offered
    assert [1] == desk.launched


def test_nobody_waits_for_a_run_in_the_background() -> None:
    """The next operation is offered when a background run begins, and only once."""
    background = RunAgent(id=1, user=0, context="x", script=(), background=True)
    desk = Desk(
        background,
        Read(id=2, user=0, context="x"),
        Read(id=3, user=0, context="x"),
    )

    desk.come(1)
    offered = [desk.offered]
    desk.end(1)
    offered.append(desk.offered)

    assert [{2}, {2}] == offered


def test_an_attack_waits_for_its_aim() -> None:
    """Another's context is attacked once open, a run cancelled once begun."""
    desk = Desk(
        open_context(1, 0),
        RunAgent(id=2, user=0, context="x", script=()),
        Read(id=3, user=1, context="x", victim=0),
        CancelRun(id=4, user=1, run=2, victim=0),
    )

    desk.come(1)
    before = desk.offered
    desk.end(1)
    opened = desk.offered
    desk.come(3)
    desk.end(3)
    waiting = desk.offered
    desk.come(2)

    assert [set(), {2, 3}, {2}, {4}] == [before, opened, waiting, desk.offered]


def test_the_world_waits_until_all_before_it_have_begun() -> None:
    """Time passes after the operations before it have begun, ended or not."""
    desk = Desk(open_context(1, 0), open_context(2, 1), AdvanceTime(id=3, seconds=1.0))

    desk.come(2)
    early = desk.offered
    desk.come(1)

    assert {1} == early
    assert {3} == desk.offered


def test_done_when_all_has_ended() -> None:
    """An agenda is done once all that it offered has ended, and not while one waits."""
    desk = Desk(open_context(1, 0), open_context(2, 0))
    done = [desk.agenda.is_done]
    for number in (1, 2):
        desk.come(number)
        done.append(desk.agenda.is_done)
        desk.end(number)
        done.append(desk.agenda.is_done)

    assert [False, False, False, False, True] == done
