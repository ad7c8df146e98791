"""The simulated world of one run."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import itertools
import random
import sqlite3
import warnings
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Self, TypeVar

from isolation_spec.contract.toolbox import Toolbox
from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.history.states import SessionMove
from isolation_spec.model.scenario import Scenario
from isolation_spec.world.blocking import BlockingCall, BlockingWatch
from isolation_spec.world.cpu_watch import CpuWatch
from isolation_spec.world.database import Databases
from isolation_spec.world.instrumentation import LiveResource
from isolation_spec.world.interface import Choices
from isolation_spec.world.ledger import Ledger
from isolation_spec.world.loop import CURRENT_OPERATION, WorldExhausted
from isolation_spec.world.model_latency import ModelLatency
from isolation_spec.world.network import NetworkLoop
from isolation_spec.world.schedulers.base import Scheduler, Source
from isolation_spec.world.tasks import StepTracker, WorldTask
from isolation_spec.world.thread_watch import ThreadWatch
from isolation_spec.world.waits import replace_waits

__all__ = ["World"]

T = TypeVar("T")


class World:
    """Loop, network, database, clock, ids and ledger of one run; a context manager.

    It is also the environment of the adapter. It depends neither on the wall clock nor
    on chance nor on addresses: the same choices give the same observations.
    """

    host = "127.0.0.1"
    persistent = False
    limit = 600.0
    toolbox: Toolbox

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.activity = ActivityCounters()
        self.random = random.Random(0)
        self.loop = NetworkLoop(scheduler)
        self.databases = Databases(self.loop)
        self.database_url = self.databases.url
        self.moved: Callable[[int, SessionMove, int | None], None] = _ignore
        self.on_thread_start: Callable[[str, str], None] = _ignore_thread
        self.ledger = Ledger(self.loop, self.databases, self.activity, self._move)
        self._lanes: dict[int | None, Source] = {}
        self._latency = ModelLatency(Scenario(users=(), operations=()))
        self._counters: dict[tuple[str, int], itertools.count[int]] = {}
        self._cpu = CpuWatch(self.loop)
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        # A collection in the middle of a run finalises garbage of an earlier run, at a
        # moment that depends on memory. Such finalisers post into the present loop: 3
        # of 30 searches with uniform choice were not reproducible, and 0 of 12 without.
        if gc.isenabled():
            gc.disable()
            self._exit.callback(gc.enable)
        self._exit.enter_context(self.databases)
        self._exit.enter_context(self.ledger)
        self._exit.enter_context(ThreadWatch(self._start_thread))
        replace_waits()
        self._exit.enter_context(BlockingWatch(self.loop))
        self._exit.enter_context(self._cpu)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._drain()
        finally:
            self._exit.close()
            self.databases.close()

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs the coroutine and returns its result.

        Raises:
            WorldExhausted: the run takes too many turns or waits for ever.
        """
        return self.loop.run_until_complete(main)

    # The interface to the execution

    @property
    def on_unhandled(self) -> Callable[[dict[str, Any]], None] | None:
        """Called with the context of an unhandled exception of the loop."""
        return self.loop.on_unhandled

    @on_unhandled.setter
    def on_unhandled(self, listener: Callable[[dict[str, Any]], None] | None) -> None:
        self.loop.on_unhandled = listener

    @property
    def on_blocked(self) -> Callable[[BlockingCall], None] | None:
        """Called with each synchronous wait of a callback."""
        return self.loop.on_blocked

    @on_blocked.setter
    def on_blocked(self, listener: Callable[[BlockingCall], None] | None) -> None:
        self.loop.on_blocked = listener

    def prepare(self, scenario: Scenario) -> Scenario:
        """The scenario itself; its slow model answers take effect."""
        self._latency = ModelLatency(scenario)
        return scenario

    def activate_choices(self) -> None:
        """Makes the choices of the schedule count, once the engine has started."""
        self.scheduler.active = True

    def moment(self) -> tuple[float, int]:
        """(virtual seconds, turn)."""
        return self.loop.time(), self.loop.turn

    def callback(self) -> int:
        """The number of the callback that runs now, or ran last."""
        return self.loop.callback

    def computing(self) -> tuple[str, ...]:
        """The functions in which a callback computed for a CPU second or more."""
        return tuple(self._cpu.functions)

    def post(self, lane: int | None, chain: str, deliver: Callable[[], None]) -> None:
        """Posts the next operation of a lane as one more arrival."""
        source = self._lanes.get(lane)
        if source is None:
            source = self._lanes[lane] = Source("next operation")
        self.scheduler.post(source, chain, deliver)

    def launch(
        self,
        coroutine: Coroutine[Any, Any, None],
        *,
        name: str,
        requester: int,
        tracker: StepTracker | None,
    ) -> WorldTask:
        """Creates the task of an operation in a fresh context; counts its steps."""
        # A fresh context: a variable that one operation sets must not reach another.
        context = contextvars.Context()
        context.run(CURRENT_OPERATION.set, requester)
        task = self.loop.create_task(coroutine, name=name, context=context)
        if tracker is not None:
            self.loop.trackers[task] = tracker
        return task

    def stop_tracking(self, task: asyncio.Task[Any]) -> bool:
        """Stops counting the steps of an ended task; returns whether all counted."""
        assert isinstance(task, WorldTask)
        return self.loop.stop_tracking(task)

    def in_flight_intervals(self, operation: int) -> Iterator[tuple[str, int, int]]:
        """Yields (kind, turn posted, turn arrived) of arrivals of it or the world."""
        return self.loop.in_flight_intervals(operation)

    async def advance(self, seconds: float, *, stalled: bool) -> None:
        """Lets virtual seconds pass; if stalled, holds back arrivals meanwhile."""
        if stalled:
            self.loop.stall(seconds)
        await asyncio.sleep(seconds)

    async def settle(
        self, seconds: float, alive: Callable[[], Iterable[LiveResource]] = tuple
    ) -> tuple[LiveResource, ...]:
        """Lets virtual seconds pass and returns the resources of `alive` then."""
        # SQLAlchemy closes cancelled connections in shielded background tasks, which
        # would look like leaks before they have come to their end.
        await asyncio.sleep(seconds)
        return tuple(alive())

    def close_windows(self, operation: int) -> None:
        """Closes the receive windows of the operation's clients.

        A client that never reads has the same effect: the server's buffers fill up.
        """
        for transport in self.loop.network.transports:
            if transport.requester == operation and transport.is_client:
                transport.incoming.close_window()

    def open_windows(self) -> None:
        """Opens all receive windows."""
        for transport in tuple(self.loop.network.transports):
            transport.incoming.open_window()

    def live_resources(self) -> Iterator[LiveResource]:
        """The live resources that the cleanup of a user must end."""
        return self.ledger.live_resources()

    def live_resources_at_end(self) -> Iterator[LiveResource]:
        """Those of `live_resources`, and those that may outlive users, not engines."""
        return self.ledger.live_resources_at_end()

    def release_database(self) -> None:
        """Closes the native database connections that an engine left open."""
        self.databases.release()

    def choices(self) -> Choices:
        """The choices of the scheduler so far."""
        scheduler = self.scheduler
        order = tuple(scheduler.arrived)
        return Choices(
            scheduler.executed_schedule(),
            scheduler.unused_choices(),
            scheduler.order_digest(),
            scheduler.choices,
            order,
        )

    def _start_thread(self, name: str, place: str) -> None:
        self.on_thread_start(name, place)

    def _move(self, session: int, move: SessionMove, requester: int | None) -> None:
        self.moved(session, move, requester)

    def _drain(self) -> None:
        """Cancels tasks and closes sockets, so that they cannot act in a later run.

        A cancelled task may start others, hence several rounds.
        """
        self.loop.on_unhandled = None
        self.loop.release()
        self.loop.end_jobs()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(5):
                tasks = sorted(asyncio.all_tasks(self.loop), key=hash)
                if not tasks:
                    break
                for task in tasks:
                    task.cancel()
                try:
                    self.loop.turn = 0
                    self.loop.run_until_complete(asyncio.wait(tasks, timeout=30))
                except (WorldExhausted, RuntimeError):
                    # RuntimeError: an interrupt came as the run had just ended, and the
                    # loop still holds the order to stop that its end had given.
                    continue
            for transport in tuple(self.loop.network.transports):
                transport.close_socket()
            self.loop.close()

    # The environment of an adapter

    def time(self) -> float:
        """Virtual seconds since the world began."""
        return self.loop.time()

    def new_id(self, kind: str) -> str:
        """`kind-3.1`, `kind-3.2` and so on for operation 3; operation 0 is the world.

        Each operation has its own counter, so the operations of other users do not
        change a user's ids.
        """
        requester = CURRENT_OPERATION.get() or 0
        counter = self._counters.setdefault((kind, requester), itertools.count(1))
        return f"{kind}-{requester}.{next(counter)}"

    async def completion(self, asked: str = "") -> None:
        """Returns as an external answer arrives.

        The scheduler chooses the moment, or the scenario if it has a latency for the
        prompt `asked`.
        """
        seconds = self._latency.seconds(asked)
        if seconds:
            await asyncio.sleep(seconds)
        else:
            await self.loop.completion()

    def observe(self) -> sqlite3.Connection:
        """A fresh connection, independent of the engine's; the caller closes it."""
        return self.databases.observe()


def _ignore(session: int, move: SessionMove, requester: int | None) -> None:
    """Ignores the moves of sessions in a world without a recorder."""


def _ignore_thread(name: str, place: str) -> None:
    """Ignores the threads of a world without a recorder."""
