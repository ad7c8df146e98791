"""An event loop whose outside is simulated: time, sockets and threads.

The ready queue is asyncio's own and stays first in, first out. A *turn* is one run of
it. Between two turns, what a selector would have reported may come in: arrivals, chosen
by the scheduler, and timers, which fire only when virtual time advances. Permuting
ready callbacks, as other simulated loops do, explores schedules that asyncio forbids:
measured on clean websockets echoes, 10 false leaks in 300.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import threading
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from typing import Any

from isolation_spec.model.scenario import Cancellation, Chain, ChainKind
from isolation_spec.world.schedulers.base import Scheduler, Source

__all__ = [
    "REQUESTER",
    "StepTracker",
    "WorldExhausted",
    "WorldLoop",
    "WorldTask",
    "settle",
]

_POLLED = 100
"""After so many busy turns in which nothing arrived, the outside is asked all the
same."""
_PATIENCE = 2000
"""After so many, time passes: short of that an engine is at work, not polling, and a
timer of minutes that fires under its hands would be no schedule of asyncio's."""

REQUESTER: contextvars.ContextVar[int | None] = contextvars.ContextVar(
    "isolation_spec_requester", default=None
)
"""The id of the operation for which the current code runs; never seen by an engine."""


class WorldExhausted(BaseException):
    """The run took more turns than it may: something in it never comes to rest.

    A BaseException, so that no engine's `except Exception` can swallow it.
    """


class WorldTask(asyncio.Task[Any]):
    """A task that hashes by its creation number.

    TaskGroup, `asyncio.wait` and `all_tasks` iterate over sets of tasks; hashed by
    address, 50 identical runs gave 49 orders of cancellation.
    """

    number: int
    owner: int | None
    origin: str

    def __hash__(self) -> int:
        return self.number


class StepTracker:
    """A task whose steps are counted, and which may be cancelled around one of them.

    Attributes:
        steps: how many it made so far.
        handed: (step, owner) of each step before which it waited for another
            operation: arrivals came in meanwhile, not one of them its own, and no time
            passed. The owner is that of the last arrival, None for the world.
        turns: the turn of each of its steps.
    """

    __slots__ = ("_since", "cancellation", "delivered", "handed", "steps", "turns")

    def __init__(
        self,
        cancellation: Cancellation | None,
        delivered: Callable[[asyncio.Task[Any]], None],
    ) -> None:
        self.cancellation = cancellation
        self.delivered = delivered
        self.steps = 0
        self.handed: list[tuple[int, int | None]] = []
        self.turns: list[int] = []
        self._since = (0, 0.0)

    def step(
        self, owner: int | None, arrived: Sequence[str], now: float, turn: int
    ) -> None:
        """Counts one more step of a task of this owner."""
        self.steps += 1
        self.turns.append(turn)
        (first, then), self._since = self._since, (len(arrived), now)
        meanwhile = arrived[first:]
        if meanwhile and then == now:
            owners = [chain.owner for chain in map(Chain.parse, meanwhile)]
            if owner not in owners:
                self.handed.append((self.steps, owners[-1]))


