"""The operations that may start next: each user's in order, the world's between.

A user's next operation is one more arrival as soon as the one before it has ended, so
the scheduler alone decides how operations of different users interleave.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from isolation_spec.model.scenario import (
    AdvanceTime,
    Chain,
    ChainKind,
    CollectGarbage,
    Moment,
    Operation,
    RunAgent,
    Scenario,
    Shutdown,
    UserOperation,
    WorldOperation,
    attack_prerequisites,
)

__all__ = ["OperationQueue"]

_Post: TypeAlias = Callable[[int | None, str, Callable[[], None]], None]


class OperationQueue:
    """The operations of one run that have not ended.

    Arguments:
        post: makes an arrival of a lane, the world's if None: takes lane, chain and the
            function to call when it comes.
        launch: begins an operation that has arrived.

    Attributes:
        active: operation id -> the operation, from its offer to its end.
        lanes: user -> the operations of that user that were not offered yet.
    """

    def __init__(
        self, scenario: Scenario, post: _Post, launch: Callable[[Operation], None]
    ) -> None:
        self.active: dict[int, Operation] = {}
        self.lanes: dict[int, deque[UserOperation]] = {}
        self._world_lane: deque[WorldOperation] = deque()
        self._unlaunched: dict[int, None] = {}
        self._prerequisites = attack_prerequisites(scenario)
        self._reached: dict[tuple[int, Moment], None] = {}
        self._held: dict[tuple[int, Moment], list[int]] = {}
        self._post = post
        self._launch = launch
        for operation in scenario.operations:
            self._enter(operation)

    def _enter(self, operation: Operation) -> None:
        self._unlaunched[operation.id] = None
        if isinstance(operation, AdvanceTime | CollectGarbage | Shutdown):
            self._world_lane.append(operation)
        else:
            self.lanes.setdefault(operation.user, deque()).append(operation)

    @property
    def is_done(self) -> bool:
        """Whether every operation has ended: until then, one is always offered."""
        return not self.active

    def begin(self) -> None:
        """Offers the first operation of each user and of the world."""
        for user in self.lanes:
            self._offer(user)
        self._offer_world()

    def ended(self, number: int) -> None:
        """The task of an operation has ended; its user may go on."""
        self._reach(number, Moment.ENDED)
        operation = self.active.pop(number, None)
        if isinstance(operation, UserOperation) and not operation.background:
            self._offer(operation.user)

    def _offer(self, user: int) -> None:
        """A user's next operation is one more arrival; an attack waits for its victim.

        An attack waits only for operations that precede it, so waits form no cycle.
        """
        if not self.lanes[user]:
            return
        prerequisite = self._prerequisites.get(self.lanes[user][0].id)
        if prerequisite is not None and prerequisite not in self._reached:
            self._held.setdefault(prerequisite, []).append(user)
            return
        self._arrive(self.lanes[user].popleft(), user)

    def _reach(self, number: int, moment: Moment) -> None:
        """An operation has come to the moment from which it can be attacked."""
        self._reached[number, moment] = None
        for user in self._held.pop((number, moment), ()):
            self._offer(user)

    def _offer_world(self) -> None:
        """The world's next operation waits until all before it have been started."""
        while self._world_lane:
            first = next(iter(self._unlaunched), None)
            if first != self._world_lane[0].id:
                return
            self._arrive(self._world_lane.popleft(), None)
            del self._unlaunched[first]

    def _arrive(self, operation: Operation, lane: int | None) -> None:
        self.active[operation.id] = operation
        chain = Chain.text(operation.id, ChainKind.START)
        self._post(lane, chain, lambda: self._begin(operation))

    def _begin(self, operation: Operation) -> None:
        self._unlaunched.pop(operation.id, None)
        self._reach(operation.id, Moment.BEGUN)
        self._launch(operation)
        if isinstance(operation, RunAgent) and operation.background:
            self._offer(operation.user)
        self._offer_world()
