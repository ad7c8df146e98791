"""What the executor asks of a world, simulated or live, and nothing more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NamedTuple, Protocol, Self, TypeVar

from isolation_spec.contract.environment import Environment
from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.history.states import SessionMove
from isolation_spec.model.scenario import Scenario, Schedule
from isolation_spec.world.instrumentation import LiveResource
from isolation_spec.world.loop import StepTracker

__all__ = ["Choices", "WorldInterface"]

T = TypeVar("T")


class Choices(NamedTuple):
    """What a world decided in one run: how, how often it had a choice at all, and the
    chain of each arrival in order, if that was recorded."""

    schedule: Schedule
    unused: tuple[str, ...]
    arrivals: str
    made: int
    order: tuple[str, ...] = ()


class WorldInterface(Environment, Protocol):
    """One world in which one scenario is run once; a context manager.

    Attributes:
        persistent: the database is kept, with what earlier runs left in it.
        limit: seconds of this world after which what is under way is given up.
        reached: the counts that the instruments raise.
        moved: takes (session number, move, operation) whenever a session moves.
        unhandled: takes what the exception handler of the loop is given.
        threaded: takes what a real thread is, and where it was started.
    """

    persistent: bool
    limit: float
    reached: ActivityCounters
    moved: Callable[[int, SessionMove, int | None], None]
    unhandled: Callable[[dict[str, Any]], None] | None
    threaded: Callable[[str, str], None]

    def __enter__(self) -> Self:
        """Sees every resource from here on."""

    def __exit__(self, *_: object) -> None:
        """Ends what is left, so that nothing of this run acts in a later one."""

    def prepared(self, scenario: Scenario) -> Scenario:
        """The scenario in the form in which this world can run it."""

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs the coroutine to its end; raises WorldExhausted if it has none."""

    def begin(self) -> None:
        """The engine is started: from now on the choices count."""

    def moment(self) -> tuple[float, int]:
        """(virtual seconds, turn) for the entries of a history.

        In a live world no virtual second passes, so that no claim concludes anything
        from time there.
        """

    def post(self, lane: int | None, chain: str, deliver: Callable[[], None]) -> None:
        """Calls `deliver` when the lane, a user's or the world's, comes next."""

    def launch(
        self,
        coroutine: Coroutine[Any, Any, None],
        *,
        name: str,
        requester: int,
        aim: StepTracker | None,
    ) -> asyncio.Task[Any]:
        """A task for an operation, in a fresh context; its steps count for the aim."""

    def landed(self, task: asyncio.Task[Any]) -> bool:
        """True if an ended task's steps were counted, and no cancellation hit it."""

    def flights(self, operation: int) -> Iterable[tuple[str, int, int]]:
        """(kind, turns between which something of it outside was asked for the
        operation, or for none, and had not answered); none where turns are not counted.
        """

    async def advance(self, seconds: float, *, stalled: bool) -> None:
        """Virtual seconds pass; stalled, nothing arrives from outside meanwhile."""

    async def settle(
        self, seconds: float, alive: Callable[[], Iterable[LiveResource]] = tuple
    ) -> tuple[LiveResource, ...]:
        """What of `alive` is left once so many virtual seconds let it come to rest."""

    def hold_back(self, operation: int) -> None:
        """Nothing more reaches the connections of the operation, where the network is
        simulated, until `let_through`."""

    def let_through(self) -> None:
        """What was held back may arrive."""

    def alive(self) -> Iterable[LiveResource]:
        """Every live resource that a user's cleanup should end."""

    def alive_at_the_end(self) -> Iterable[LiveResource]:
        """All of `alive`, and what may outlive a user but not the engine."""

    def release_database(self) -> None:
        """Closes the database connections that an engine left open, where it can."""

    def choices(self) -> Choices:
        """What this world decided so far."""