class WorldLoop(asyncio.BaseEventLoop):
    """One loop for one run; everything in it happens in one thread.

    Raises:
        WorldExhausted: from `run_until_complete`, after `most_turns` turns.
    """

    # Of asyncio's own state, what is touched here; the tests watch each of these names.
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _timer_cancelled_count: int
    _stopping: bool
    _thread_id: int | None
    _asyncgens: weakref.WeakSet[AsyncGenerator[Any, Any]]

    def __init__(self, scheduler: Scheduler, *, most_turns: int = 100_000) -> None:
        super().__init__()
        self.scheduler = scheduler
        self.turn = 0
        self.aims: dict[WorldTask, StepTracker] = {}
        self._due: dict[WorldTask, int] = {}
        self.unhandled: Callable[[dict[str, Any]], None] | None = None
        self._most_turns = most_turns
        self._now = 0.0
        self._busy_turns = 0
        self._clock_resolution = 1e-9
        self._stalled_until = 0.0
        self._tasks_created = 0
        self._ordinals: dict[tuple[int | None, str], int] = {}
        self._burst = scheduler.schedule.burst
        self.set_exception_handler(self._handle_unhandled)

    # The turn

    def _run_once(self) -> None:
        self.turn += 1
        if self.turn > self._most_turns:
            message = f"no rest after {self._most_turns} turns"
            raise WorldExhausted(message)
        self.scheduler.turn = self.turn
        if self._due:
            self._hit_what_is_due()
        self._receive()
        self._fire_timers()
        ready, aims = self._ready, self.aims
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            if aims:
                self._run_aimed(handle)
            else:
                handle._run()

    def _receive(self) -> None:
        """Lets in one arrival when idle, and up to `burst` more in any turn."""
        self._busy_turns = self._busy_turns + 1 if self._ready else 0
        if self._now < self._stalled_until:
            self._advance_when_idle(self._busy_turns % _PATIENCE == 0)
            return
        # Who polls with `sleep(0)` sees the outside answer, and time pass.
        idle = self._busy_turns % _POLLED == 0
        allowed = self._burst + idle
        delivered: dict[Source, None] = {}
        while len(delivered) < allowed:
            arrival = self.scheduler.take(delivered)
            if arrival is None:
                break
            # One arrival for each source a turn: a selector reads a descriptor once.
            delivered[arrival.source] = None
            arrival.deliver()
        if delivered:
            self._busy_turns = 0
        else:
            self._advance_when_idle(self._busy_turns % _PATIENCE == 0)

    def _advance_when_idle(self, idle: bool) -> None:
        if not idle or self._stopping:
            return
        scheduled = self._scheduled
        while scheduled and scheduled[0].cancelled():
            self._timer_cancelled_count -= 1
            heapq.heappop(scheduled)._scheduled = False  # type: ignore[attr-defined]
        stalled = self._now < self._stalled_until
        if scheduled and not (stalled and scheduled[0].when() > self._stalled_until):
            self._now = max(self._now, scheduled[0].when())
        elif stalled:
            self._now = self._stalled_until
        elif not self.scheduler.pending() and not self._ready:
            message = "nothing is ready, pending or scheduled: the run waits for ever"
            raise WorldExhausted(message)

    def _fire_timers(self) -> None:
        scheduled = self._scheduled
        while scheduled and scheduled[0].when() <= self._now:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False  # type: ignore[attr-defined]
            if handle.cancelled():
                self._timer_cancelled_count -= 1
            else:
                self._ready.append(handle)

    def _run_aimed(self, handle: asyncio.Handle) -> None:
        """Runs a handle; cancels before or after it if it is the step aimed at."""
        callback = handle._callback  # type: ignore[attr-defined]
        task = getattr(callback, "__self__", None)
        aim = self.aims.get(task) if isinstance(task, WorldTask) else None
        if aim is None or not isinstance(task, WorldTask):
            handle._run()
            return
        aim.step(task.owner, self.scheduler.arrived, self._now, self.turn)
        cancel = aim.cancellation
        if cancel is None or aim.steps != cancel.step:
            handle._run()
        elif cancel.after_step:
            handle._run()
            if not task.done():
                self._strike(task, aim)
        else:
            self._hit(task, aim)
            handle._run()

    def _strike(self, task: WorldTask, aim: StepTracker) -> None:
        """Cancels at once, or so many turns from now as the cancellation says."""
        assert aim.cancellation is not None
        if aim.cancellation.turns:
            self._due[task] = self.turn + aim.cancellation.turns
        else:
            self._hit(task, aim)

    def _hit_what_is_due(self) -> None:
        for task, turn in tuple(self._due.items()):
            if turn <= self.turn:
                del self._due[task]
                self._hit(task, self.aims[task])

    def landed(self, task: WorldTask) -> bool:
        """True if an ended task's steps were counted, and no cancellation hit it."""
        self._due.pop(task, None)
        return self.aims.pop(task, None) is not None

    def flights(self, owner: int) -> Iterator[tuple[str, int, int]]:
        """Yields (kind, turns in which it was asked for, and came) of each arrival for
        this operation, or for none, as what works for all may ask it."""
        chains = map(Chain.parse, self.scheduler.arrived)
        for (asker, kind, _), turns in zip(chains, self.scheduler.flights, strict=True):
            if asker == owner or asker is None:
                yield kind, *turns

    def _hit(self, task: WorldTask, aim: StepTracker) -> None:
        del self.aims[task]
        aim.delivered(task)
        task.cancel()

    # Time

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def stall(self, seconds: float) -> None:
        """Nothing arrives from outside for so many virtual seconds; timers fire."""
        self._stalled_until = max(self._stalled_until, self._now + seconds)

    def live_timers(self) -> list[asyncio.TimerHandle]:
        """The timers that are scheduled and not cancelled, in order of their time."""
        return sorted(handle for handle in self._scheduled if not handle.cancelled())

    # Arrivals

    def chain(self, kind: str) -> str:
        """The name of the chain for what the current operation asks of the outside."""
        return Chain.text(REQUESTER.get(), kind)

    def new_chain(self, kind: str) -> str:
        """Like `chain`, for a further stream of its own: the second one is `.../1`."""
        requester = REQUESTER.get()
        ordinal = self._ordinals.get((requester, kind), 0)
        self._ordinals[requester, kind] = ordinal + 1
        return Chain.text(requester, kind, ordinal)

    async def completion(self) -> None:
        """Something outside answers; when, the scheduler decides."""
        await self.run_in_executor(None, _nothing)

    # What asyncio asks of a loop

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        **_: Any,
    ) -> WorldTask:
        """A task that knows its number, its requester and where it came from."""
        self._tasks_created += 1
        number = self._tasks_created
        # The name is given, as the default one counts up over the whole process. The
        # task is numbered as it is made: its constructor already puts it in a set.
        task = WorldTask.__new__(WorldTask)
        task.number = number
        task.owner = REQUESTER.get() if context is None else context.get(REQUESTER)
        task.origin = getattr(coro, "__qualname__", type(coro).__name__)
        WorldTask.__init__(
            task, coro, loop=self, name=name or f"task-{number}", context=context
        )
        return task

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """The function runs at the instant at which its completion arrives."""
        future = self.create_future()

        def complete() -> None:
            try:
                result = func(*args)
            except BaseException as error:
                self.call_soon(settle, future, None, error)
            else:
                self.call_soon(settle, future, result, None)

        source = Source("executor job")
        self.scheduler.post(source, self.new_chain(ChainKind.CALL), complete)
        return future

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Like `call_soon`; another thread is refused, as its timing is not ours."""
        if threading.get_ident() != self._thread_id:
            message = (
                "a real thread called into the simulated loop: run its work through "
                "loop.run_in_executor or asyncio.to_thread, which the world schedules"
            )
            raise RuntimeError(message)
        return self.call_soon(callback, *args, context=context)

    def _write_to_self(self) -> None:
        """There is no selector to wake."""

    def _process_events(self, event_list: Any) -> None:
        """There is no selector that reports events."""

    def _handle_unhandled(
        self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        if self.unhandled is not None:
            self.unhandled(context)


def _nothing() -> None:
    """The work of an executor job of which only the completion matters."""


def settle(
    future: asyncio.Future[Any], result: Any, error: BaseException | None
) -> None:
    """Gives a future its result or error unless it is done, cancelled for example."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
