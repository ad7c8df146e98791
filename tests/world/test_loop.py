"""The loop is asyncio's own in all but time, threads and the outside."""

import asyncio
import contextvars
import heapq
import threading
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from isolation_spec.model.scenario import Cancellation, Schedule
from isolation_spec.world import World
from isolation_spec.world.loop import CURRENT_OPERATION, WorldExhausted, WorldLoop
from isolation_spec.world.schedulers.base import Scheduler, Source
from isolation_spec.world.tasks import StepTracker, WorldTask

# Canaries for private names of asyncio


def test_handles_have_the_private_attributes() -> None:
    """Handles of timers and callbacks carry the private names that the loop touches."""
    loop = WorldLoop(Scheduler(Schedule()))
    timer: Any = loop.call_at(1.0, print)
    handle: Any = loop.call_soon(print)

    assert [handle] == list(loop._ready)
    assert [timer] == loop._scheduled
    assert (print, 1.0, True) == (timer._callback, timer._when, timer._scheduled)
    assert not handle._cancelled
    assert isinstance(handle._context, contextvars.Context)

    timer.cancel()

    assert timer._cancelled
    assert 1 == loop._timer_cancelled_count
    loop.close()


def test_loop_has_the_overridden_hooks() -> None:
    """`BaseEventLoop` calls these hooks and keeps these private fields."""
    base = asyncio.BaseEventLoop
    hooks = ["_run_once", "_process_events", "_write_to_self", "call_soon_threadsafe"]
    loop = WorldLoop(Scheduler(Schedule()))

    assert [] == [hook for hook in hooks if not hasattr(base, hook)]
    assert {"_stopping", "_thread_id", "_asyncgens", "_clock_resolution"} <= set(
        vars(loop)
    )
    loop.close()


def test_step_of_a_task_is_bound_to_it(play: Any) -> None:
    """The callback of a step is a method of its task, by which steps are counted."""

    async def main(world: World) -> list[bool]:
        async def body() -> None:
            await asyncio.sleep(0)
            await asyncio.sleep(1)

        task = world.loop.create_task(body())
        seen = []
        while not task.done():
            handle: Any
            for handle in world.loop._ready:
                owner = getattr(handle._callback, "__self__", None)
                if owner is task:
                    seen.append(True)
            await asyncio.sleep(0)
            if len(seen) == 2 and not world.loop._ready:
                await asyncio.sleep(1)
        return seen

    assert [True, True] == play(main)[:2]


# Virtual time


def test_time_is_virtual(play: Any) -> None:
    """Days of sleep take no time, and end when they should to the instant."""

    async def main(world: World) -> tuple[list[float], int]:
        await asyncio.sleep(100_000)
        seen = [world.time()]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(50_000):
                await world.loop.create_future()
        return [*seen, world.time()], world.loop.turn

    seen, turns = play(main)

    assert [100_000.0, 150_000.0] == seen
    assert turns < 20


def test_timers_fire_in_order(play: Any) -> None:
    """Timers fire in order of their time, and of equal ones the first set is first."""

    async def main(world: World) -> list[Any]:
        seen: list[Any] = []

        def fired(delay: int) -> None:
            seen.append((world.time(), delay))

        for delay in (3, 1, 2):
            world.loop.call_later(delay, fired, delay)
        cancelled = world.loop.call_later(1.5, seen.append, "cancelled")
        cancelled.cancel()
        await asyncio.sleep(5)
        return seen

    assert [(1.0, 1), (2.0, 2), (3.0, 3)] == play(main)


def test_timers_wait_until_idle(play: Any, schedulers: Any) -> None:
    """While anything is ready or pending, time stands still, under any schedule."""

    async def main(world: World) -> list[str]:
        seen: list[str] = []
        world.loop.call_later(0.001, seen.append, "timer")

        async def busy(name: str) -> None:
            for _ in range(5):
                await world.completion()
                await asyncio.sleep(0)
            seen.append(name)

        await asyncio.gather(busy("a"), busy("b"))
        await asyncio.sleep(1)
        return sorted(seen[:2]) + seen[2:]

    for scheduler in schedulers(30):
        assert ["a", "b", "timer"] == play(main, scheduler)


