"""An event loop with simulated time, sockets and threads.

The ready queue is asyncio's own and stays first in, first out. A *turn* is one run of
it. Before each turn the loop takes in the events that a selector would report. These
are arrivals, which the scheduler chooses, and timers, which fire only when virtual time
advances.

Other simulated loops permute the ready callbacks. asyncio promises their order, so
such a loop explores schedules that cannot happen: in 300 clean websockets echoes it
reported 10 or 11 leaked tasks, and this loop not one.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import math
import threading
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from functools import partial
from typing import Any

from isolation_spec.model.scenario import Chain, ChainKind
from isolation_spec.world.blocking import BlockingCall
from isolation_spec.world.jobs import Attempt, JobRunner
from isolation_spec.world.schedulers.base import Scheduler, Source
from isolation_spec.world.tasks import StepTracker, WorldTask

__all__ = [
    "CURRENT_OPERATION",
    "WorldExhausted",
    "WorldLoop",
    "complete_future",
]

_BUSY_TURNS_BEFORE_ARRIVAL = 100
"""Busy turns without an arrival after which the loop takes one in although it is busy.

Code that polls with `sleep(0)` keeps the loop busy until the answer arrives.
"""
_BUSY_TURNS_BEFORE_TIME = 2000
"""Busy turns without an arrival after which virtual time advances.

