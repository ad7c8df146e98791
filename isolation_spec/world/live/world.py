"""The live world: stock asyncio, real loopback sockets, threads and a database file.

Scenarios, execution and claims are those of the simulated world, but the order of
external completions is real. A tiny random delay before each operation and each
completion varies it. Violations found here cannot be replayed.

Waits are short: an operation that advances time and an agent's sleep take at most 20
milliseconds, so no run reaches the time limits of its engine. Virtual time does not
pass, so claims conclude nothing from time.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import os
import random
import selectors
import warnings
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import ExitStack
from hashlib import blake2s
from typing import Any, NamedTuple, Self, TypeVar

import msgspec

from isolation_spec.contract.toolbox import Toolbox
from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.history.states import SessionMove
from isolation_spec.model.scenario import (
    Chain,
    ChainKind,
    RunAgent,
    Scenario,
    Schedule,
    Sleep,
    Spawn,
    Step,
    Think,
)
from isolation_spec.world.blocking import BlockingCall
from isolation_spec.world.instrumentation import LiveResource
from isolation_spec.world.interface import Choices
from isolation_spec.world.live.database import DEFAULT_URL, LiveDatabase
from isolation_spec.world.live.ledger import LiveLedger
from isolation_spec.world.live.step_counter import StepCounter
from isolation_spec.world.loop import CURRENT_OPERATION
from isolation_spec.world.model_latency import ModelLatency
from isolation_spec.world.tasks import StepTracker

__all__ = ["Live", "LiveWorld"]

T = TypeVar("T")

_LONGEST_WAIT = 0.02
"""Seconds that a sleep or a slow answer of a scenario takes at most."""
_LONGEST_DELAY = 0.002
"""Seconds before an operation or a completion, at most."""
_LONGEST_SETTLING = 1.0
"""Seconds after which a live resource counts as left behind."""
_QUIET = 0.003
"""Seconds without work after which the loop counts as quiet."""
_tokens = itertools.count(1)


class Live(NamedTuple):
    """The settings of live worlds: the URL of their database."""

    database: str = DEFAULT_URL

    def world(self, seed: str) -> LiveWorld:
        """A fresh world whose delays come from the seed."""
        return LiveWorld(seed, self.database)


class LiveWorld:
    """Loop, database, ids and ledger of one run in real time; a context manager."""

    host = "127.0.0.1"
    limit = 20.0
    toolbox: Toolbox

    def __init__(self, seed: str = "0", database: str = DEFAULT_URL) -> None:
        self.random = random.Random(seed)
        self.activity = ActivityCounters()
        self.moved: Callable[[int, SessionMove, int | None], None] = lambda *_: None
        self.on_unhandled: Callable[[dict[str, Any]], None] | None = None
        self.on_thread_start: Callable[[str, str], None] = lambda *_: None
        self.on_blocked: Callable[[BlockingCall], None] | None = None
        self.database = LiveDatabase(database)
        self.database_url = self.database.url
        self.persistent = self.database.persistent
        self.selector = _CountingSelector()
        self.loop = asyncio.SelectorEventLoop(self.selector)
        self.loop.set_exception_handler(self._handle_unhandled)
        self.ledger = LiveLedger(self.loop, self.database, self.activity, self._move)
        self._delays = random.Random(f"{seed}/delays")
        self._latency = ModelLatency(Scenario(users=(), operations=()))
        self._token = f"{os.getpid()}-{next(_tokens)}"
        self._ids: dict[str, itertools.count[int]] = {}
        self._schedule = Schedule()
        self._order = blake2s(digest_size=16)
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        self._exit.enter_context(self.database)
        self._exit.enter_context(self.ledger)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._drain()
        finally:
            self._exit.close()

    def _drain(self) -> None:
        self.on_unhandled = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(5):
                tasks = asyncio.all_tasks(self.loop)
                if not tasks:
                    break
                for task in tasks:
                    task.cancel()
                self.loop.run_until_complete(asyncio.wait(tasks, timeout=1))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

    # The interface to the execution

    def prepare(self, scenario: Scenario) -> Scenario:
        """The scenario with short waits; a persistent database also gets new users."""
        self._schedule = scenario.schedule
        operations = tuple(
            msgspec.structs.replace(one, script=_shorten_waits(one.script))
            if isinstance(one, RunAgent)
            else one
            for one in scenario.operations
        )
        users = scenario.users
        if self.persistent:
            # All ids get the same prefix, so confusable ids stay confusable.
            ids = (f"{self._token}-{user.id}" for user in users)
            users = tuple(
                msgspec.structs.replace(user, id=name)
                for user, name in zip(users, ids, strict=True)
            )
        shortened = msgspec.structs.replace(
            scenario, operations=operations, users=users
        )
        self._latency = ModelLatency(shortened)
        return shortened

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs the coroutine and returns its result."""
        return self.loop.run_until_complete(main)

    def activate_choices(self) -> None:
        """Does nothing: a live world has no choices."""

    def moment(self) -> tuple[float, int]:
        """(0.0, the number of turns so far)."""
        return 0.0, self.selector.turns

    def callback(self) -> int:
        """Always 0: stock asyncio does not number its callbacks."""
        return 0

    def computing(self) -> tuple[str, ...]:
        """Nothing: no callback of stock asyncio is watched."""
        return ()

    def post(self, lane: int | None, chain: str, deliver: Callable[[], None]) -> None:
        """Begins the operation after a random delay; a lane posts one at a time."""
        del lane

        def begin() -> None:
            self._record_arrival(chain)
            deliver()

        self.loop.call_later(self._delay(), begin)

    def launch(
        self,
        coroutine: Coroutine[Any, Any, None],
        *,
        name: str,
        requester: int,
        tracker: StepTracker | None,
    ) -> asyncio.Task[Any]:
        """Creates the task of an operation in a fresh context; counts its steps."""
        context = contextvars.Context()
        context.run(CURRENT_OPERATION.set, requester)
        wrapped = coroutine if tracker is None else StepCounter(coroutine, tracker)
        return self.loop.create_task(wrapped, name=name, context=context)

    def stop_tracking(self, task: asyncio.Task[Any]) -> bool:
        """Stops counting the steps of an ended task; returns whether all counted."""
        counter = task.get_coro()
        return isinstance(counter, StepCounter) and not counter.is_delivered

    def in_flight_intervals(self, operation: int) -> Iterable[tuple[str, int, int]]:
        """Empty: a live world cannot cancel in a given turn."""
        return ()

    async def advance(self, seconds: float, *, stalled: bool) -> None:
        """Lets at most 20 milliseconds pass; real arrivals cannot be held back."""
        del stalled
        await asyncio.sleep(min(seconds, _LONGEST_WAIT))

    async def settle(
        self, seconds: float, alive: Callable[[], Iterable[LiveResource]] = tuple
    ) -> tuple[LiveResource, ...]:
        """Returns the resources of `alive` once there are none or one second passed.

        It returns early only if the loop is quiet: for three milliseconds it had no
        work, and no database session was open.
        """
        until = self.loop.time() + min(seconds, _LONGEST_SETTLING)
        while True:
            quiet = await self._is_quiet()
            left = tuple(alive())
            if (quiet and not left) or self.loop.time() >= until:
                return left

    async def _is_quiet(self) -> bool:
        before = self.selector.turns
        await asyncio.sleep(_QUIET)
        # The sleep itself takes two turns: one to wait and one to wake this task.
        return self.selector.turns - before <= 2 and not self.ledger.is_working()

    def close_windows(self, operation: int) -> None:
        """Does nothing: real buffers hold more than any scenario sends."""

    def open_windows(self) -> None:
        """Does nothing: no bytes were held back."""

    def live_resources(self) -> Iterator[LiveResource]:
        """The live resources that the cleanup of a user must end."""
        return self.ledger.live_resources()

    def live_resources_at_end(self) -> Iterator[LiveResource]:
        """Those of `live_resources`, and those that may outlive users, not engines."""
        return self.ledger.live_resources_at_end()

    def release_database(self) -> None:
        """Does nothing: real connections belong to threads of their own."""

    def choices(self) -> Choices:
        """No choices; all those of the schedule are unused.

        The digest covers the order of operations and completions.
        """
        ignored = (
            *self._schedule.classes,
            *(d.chain for d in self._schedule.demotions),
        )
        unused = tuple(f"choice for {chain}" for chain in ignored)
        return Choices(self._schedule, unused, self._order.hexdigest(), 0)

    # The environment of an adapter

    def time(self) -> float:
        """Real seconds, monotonic."""
        return self.loop.time()

    def new_id(self, kind: str) -> str:
        """An id that is unique, also among the ids of other runs."""
        counter = self._ids.setdefault(kind, itertools.count(1))
        return f"{kind}-{self._token}-{next(counter)}"

    async def completion(self, asked: str = "") -> None:
        """Returns after a random delay, or after the latency of the prompt `asked`."""
        await asyncio.sleep(self._latency.seconds(asked) or self._delay())
        self._record_arrival(Chain.text(CURRENT_OPERATION.get(), ChainKind.CALL))

    def observe(self) -> Any:
        """A fresh connection, independent of the engine's; the caller closes it."""
        return self.database.observe()

    # Helpers

    def _delay(self) -> float:
        """No delay in half of the cases, else up to two milliseconds."""
        drawn = self._delays.random()
        return 0.0 if drawn < 0.5 else (drawn - 0.5) * 2 * _LONGEST_DELAY

    def _record_arrival(self, chain: str) -> None:
        self._order.update(chain.encode() + b"\n")

    def _move(self, session: int, move: SessionMove, requester: int | None) -> None:
        if move == SessionMove.BEGAN:
            self._record_arrival(f"{requester}/session")
        self.moved(session, move, requester)

    def _handle_unhandled(
        self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        if self.on_unhandled is not None:
            self.on_unhandled(context)


class _CountingSelector(selectors.DefaultSelector):
    """Counts the turns of the loop: asyncio calls `select` once in each."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = 0

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        return super().select(timeout)


def _shorten_waits(script: tuple[Step, ...]) -> tuple[Step, ...]:
    """The script with sleeps and model latencies of at most 20 milliseconds."""
    return tuple(_shorten_step(step) for step in script)


def _shorten_step(step: Step) -> Step:
    match step:
        case Sleep() | Think():
            seconds = min(step.seconds, _LONGEST_WAIT)
            return msgspec.structs.replace(step, seconds=seconds)
        case Spawn():
            return Spawn(script=_shorten_waits(step.script))
        case _:
            return step