def aimed(world: World, body: Any, turns: int) -> Any:
    """A task of operation 7 that is cancelled so many turns after its first step."""
    context = contextvars.Context()
    context.run(CURRENT_OPERATION.set, 7)
    task = world.loop.create_task(body, context=context)
    cancel = Cancellation(step=1, after_step=True, turns=turns)
    world.loop.trackers[task] = StepTracker(cancel, lambda _: None)
    return task


def cancelled_in_the_midst(world: World, turns: int) -> Any:
    """A task that waits in three steps for the calls of another task."""
    log: list[str] = []

    async def main() -> list[str]:
        answer = world.loop.create_future()

        async def ask() -> None:
            for number in range(3):
                await world.completion()
                log.append(f"answer {number}")
            if not answer.done():
                answer.set_result(None)

        async def wait() -> None:
            try:
                await answer
            except asyncio.CancelledError:
                log.append("cancelled")
                raise

        asking = asyncio.ensure_future(ask())
        await asyncio.wait([aimed(world, wait(), turns)])
        await asking
        return log

    return main()


def test_a_cancellation_comes_so_many_turns_later(play: Any) -> None:
    """A waiting task is cancelled at any moment of another's work, or too late."""
    found = [
        play(lambda world, n=turns: cancelled_in_the_midst(world, n))
        for turns in range(12)
    ]

    places = [log.index("cancelled") if "cancelled" in log else None for log in found]
    assert {0, 1, 2, 3, None} == set(places)
    reached = [place for place in places if place is not None]
    assert sorted(reached) == reached
    assert [None] == list(dict.fromkeys(places[len(reached) :]))


def test_a_cancellation_that_is_due_ends_with_its_task(play: Any) -> None:
    """A cancellation that comes too late has no effect, and the task ran to its end."""

    async def main(world: World) -> bool:
        async def rests() -> None:
            await asyncio.sleep(0)

        task = aimed(world, rests(), 5)
        await task
        landed: bool = world.stop_tracking(task)
        for _ in range(9):
            await asyncio.sleep(0)
        return landed and not task.cancelled()

    assert play(main)


def test_steps_say_in_which_turn_they_were_made(play: Any) -> None:
    """A tracker without a cancellation knows the turns of its steps."""

    async def main(world: World) -> list[int]:
        tracker = StepTracker(None, lambda _: None)

        async def works() -> None:
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        task = world.loop.create_task(works())
        world.loop.trackers[task] = tracker
        await task
        return [turn - tracker.turns[0] for turn in tracker.turns]

    assert [0, 1, 2] == play(main)


def test_stall(play: Any) -> None:
    """During a stall only timers fire; held-back arrivals come afterwards."""

    async def main(world: World) -> list[Any]:
        seen: list[Any] = []

        async def waits() -> None:
            await world.completion()
            seen.append(("arrived", world.time()))

        world.loop.stall(10)
        world.loop.stall(3)
        task = asyncio.ensure_future(waits())
        world.loop.call_later(9, lambda: seen.append(("timer", world.time())))
        world.loop.call_later(11, lambda: seen.append(("late timer", world.time())))
        await task
        await asyncio.sleep(5)
        return seen

    assert [("timer", 9.0), ("arrived", 10.0), ("late timer", 11.0)] == play(main)


def test_live_timers(play: Any) -> None:
    """Live timers are those that will fire, the next one first."""

    async def main(world: World) -> list[float]:
        timers = [world.loop.call_later(delay, print) for delay in (2, 3, 1)]
        timers[1].cancel()
        found = [timer.when() for timer in world.loop.live_timers()]
        for timer in timers:
            timer.cancel()
        return found

    assert [1.0, 2.0] == play(main)


