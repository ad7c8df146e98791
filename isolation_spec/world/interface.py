"""The interface of a world, simulated or live, to the execution of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NamedTuple, Protocol, Self, TypeVar

from isolation_spec.contract.environment import Environment
from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.history.states import SessionMove
from isolation_spec.model.scenario import Scenario, Schedule
from isolation_spec.world.blocking import BlockingCall
from isolation_spec.world.instrumentation import LiveResource
from isolation_spec.world.tasks import StepTracker

__all__ = ["Choices", "WorldInterface"]

T = TypeVar("T")


class Choices(NamedTuple):
    """The choices of a world in one run.

    Attributes:
        schedule: the choices that had a place.
        unused: descriptions of the choices without a place.
        arrivals: a digest of the order of arrivals.
        made: how many times at least two arrivals were pending.
        order: the chain of each arrival; empty in a live world.
    """

    schedule: Schedule
    unused: tuple[str, ...]
    arrivals: str
    made: int
    order: tuple[str, ...] = ()


class WorldInterface(Environment, Protocol):
    """One world in which one scenario is run once; a context manager.

    Attributes:
        persistent: whether the database survives the run, with the data of earlier
            runs.
        limit: seconds of this world after which the run gives up its operations.
        activity: the counts of real activity.
        moved: called with (session number, move, operation) as a session moves.
        on_unhandled: called with the context of an unhandled exception of the loop.
        on_thread_start: called with a description and the place as a thread starts.
        on_blocked: called with each synchronous wait of a callback; a live world sees
            no waits.
    """

    persistent: bool
    limit: float
    activity: ActivityCounters
    moved: Callable[[int, SessionMove, int | None], None]
    on_unhandled: Callable[[dict[str, Any]], None] | None
    on_thread_start: Callable[[str, str], None]
    on_blocked: Callable[[BlockingCall], None] | None

    def __enter__(self) -> Self:
        """Instruments the libraries, so that the ledger sees every new resource."""

    def __exit__(self, *_: object) -> None:
        """Ends tasks and connections of the run, so that they cannot act in another."""

    def prepare(self, scenario: Scenario) -> Scenario:
        """The scenario as this world runs it."""

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs the coroutine and returns its result.

        Raises:
            WorldExhausted: the simulated world took too many turns or waits for ever.
        """

    def activate_choices(self) -> None:
        """Makes the choices of the schedule count, once the engine has started."""

    def moment(self) -> tuple[float, int]:
        """(virtual seconds, turn) for the entries of a history.

        In a live world the seconds stay 0.0, so that claims conclude nothing from time.
        """

    def callback(self) -> int:
        """The number of the callback that runs now, or ran last; 0 in a live world."""

    def computing(self) -> tuple[str, ...]:
        """The functions in which a callback computed for a CPU second or more.

        They hang on the machine, so they are part of no digest. Empty in a live world.
        """

    def post(self, lane: int | None, chain: str, deliver: Callable[[], None]) -> None:
        """Posts the next operation of a lane, a user's or (None) the world's."""

    def launch(
        self,
        coroutine: Coroutine[Any, Any, None],
        *,
        name: str,
        requester: int,
        tracker: StepTracker | None,
    ) -> asyncio.Task[Any]:
        """Creates the task of an operation in a fresh context; counts its steps."""

    def stop_tracking(self, task: asyncio.Task[Any]) -> bool:
        """Stops counting the steps of an ended task; returns whether all were counted.

        False for a task without a tracker, and for one that the world cancelled.
        """

    def in_flight_intervals(self, operation: int) -> Iterable[tuple[str, int, int]]:
        """(kind, turn posted, turn arrived) of each arrival of the operation or world.

        Empty in a live world, which cannot cancel in a given turn.
        """

    async def advance(self, seconds: float, *, stalled: bool) -> None:
        """Lets virtual seconds pass; if stalled, holds back arrivals meanwhile."""

    async def settle(
        self, seconds: float, alive: Callable[[], Iterable[LiveResource]] = tuple
    ) -> tuple[LiveResource, ...]:
        """Lets virtual seconds pass and returns the resources of `alive` then."""

    def close_windows(self, operation: int) -> None:
        """Holds back the bytes for the operation's clients until `open_windows`.

        A live world does nothing.
        """

    def open_windows(self) -> None:
        """Lets the bytes arrive that `close_windows` held back."""

    def live_resources(self) -> Iterable[LiveResource]:
        """The live resources that the cleanup of a user must end."""

    def live_resources_at_end(self) -> Iterable[LiveResource]:
        """Those of `live_resources`, and those that may outlive users, not engines."""

    def release_database(self) -> None:
        """Closes database connections that an engine left open; not in a live world."""

    def choices(self) -> Choices:
        """The choices of this world so far."""
