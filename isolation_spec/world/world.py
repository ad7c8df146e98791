"""One deterministic world, in which one scenario is run once."""

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
from isolation_spec.world.database import Databases
from isolation_spec.world.instrumentation import LiveResource
from isolation_spec.world.interface import Choices
from isolation_spec.world.ledger import Ledger
from isolation_spec.world.loop import REQUESTER, StepTracker, WorldExhausted, WorldTask
from isolation_spec.world.model_latency import ModelLatency
from isolation_spec.world.network import NetworkLoop
from isolation_spec.world.schedulers.base import Scheduler, Source
from isolation_spec.world.thread_watch import ThreadWatch

__all__ = ["World"]

T = TypeVar("T")


class World:
    """Loop, network, database, clock, ids and ledger of one run; a context manager.

    It is the environment of an adapter, too. Nothing in it depends on the wall clock,
    on chance or on addresses: the same choices give the same observations.
    """

    host = "127.0.0.1"
    persistent = False
    limit = 600.0
    toolbox: Toolbox

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.reached = ActivityCounters()
        self.random = random.Random(0)
        self.loop = NetworkLoop(scheduler)
        self.databases = Databases(self.loop)
        self.database_url = self.databases.url
        self.moved: Callable[[int, SessionMove, int | None], None] = _ignore
        self.threaded: Callable[[str, str], None] = _ignore_thread
        self.ledger = Ledger(self.loop, self.databases, self.reached, self._move)
        self._lanes: dict[int | None, Source] = {}
        self._answers = ModelLatency(Scenario(users=(), operations=()))
        self._counters: dict[tuple[str, int], itertools.count[int]] = {}
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        # Collected in the middle of a run, the garbage of an earlier one would act in
        # this one at a moment that depends on the allocation of memory.
        if gc.isenabled():
            gc.disable()
            self._exit.callback(gc.enable)
        self._exit.enter_context(self.databases)
        self._exit.enter_context(self.ledger)
        self._exit.enter_context(ThreadWatch(self._start_thread))
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._drain()
        finally:
            self._exit.close()
            self.databases.close()

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs the coroutine to its end; raises WorldExhausted if it has none."""
        return self.loop.run_until_complete(main)

    # What the executor asks

    @property
    def unhandled(self) -> Callable[[dict[str, Any]], None] | None:
        """Takes what the exception handler of the loop is given."""
        return self.loop.unhandled

    @unhandled.setter
    def unhandled(self, listener: Callable[[dict[str, Any]], None] | None) -> None:
        self.loop.unhandled = listener

    def prepared(self, scenario: Scenario) -> Scenario:
        """The scenario itself."""
        self._answers = ModelLatency(scenario)
        return scenario

    def begin(self) -> None:
        """The engine is started: from now on the choices count."""
        self.scheduler.active = True

    def moment(self) -> tuple[float, int]:
        """(virtual seconds, turn)."""
        return self.loop.time(), self.loop.turn

    def post(self, lane: int | None, chain: str, deliver: Callable[[], None]) -> None:
        """The lane's next operation is one more arrival."""
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
        aim: StepTracker | None,
    ) -> WorldTask:
        """A task for an operation, in a fresh context; its steps count for the aim."""
        context = contextvars.Context()
        context.run(REQUESTER.set, requester)
        task = self.loop.create_task(coroutine, name=name, context=context)
        if aim is not None:
            self.loop.aims[task] = aim
        return task

    def landed(self, task: asyncio.Task[Any]) -> bool:
        """True if an ended task's steps were counted, and no cancellation hit it."""
        assert isinstance(task, WorldTask)
        return self.loop.landed(task)

    def flights(self, operation: int) -> Iterator[tuple[str, int, int]]:
        """Yields (kind, turns of it) of what was asked for it, or for nobody."""
        return self.loop.flights(operation)

    async def advance(self, seconds: float, *, stalled: bool) -> None:
        """Virtual seconds pass; stalled, nothing arrives from outside meanwhile."""
        if stalled:
            self.loop.stall(seconds)
        await asyncio.sleep(seconds)

    async def settle(
        self, seconds: float, alive: Callable[[], Iterable[LiveResource]] = tuple
    ) -> tuple[LiveResource, ...]:
        """What of `alive` is left when so many virtual seconds have passed."""
        await asyncio.sleep(seconds)
        return tuple(alive())

    def hold_back(self, operation: int) -> None:
        """Nothing more reaches the connections of the operation, until `let_through`:
        their windows are closed, as those of a reader who does not read."""
        for transport in self.loop.network.transports:
            if transport.requester == operation and transport.is_client:
                transport.incoming.close_window()

    def let_through(self) -> None:
        """What was held back may arrive."""
        for transport in tuple(self.loop.network.transports):
            transport.incoming.open_window()

    def alive(self) -> Iterator[LiveResource]:
        """Every live resource that a user's cleanup should end."""
        return self.ledger.alive()

    def alive_at_the_end(self) -> Iterator[LiveResource]:
        """All of `alive`, and what may outlive a user but not the engine."""
        return self.ledger.alive_at_the_end()

    def release_database(self) -> None:
        """Closes the native connections that an engine left open."""
        self.databases.release()

    def choices(self) -> Choices:
        """What the scheduler did so far."""
        made = self.scheduler
        order = tuple(made.arrived)
        return Choices(
            made.followed(), made.unused(), made.order(), made.choices, order
        )

    def _start_thread(self, what: str, place: str) -> None:
        self.threaded(what, place)

    def _move(self, session: int, move: SessionMove, requester: int | None) -> None:
        self.moved(session, move, requester)

    def _drain(self) -> None:
        """Ends what is left, so that nothing of this run acts in a later one."""
        self.loop.unhandled = None
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
                    # The latter where an interrupt hit a run that had just ended: the
                    # loop still holds the order to stop that its end had given.
                    continue
            for transport in tuple(self.loop.network.transports):
                transport.hang_up()
            self.loop.close()

    # The environment of an adapter

    def time(self) -> float:
        """Virtual seconds since the world began."""
        return self.loop.time()

    def new_id(self, kind: str) -> str:
        """kind-3.1, kind-3.2 and so on for operation 3, and 0 for none.

        Counted for each operation, so that a user's ids are the same whatever others
        do.
        """
        requester = REQUESTER.get() or 0
        counter = self._counters.setdefault((kind, requester), itertools.count(1))
        return f"{kind}-{requester}.{next(counter)}"

    async def completion(self, asked: str = "") -> None:
        """Something outside answers; the scheduler decides when, or the scenario."""
        seconds = self._answers.seconds(asked)
        if seconds:
            await asyncio.sleep(seconds)
        else:
            await self.loop.completion()

    def observe(self) -> sqlite3.Connection:
        """A fresh connection that shares nothing with the engine's; close it."""
        return self.databases.observe()


def _ignore(session: int, move: SessionMove, requester: int | None) -> None:
    """Takes the moves of sessions of a world in which nobody records them."""


def _ignore_thread(what: str, place: str) -> None:
    """Takes what a thread is, of a world in which nobody records it."""