def test_cancelled_timers_do_not_pile_up(play: Any) -> None:
    """A timer cancelled before its time goes, as asyncio counts it."""

    async def main(world: World) -> tuple[int, int]:
        for _ in range(500):
            async with asyncio.timeout(60):
                await asyncio.sleep(0.1)
        await asyncio.sleep(100)
        heapq.heapify(world.loop._scheduled)
        return len(world.loop._scheduled), world.loop._timer_cancelled_count

    assert (0, 0) == play(main)


# Cancellation around a step


class Body:
    """Five steps: four waits, each followed by a mark."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.marks: list[str] = []

    async def __call__(self) -> None:
        self.marks.append("begun")
        await self.world.completion()
        self.marks.append("1")
        await asyncio.sleep(1)
        self.marks.append("2")
        await self.world.completion()
        self.marks.append("3")
        await asyncio.sleep(0)
        self.marks.append("4")


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("step", range(1, 8))
def test_cancellation_around_every_step(step: int, early: bool, play: Any) -> None:
    """Cancelled before a step, it does not happen; after it, the next one does not."""

    async def main(world: World) -> tuple[Any, ...]:
        body = Body(world)
        delivered: list[asyncio.Task[Any]] = []
        task = world.loop.create_task(body())
        world.loop.trackers[task] = StepTracker(
            Cancellation(step=step, after_step=early), delivered.append
        )
        await asyncio.wait([task])
        return (
            task.cancelled(),
            body.marks,
            delivered == [task],
            dict(world.loop.trackers),
        )

    cancelled, marks, delivered, left = play(main)
    happens = step < 5 if early else step < 6
    done = min(step if early else step - 1, 5) if happens else 5

    assert happens == cancelled == delivered
    assert ["begun", "1", "2", "3", "4"][:done] == marks
    assert happens == (not left)


def test_steps_are_counted_without_cancellation(play: Any) -> None:
    """A tracker without cancellation counts the steps of its task alone."""

    async def main(world: World) -> int:
        task = world.loop.create_task(Body(world)())
        tracker = world.loop.trackers[task] = StepTracker(None, print)
        other = world.loop.create_task(Body(world)())
        await asyncio.gather(task, other)
        return tracker.steps

    assert 5 == play(main)


def test_the_awaited_call_is_done_before_a_step(play: Any) -> None:
    """Before a step the awaited call is done; after it the call is in flight."""

    async def main(world: World, early: bool) -> bool:
        future = world.loop.create_future()
        done: list[bool] = []

        async def waits() -> None:
            await future

        def delivered(_: asyncio.Task[Any]) -> None:
            done.append(future.done())

        task = world.loop.create_task(waits())
        step = 1 if early else 2
        world.loop.trackers[task] = StepTracker(
            Cancellation(step=step, after_step=early), delivered
        )
        world.loop.call_later(1, future.set_result, None)
        await asyncio.wait([task])
        return done[0]

    assert play(lambda world: main(world, early=False))
    assert not play(lambda world: main(world, early=True))


# No rest


def test_spinning_exhausts_the_world(play: Any) -> None:
    """A task that yields for ever ends the run after the most turns."""

    async def main(world: World) -> None:
        while True:  # noqa: ASYNC110
            await asyncio.sleep(0)

    with pytest.raises(WorldExhausted, match="no rest after 100000 turns"):
        play(main)


def test_waiting_for_ever_exhausts_the_world(play: Any) -> None:
    """Waiting without any ready, pending or scheduled event ends the run at once."""

    async def main(world: World) -> None:
        await world.loop.create_future()

    with pytest.raises(WorldExhausted, match="waits for ever"):
        play(main)


def test_exhaustion_is_no_exception_of_an_engine() -> None:
    """No `except Exception` swallows the end of a world."""
    assert not issubclass(WorldExhausted, Exception)


def test_most_turns() -> None:
    """The most turns are those given to the loop."""
    loop = WorldLoop(Scheduler(Schedule()), most_turns=10)

    async def main() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    with pytest.raises(WorldExhausted, match="10 turns"):
        loop.run_until_complete(main())
    loop._most_turns = 1000
    for task in asyncio.all_tasks(loop):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
    loop.close()


async def poll(awaited: asyncio.Future[Any]) -> None:
    """Polls with `sleep(0)`, as some engines do."""
    while not awaited.done():  # noqa: ASYNC110
        await asyncio.sleep(0)


def test_arrivals_come_in_while_a_task_polls(play: Any) -> None:
    """Pending arrivals come in while a task polls with `sleep(0)`, as in asyncio."""

    async def main(world: World) -> bool:
        answer = asyncio.ensure_future(world.completion())
        await poll(answer)
        return True

    assert play(main)


def test_polling_sees_time_pass(play: Any) -> None:
    """A timer fires while a task polls with `sleep(0)`, as in stock asyncio."""

    async def main(world: World) -> bool:
        nap = asyncio.ensure_future(asyncio.sleep(1))
        await poll(nap)
        return True

    assert play(main)


def test_time_waits_for_busy_tasks(play: Any) -> None:
    """Hundreds of turns of work take no time, so a timer does not fire during them.

    In asyncio they take milliseconds; found as a reader of the reference engine that
    "waited" from one turn to the next until the run was over.
    """

    async def main(world: World) -> float:
        asyncio.get_running_loop().call_later(600, lambda: None)
        for _ in range(1000):
            await asyncio.sleep(0)
        return world.loop.time()

    assert 0.0 == play(main)


def test_answers_that_keep_coming_are_no_time(play: Any) -> None:
    """While something arrives, no time passes, however busy the loop is."""

    async def main(world: World) -> float:
        loop = asyncio.get_running_loop()
        loop.call_later(600, lambda: None)
        spin(loop)
        for _ in range(3000):
            await world.completion()
            await asyncio.sleep(0)
        return world.loop.time()

    def spin(loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon(spin, loop)

    assert 0.0 == play(main, Scheduler(Schedule(burst=1)))


def test_polling_sees_a_stall_pass(play: Any) -> None:
    """Time also passes for a polling task while arrivals are held back."""

    async def main(world: World) -> float:
        world.loop.stall(301)
        nap = asyncio.ensure_future(asyncio.sleep(1))
        await poll(nap)
        return world.loop.time()

    assert 1.0 == play(main)


# Threads


def test_foreign_thread_is_refused(play: Any) -> None:
    """The loop refuses calls of a real thread, and the message names an alternative."""

    async def main(world: World) -> list[str]:
        errors: list[str] = []

        def calls_in() -> None:
            try:
                world.loop.call_soon_threadsafe(print)
            except RuntimeError as error:
                errors.append(str(error))

        thread = threading.Thread(target=calls_in)
        thread.start()
        thread.join()
        return errors

    (message,) = play(main)

    assert message.startswith("a real thread called into the simulated loop")
    assert "asyncio.to_thread" in message


def test_threadsafe_call_from_the_own_thread(play: Any) -> None:
    """A threadsafe call from the loop's own thread is an ordinary one."""

    async def main(world: World) -> list[str]:
        done: list[str] = []
        world.loop.call_soon_threadsafe(done.append, "done")
        await asyncio.sleep(0)
        return done

    assert ["done"] == play(main)


