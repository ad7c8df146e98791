"""The live world: stock asyncio, real loopback sockets, threads and a database file.

The same scenarios, executor and claims as in the simulated world, but nobody decides
the order in which the outside answers: a tiny random delay before each operation and
each completion varies it. What is found here cannot be replayed.

Waiting is cut short: an operation that advances time, and an agent's sleep, take at
most 20 milliseconds, so the time limits of an engine are not reached. Nor does virtual
time pass, so no claim concludes anything from time.
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
from isolation_spec.world.instrumentation import LiveResource
from isolation_spec.world.interface import Choices
from isolation_spec.world.live.database import DEFAULT_URL, LiveDatabase
from isolation_spec.world.live.ledger import LiveLedger
from isolation_spec.world.live.step_counter import StepCounter
from isolation_spec.world.loop import REQUESTER, StepTracker
from isolation_spec.world.model_latency import ModelLatency

__all__ = ["Live", "LiveWorld"]

T = TypeVar("T")

_LONGEST_WAIT = 0.02
_LONGEST_DELAY = 0.002
_LONGEST_SETTLING = 1.0
_QUIET = 0.003
_tokens = itertools.count(1)


class Live(NamedTuple):
    """How live worlds are made: on which database."""

    database: str = DEFAULT_URL

    def world(self, seed: str) -> LiveWorld:
        """A fresh world whose delays come from the seed."""
        return LiveWorld(seed, self.database)


class LiveWorld:
    """Loop, database, ids and ledger of one run in the real world."""

    host = "127.0.0.1"
    limit = 20.0
    toolbox: Toolbox

    def __init__(self, seed: str = "0", database: str = DEFAULT_URL) -> None:
        self.random = random.Random(seed)
        self.reached = ActivityCounters()
        self.moved: Callable[[int, SessionMove, int | None], None] = lambda *_: None
        self.unhandled: Callable[[dict[str, Any]], None] | None = None
        self.threaded: Callable[[str, str], None] = lambda *_: None
        self.database = LiveDatabase(database)
        self.database_url = self.database.url
        self.persistent = self.database.persistent
        self.selector = _CountingSelector()
        self.loop = asyncio.SelectorEventLoop(self.selector)
        self.loop.set_exception_handler(self._handle_unhandled)
        self.ledger = LiveLedger(self.loop, self.database, self.reached, self._move)
        self._delays = random.Random(f"{seed}/delays")
        self._answers = ModelLatency(Scenario(users=(), operations=()))
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
        self.unhandled = None
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

    # What the executor asks

    def prepared(self, scenario: Scenario) -> Scenario:
        """The scenario with short sleeps, and new users if the database is kept."""
        self._schedule = scenario.schedule
        operations = tuple(
            msgspec.structs.replace(one, script=_hurried(one.script))
            if isinstance(one, RunAgent)
            else one
            for one in scenario.operations
        )
        users = scenario.users
        if self.persistent:
            # The prefix is the same for all, so what is alike in their ids stays so.
            ids = (f"{self._token}-{user.id}" for user in users)
            users = tuple(
                msgspec.structs.replace(user, id=name)
                for user, name in zip(users, ids, strict=True)
            )
        hurried = msgspec.structs.replace(scenario, operations=operations, users=users)
        self._answers = ModelLatency(hurried)
        return hurried

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs the coroutine to its end."""
        return self.loop.run_until_complete(main)

    def begin(self) -> None:
        """Nothing to do: there are no choices that could count."""

    def moment(self) -> tuple[float, int]:
        """(0.0, how often the selector was asked so far)."""
        return 0.0, self.selector.asked

    def post(self, lane: int | None, chain: str, deliver: Callable[[], None]) -> None:
        """The operation begins after a delay; a lane posts one at a time."""
        del lane

        def begin() -> None:
            self._note(chain)
            deliver()

        self.loop.call_later(self._delay(), begin)

    def launch(
        self,
        coroutine: Coroutine[Any, Any, None],
        *,
        name: str,
        requester: int,
        aim: StepTracker | None,
    ) -> asyncio.Task[Any]:
        """A task for an operation, in a fresh context; its steps count for the aim."""
        context = contextvars.Context()
        context.run(REQUESTER.set, requester)
        wrapped = coroutine if aim is None else StepCounter(coroutine, aim)
        return self.loop.create_task(wrapped, name=name, context=context)

    def landed(self, task: asyncio.Task[Any]) -> bool:
        """True if an ended task's steps were counted, and no cancellation hit it."""
        stepped = task.get_coro()
        return isinstance(stepped, StepCounter) and not stepped.hit

    def flights(self, operation: int) -> Iterable[tuple[str, int, int]]:
        """None: nothing can be cancelled in a turn of a real loop."""
        return ()

    async def advance(self, seconds: float, *, stalled: bool) -> None:
        """A short while passes; nothing real can be stalled."""
        del stalled
        await asyncio.sleep(min(seconds, _LONGEST_WAIT))

    async def settle(
        self, seconds: float, alive: Callable[[], Iterable[LiveResource]] = tuple
    ) -> tuple[LiveResource, ...]:
        """What of `alive` is left when all is quiet, or one real second has passed.

        Quiet: for three milliseconds the loop had nothing to do, and nobody was in the
        middle of database work.
        """
        until = self.loop.time() + min(seconds, _LONGEST_SETTLING)
        while True:
            quiet = await self._is_quiet()
            left = tuple(alive())
            if (quiet and not left) or self.loop.time() >= until:
                return left

    async def _is_quiet(self) -> bool:
        asked = self.selector.asked
        await asyncio.sleep(_QUIET)
        # Our own sleep asks twice: once to wait, once more before we are woken.
        return self.selector.asked - asked <= 2 and not self.ledger.is_working()

    def hold_back(self, operation: int) -> None:
        """Nothing: the buffers of a real network hold more than any scenario sends."""

    def let_through(self) -> None:
        """Nothing was held back."""

    def alive(self) -> Iterator[LiveResource]:
        """Every live resource that a user's cleanup should end."""
        return self.ledger.alive()

    def alive_at_the_end(self) -> Iterator[LiveResource]:
        """All of `alive`, and what may outlive a user but not the engine."""
        return self.ledger.alive_at_the_end()

    def release_database(self) -> None:
        """Nothing: these connections belong to threads of their own."""

    def choices(self) -> Choices:
        """Nothing was chosen; the order is that of operations and completions."""
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
        """An id that nothing else has, in other runs neither."""
        counter = self._ids.setdefault(kind, itertools.count(1))
        return f"{kind}-{self._token}-{next(counter)}"

    async def completion(self, asked: str = "") -> None:
        """Something outside answers after a tiny delay, or a short one."""
        await asyncio.sleep(self._answers.seconds(asked) or self._delay())
        self._note(Chain.text(REQUESTER.get(), ChainKind.CALL))

    def observe(self) -> Any:
        """A fresh connection that shares nothing with the engine's; close it."""
        return self.database.observe()

    # Helpers

    def _delay(self) -> float:
        """Half of the time none, else up to two milliseconds."""
        drawn = self._delays.random()
        return 0.0 if drawn < 0.5 else (drawn - 0.5) * 2 * _LONGEST_DELAY

    def _note(self, chain: str) -> None:
        self._order.update(chain.encode() + b"\n")

    def _move(self, session: int, move: SessionMove, requester: int | None) -> None:
        if move == SessionMove.BEGAN:
            self._note(f"{requester}/session")
        self.moved(session, move, requester)

    def _handle_unhandled(
        self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        if self.unhandled is not None:
            self.unhandled(context)


class _CountingSelector(selectors.DefaultSelector):
    """Counts how often the loop asks it; asyncio asks once in every turn."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        self.asked += 1
        return super().select(timeout)


def _hurried(script: tuple[Step, ...]) -> tuple[Step, ...]:
    """The script with sleeps and slow answers of at most 20 milliseconds."""
    return tuple(_hurried_step(step) for step in script)


def _hurried_step(step: Step) -> Step:
    match step:
        case Sleep() | Think():
            seconds = min(step.seconds, _LONGEST_WAIT)
            return msgspec.structs.replace(step, seconds=seconds)
        case Spawn():
            return Spawn(script=_hurried(step.script))
        case _:
            return step