In fewer turns than that an engine is at work, not polling. A timer of minutes that
fires meanwhile would be a schedule that asyncio never shows.
"""

CURRENT_OPERATION: contextvars.ContextVar[int | None] = contextvars.ContextVar(
    "isolation_spec_requester", default=None
)
"""The id of the operation for which the current code runs; engines cannot see it."""


class WorldExhausted(BaseException):
    """Raised when a run takes more turns than allowed, or waits for ever.

    It is a BaseException, so that an engine's `except Exception` cannot swallow it.
    """


class WorldLoop(asyncio.BaseEventLoop):
    """One loop for one run, which happens in one thread.

    Arguments:
        scheduler: chooses the order of arrivals.
        most_turns: the turns after which `run_until_complete` raises WorldExhausted.

    Attributes:
        turn: the number of the present turn.
        trackers: the trackers of tasks whose steps are counted.
        callback: the number of the present callback.
        in_callback: whether callbacks run now, rather than arrivals and timers.
        on_unhandled: called with the context of each exception that reaches the
            loop's exception handler.
        on_blocked: called with each synchronous wait of a callback.
    """

    # The private state of asyncio that this class uses; canary tests watch the names.
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
        self.callback = 0
        self.trackers: dict[WorldTask, StepTracker] = {}
        self._due_turns: dict[WorldTask, int] = {}
        self.on_unhandled: Callable[[dict[str, Any]], None] | None = None
        self.on_blocked: Callable[[BlockingCall], None] | None = None
        self._jobs = JobRunner()
        self._held = ""
        self._held_once = 0
        self._most_turns = most_turns
        self._now = 0.0
        self.in_callback = False
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
        if self._held:
            raise WorldExhausted(self._held)
        self.scheduler.turn = self.turn
        self._jobs.resume(self._now)
        if self._due_turns:
            self._deliver_due_cancellations()
        self._receive()
        self._fire_timers()
        ready, trackers = self._ready, self.trackers
        self.in_callback = True
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            self.callback += 1
            # Without trackers the look-up of the task is skipped in every step.
            if trackers:
                self._run_tracked(handle)
            else:
                handle._run()
        self.in_callback = False

    def _receive(self) -> None:
        """Takes in one arrival when idle, and up to `burst` more in any turn."""
        self._busy_turns = self._busy_turns + 1 if self._ready else 0
        if self._now < self._stalled_until:
            self._advance_when_idle(self._busy_turns % _BUSY_TURNS_BEFORE_TIME == 0)
            return
        idle = self._busy_turns % _BUSY_TURNS_BEFORE_ARRIVAL == 0
        allowed = self._burst + idle
        delivered: dict[Source, None] = {}
        while len(delivered) < allowed:
            arrival = self.scheduler.take(delivered)
            if arrival is None:
                break
            # A selector reports a descriptor once a turn, so each source has at most
            # one arrival a turn. Without this rule the end of a stream was delivered
            # before the reader's task had run in 145 of 300 schedules; stock asyncio
            # never showed that in 300 runs.
            delivered[arrival.source] = None
            arrival.deliver()
        if delivered:
            self._busy_turns = 0
        else:
            self._advance_when_idle(self._busy_turns % _BUSY_TURNS_BEFORE_TIME == 0)

    def _advance_when_idle(self, idle: bool) -> None:
        if not idle or self._stopping or self._jobs.went_on:
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
            # Stock asyncio would block in its selector here.
            message = "nothing is ready, pending or scheduled: the run waits for ever"
            raise WorldExhausted(message)

    def _fire_timers(self) -> None:
        # Timers are no candidates of the scheduler. As equal candidates they fired
        # first: all of 600 runs ended in the timeouts of the libraries.
        scheduled = self._scheduled
        while scheduled and scheduled[0].when() <= self._now:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False  # type: ignore[attr-defined]
            if handle.cancelled():
                self._timer_cancelled_count -= 1
            else:
                self._ready.append(handle)

    def _run_tracked(self, handle: asyncio.Handle) -> None:
        """Runs a handle, and cancels its task before or after it at the chosen step."""
        # The callback of each step and wakeup is a method of its task, so this look-up
        # covers every suspension point. Planted: a cancellation between a checkout and
        # its reset: found in 1 of 5 runs here, by schedules alone not once in 4,000.
        callback = handle._callback  # type: ignore[attr-defined]
        task = getattr(callback, "__self__", None)
        tracker = self.trackers.get(task) if isinstance(task, WorldTask) else None
        if tracker is None or not isinstance(task, WorldTask):
            handle._run()
            return
        tracker.record_step(task.owner, self.scheduler.arrived, self._now, self.turn)
        cancel = tracker.cancellation
        if cancel is None or tracker.steps != cancel.step:
            handle._run()
        elif cancel.after_step:
            handle._run()
            if not task.done():
                self._schedule_cancellation(task, tracker)
        else:
            self._deliver_cancellation(task, tracker)
            handle._run()

    def _schedule_cancellation(self, task: WorldTask, tracker: StepTracker) -> None:
        """Cancels at once, or as many turns from now as the cancellation has."""
        assert tracker.cancellation is not None
        if tracker.cancellation.turns:
            self._due_turns[task] = self.turn + tracker.cancellation.turns
        else:
            self._deliver_cancellation(task, tracker)

    def _deliver_due_cancellations(self) -> None:
        for task, turn in tuple(self._due_turns.items()):
            if turn <= self.turn:
                del self._due_turns[task]
                self._deliver_cancellation(task, self.trackers[task])

    def stop_tracking(self, task: WorldTask) -> bool:
        """Stops counting the steps of an ended task; returns whether all were counted.

        False for a task without a tracker, and for one that the loop cancelled.
        """
        self._due_turns.pop(task, None)
        return self.trackers.pop(task, None) is not None

    def in_flight_intervals(self, owner: int) -> Iterator[tuple[str, int, int]]:
        """Yields (kind, turn posted, turn arrived) of each arrival of the operation.

        Arrivals of the world count too: code that serves all users may have posted
        them for this operation.
        """
        chains = map(Chain.parse, self.scheduler.arrived)
        intervals = self.scheduler.intervals
        for (chain_owner, kind, _), turns in zip(chains, intervals, strict=True):
            if chain_owner in (owner, None):
                yield kind, *turns

    def _deliver_cancellation(self, task: WorldTask, tracker: StepTracker) -> None:
        del self.trackers[task]
        tracker.delivered(task)
        task.cancel()

    # Time

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def stall(self, seconds: float) -> None:
        """Holds back all arrivals for so many virtual seconds; timers still fire."""
        self._stalled_until = max(self._stalled_until, self._now + seconds)

    def hold(self, call: BlockingCall) -> None:
        """Lets the time of a synchronous wait pass, and reports it.

        The wait of an executor's job delays its completion alone, as in a thread.

        Raises:
            WorldExhausted: the wait has no end.
        """
        job = self._jobs.current
        if call.seconds is None:
            self.break_off(call)
        elif job is not None:
            job.seconds += call.seconds
        else:
            if self.on_blocked is not None:
                self.on_blocked(call)
            self._now += call.seconds

    def hold_once(self, call: BlockingCall) -> None:
        """As `hold`, for one wait of each callback: a bound, as its end is open."""
        if self._held_once != self.callback:
            self._held_once = self.callback
            self.hold(call)

    def wait_in_job(self, attempt: Attempt, seconds: float | None) -> bool | None:
        """Waits as the job of an executor that runs now; None if it is a callback.

        Returns whether the attempt succeeds within so many virtual seconds, None for
        any time.
        """
        if self._jobs.current is None:
            return None
        if seconds is None:
            return self._jobs.wait(attempt, math.inf)
        # The loop advances to its timers.
        self.call_later(seconds, _nothing)
        return self._jobs.wait(attempt, self._now + seconds)

    def break_off(self, call: BlockingCall) -> None:
        """Reports a callback that holds the loop, and ends the run.

        Raises:
            WorldExhausted: always, in the callback and again in the next turn, as an
                engine may swallow it.
        """
        if self.on_blocked is not None:
            self.on_blocked(call)
        self._held = f"{call.call} at {call.place} holds the loop"
        raise WorldExhausted(self._held)

    def release(self) -> None:
        """Goes on after a wait without an end; waits are no longer reported."""
        self.on_blocked, self._held = None, ""

    def end_jobs(self) -> None:
        """Ends the jobs of executors that still wait."""
        self._jobs.close()

    def live_timers(self) -> list[asyncio.TimerHandle]:
        """The timers that are scheduled and not cancelled, the earliest first."""
        return sorted(handle for handle in self._scheduled if not handle.cancelled())

    # Arrivals

    def chain(self, kind: str) -> str:
        """The chain for arrivals of this kind that the current operation causes."""
        return Chain.text(CURRENT_OPERATION.get(), kind)

    def new_chain(self, kind: str) -> str:
        """A new chain of this kind: the operation's second one has the ordinal 1."""
        owner = CURRENT_OPERATION.get()
        ordinal = self._ordinals.get((owner, kind), 0)
        self._ordinals[owner, kind] = ordinal + 1
        return Chain.text(owner, kind, ordinal)

    async def completion(self) -> None:
        """Returns when a completion arrives; the scheduler chooses the moment."""
        # No job: its greenlet would take 8 microseconds.
        future = self.create_future()
        self._post_job(partial(self.call_soon, complete_future, future, None, None))
        await future

    # Methods that asyncio calls

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        **_: Any,
    ) -> WorldTask:
        """A task with its number, its owner and its origin."""
        self._tasks_created += 1
        number = self._tasks_created
        # Default names count up over the whole process, so the loop gives its own. The
        # number is set first: the constructor already puts the task in a set.
        task = WorldTask.__new__(WorldTask)
        task.number = number
        # Made here, as the constructor would: Python 3.11 has no `Task.get_context`.
        task.context = contextvars.copy_context() if context is None else context
        task.owner = task.context.get(CURRENT_OPERATION)
        task.origin = getattr(coro, "__qualname__", type(coro).__name__)
        WorldTask.__init__(
            task, coro, loop=self, name=name or f"task-{number}", context=task.context
        )
        return task

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Runs the function as its completion arrives, not in a thread.

        If the call is cancelled before that, the function still runs later; if it is
        cancelled after that, the result is discarded. Real threads behave the same way.
        """
        future = self.create_future()

        def done(result: Any, failure: BaseException | None, seconds: float) -> None:
            # As from a real thread, the result comes one callback later.
            if seconds:
                self.call_later(seconds, complete_future, future, result, failure)
            else:
                self.call_soon(complete_future, future, result, failure)

        def complete() -> None:
            self._jobs.run(partial(func, *args), done)

        self._post_job(complete)
        return future

    def _post_job(self, complete: Callable[[], object]) -> None:
        source = Source("executor job")
        self.scheduler.post(source, self.new_chain(ChainKind.CALL), complete)

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Like `call_soon`; refuses calls of other threads, whose timing is real.

        Raises:
            RuntimeError: another thread calls.
        """
        if threading.get_ident() != self._thread_id:
            message = (
                "a real thread called into the simulated loop: run its work through "
                "loop.run_in_executor or asyncio.to_thread, which the world schedules"
            )
            raise RuntimeError(message)
        return self.call_soon(callback, *args, context=context)

    def _write_to_self(self) -> None:
        """Does nothing: there is no selector to wake."""

    def _process_events(self, event_list: Any) -> None:
        """Does nothing: there is no selector that reports events."""

    def _handle_unhandled(
        self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        if self.on_unhandled is not None:
            self.on_unhandled(context)


def _nothing() -> None:
    """The callback of a timer that exists for its time alone."""


def complete_future(
    future: asyncio.Future[Any], result: Any, error: BaseException | None
) -> None:
    """Sets the result or the error of a future unless it is done, such as cancelled."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