def test_to_thread(play: Any) -> None:
    """Work for a thread runs when its completion arrives, in a copy of the context."""
    variable = contextvars.ContextVar("variable", default="unset")

    async def main(world: World) -> list[Any]:
        variable.set("of the caller")
        name = await asyncio.to_thread(threading.current_thread)
        found = await asyncio.to_thread(variable.get)
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(divmod, 1, 0)
        return [name is threading.current_thread(), found]

    assert [True, "of the caller"] == play(main)


def test_job_of_a_cancelled_task_still_runs(play: Any) -> None:
    """An executor job runs whether or not a task still waits for it."""

    async def main(world: World) -> list[str]:
        done: list[str] = []
        task = asyncio.ensure_future(asyncio.to_thread(done.append, "ran"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(1)
        return done

    assert ["ran"] == play(main)


def test_jobs_complete_in_any_order(play: Any, schedulers: Any) -> None:
    """Two jobs of two requesters complete in either order; by default in their own."""

    async def main(world: World) -> str:
        done: list[str] = []
        for number, name in enumerate("ab"):
            CURRENT_OPERATION.set(number)
            world.loop.run_in_executor(None, done.append, name)
        await asyncio.sleep(1)
        return "".join(done)

    assert "ab" == play(main)
    assert {"ab", "ba"} == {play(main, scheduler) for scheduler in schedulers(30)}


def test_one_arrival_of_a_source_a_turn(play: Any) -> None:
    """However many may arrive in a turn, only one of each source does."""

    async def main(world: World) -> list[tuple[str, int]]:
        seen: list[tuple[str, int]] = []

        def arrived(name: str) -> None:
            seen.append((name, world.loop.turn))

        sources = {name: Source(name) for name in "ab"}
        for name in "aab":
            world.scheduler.post(sources[name], name, partial(arrived, name))
        await asyncio.sleep(1)
        return [(name, turn - seen[0][1]) for name, turn in seen]

    burst = Scheduler(Schedule(burst=5))

    assert [("a", 0), ("b", 0), ("a", 1)] == play(main, burst)


# Determinism


def test_tasks_hash_by_number(play: Any) -> None:
    """Tasks hash by the order of their making, and are named by it."""

    async def main(world: World) -> list[tuple[int, str]]:
        tasks = [world.loop.create_task(asyncio.sleep(0)) for _ in range(3)]
        await asyncio.wait(tasks)
        return [(hash(task), task.get_name()) for task in tasks]

    assert [(2, "task-2"), (3, "task-3"), (4, "task-4")] == play(main)


def test_order_of_abortion_is_the_same_in_50_runs(play: Any) -> None:
    """A failing task group cancels the others in one order, run after run."""

    async def main(world: World) -> tuple[int, ...]:
        order: list[int] = []

        async def member(number: int) -> None:
            try:
                await world.loop.create_future()
            finally:
                order.append(number)

        async def fails() -> None:
            await asyncio.sleep(1)
            raise ValueError

        async def fans_out() -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(20):
                    group.create_task(member(number))
                group.create_task(fails())

        with pytest.raises(ExceptionGroup):
            await fans_out()
        return tuple(order)

    litter: list[object] = []
    orders = set()
    for _ in range(50):
        litter.append([object()] * 97)
        orders.add(play(main))

    assert 1 == len(orders)
    assert tuple(range(20)) == tuple(sorted(orders.pop()))


def test_chains_are_named_after_the_requester(play: Any) -> None:
    """A chain is `operation/kind`, `world` without one, and counts further streams."""

    async def main(world: World) -> list[str]:
        loop = world.loop
        names = [loop.chain("call"), loop.new_chain("call"), loop.new_chain("call")]
        CURRENT_OPERATION.set(3)
        return [*names, loop.new_chain("call"), loop.new_chain("call"), loop.chain("x")]

    expected = ["world/call", "world/call", "world/call/1", "3/call", "3/call/1", "3/x"]

    assert expected == play(main)


def test_tasks_know_their_operation(play: Any) -> None:
    """A task belongs to the operation in whose context it was made."""

    async def main(world: World) -> list[Any]:
        context = contextvars.Context()
        context.run(CURRENT_OPERATION.set, 7)
        given = world.loop.create_task(asyncio.sleep(0), context=context)
        CURRENT_OPERATION.set(5)
        own = asyncio.ensure_future(asyncio.sleep(0))
        await asyncio.wait([given, own])
        assert isinstance(own, WorldTask)
        return [given.owner, own.owner, own.origin]

    assert [7, 5, "sleep"] == play(main)


# Inherited features of asyncio


def test_gather_shield_and_timeout(play: Any) -> None:
    """gather, shield, wait_for and timeout work as under asyncio."""

    async def main(world: World) -> list[Any]:
        async def after(seconds: float, value: str) -> str:
            await asyncio.sleep(seconds)
            return value

        both = await asyncio.gather(after(2, "a"), after(1, "b"))
        inner = asyncio.ensure_future(after(3, "shielded"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(inner), 1)
        failures = await asyncio.gather(
            after(1, "fine"), asyncio.wait_for(after(9, ""), 1), return_exceptions=True
        )
        kinds = [type(failure).__name__ for failure in failures]
        return [both, await inner, kinds, world.time()]

    expected = [["a", "b"], "shielded", ["str", "TimeoutError"], 5.0]

    assert expected == play(main)


def test_synchronisation(play: Any, schedulers: Any) -> None:
    """Locks, queues, events and semaphores work under any schedule."""

    async def main(world: World) -> list[Any]:
        lock, queue, inside = asyncio.Lock(), asyncio.Queue[int](), 0
        most = 0

        async def worker(number: int) -> None:
            nonlocal inside, most
            await world.completion()
            async with lock:
                inside += 1
                most = max(most, inside)
                await world.completion()
                inside -= 1
            await queue.put(number)

        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(worker(number))
        return [most, sorted([await queue.get() for _ in range(4)])]

    for scheduler in schedulers(20):
        assert [1, [0, 1, 2, 3]] == play(main, scheduler)


def test_async_generators(play: Any) -> None:
    """An async generator that is left is closed by the loop, not lost."""

    async def main(world: World) -> list[str]:
        log: list[str] = []

        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
                yield 2
            finally:
                await asyncio.sleep(1)
                log.append("closed")

        async for number in numbers():
            log.append(str(number))
            break
        await asyncio.sleep(5)
        return log

    assert ["1", "closed"] == play(main)


def test_context_variables(play: Any) -> None:
    """Each task has its own copy of the context, and so has each callback."""
    variable = contextvars.ContextVar("variable", default=0)

    async def main(world: World) -> list[int]:
        async def sets(value: int) -> int:
            variable.set(value)
            await world.completion()
            return variable.get()

        found = await asyncio.gather(sets(1), sets(2))
        seen: list[int] = []
        world.loop.call_later(1, lambda: seen.append(variable.get()))
        variable.set(9)
        await asyncio.sleep(2)
        return [*found, *seen, variable.get()]

    assert [1, 2, 0, 9] == play(main)


def test_unhandled_exceptions_are_handed_over(play: Any) -> None:
    """An exception of a callback goes to the handler, and the run goes on."""

    async def main(world: World) -> list[str]:
        seen: list[str] = []
        world.loop.on_unhandled = lambda context: seen.append(
            repr(context["exception"])
        )
        world.loop.call_soon(divmod, 1, 0)
        await asyncio.sleep(1)
        return [text.split("(")[0] for text in seen]

    assert ["ZeroDivisionError"] == play(main)


def test_a_handoff_names_the_operation() -> None:
    """The last arrival names the helper; own arrivals and time passing do not count."""
    tracker = StepTracker(None, lambda task: None)
    arrived = []
    for more, now in (
        ([], 0.0),
        (["2/call", "3/call"], 0.0),
        (["2/call", "1/call"], 0.0),
        ([], 0.0),
        (["4/call"], 1.0),
    ):
        arrived += more
        tracker.record_step(1, arrived, now, turn=len(arrived))

    assert [(2, 3)] == tracker.handoffs
