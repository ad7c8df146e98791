"""One scenario, one engine, one world -> one history.

The only executor: the search, the replay and the shrinker all come through `run`. It
asks the engine for exactly what the scenario says, in tasks of its own, one for each
operation, each in a fresh context; it judges nothing. A run has four phases: the
operations; the cleanup of every user; the teardown of the engine; and what the
independent observer reads at the very end.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from itertools import pairwise, starmap
from typing import Any, TypeVar

from isolation_spec.contract.adapter import Adapter, Row
from isolation_spec.contract.checked_adapter import CheckedAdapter
from isolation_spec.contract.errors import AdapterError
from isolation_spec.contract.toolbox import Toolbox
from isolation_spec.execution.attribution import attribute, frames_of, frames_waiting
from isolation_spec.execution.await_probe import (
    BEFORE_FIRST_STEP,
    ProbedCoroutine,
    await_site,
)
from isolation_spec.execution.containment import contain_process_exit
from isolation_spec.execution.operation_driver import NotOpened, OperationDriver
from isolation_spec.execution.operation_queue import OperationQueue
from isolation_spec.execution.recorder import Recorder
from isolation_spec.execution.released_users import users_already_released
from isolation_spec.model.history.activity import Await, Handoff, InFlightInterval
from isolation_spec.model.history.entries import (
    Entry,
    IdentityChanged,
    OperationEnded,
    OperationStarted,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.history.rendering import render
from isolation_spec.model.history.states import Outcome, Phase, ToolMoment
from isolation_spec.model.scenario import (
    Cancellation,
    OpenContext,
    Operation,
    Scenario,
    User,
)
from isolation_spec.world import World
from isolation_spec.world.instrumentation import LiveResource
from isolation_spec.world.interface import WorldInterface
from isolation_spec.world.loop import StepTracker, WorldExhausted
from isolation_spec.world.schedulers.base import Scheduler

__all__ = ["AdapterFactory", "engine_packages", "run"]

AdapterFactory = Callable[[], Adapter]
EntryT = TypeVar("EntryT", bound=Entry)

SETTLE = 5.0
"""Virtual seconds that an engine gets to come to rest before anything counts as alive:
SQLAlchemy closes cancelled connections in shielded background tasks."""


def run(
    scenario: Scenario,
    make_adapter: AdapterFactory,
    *,
    scheduler: Scheduler | None = None,
    count_steps: bool = False,
    world: WorldInterface | None = None,
) -> History:
    """Runs the scenario in a fresh world and returns all that was observed.

    With `count_steps`, the history says where each operation's task waited before each
    of its steps. A world that is given must be fresh, and no scheduler
    is given with it.

    Raises:
        AdapterError: the adapter broke its contract; its cause says how.
    """
    fresh = world or World(scheduler or Scheduler(scenario.schedule))
    return _conduct(scenario, make_adapter, fresh, count_steps=count_steps).history()


_OPENING = Scenario(
    users=(User(label="alice", id="alice"),),
    operations=(OpenContext(id=1, user=0, context="x", thread="t"),),
)


def engine_packages(make_adapter: AdapterFactory) -> tuple[str, ...]:
    """The names of the engine's packages, as a run knows them that opens one context.

    Raises:
        AdapterError: the adapter broke its contract.
    """
    world = World(Scheduler(_OPENING.schedule))
    return _conduct(_OPENING, make_adapter, world).adapter.engine_code.packages


def _conduct(
    scenario: Scenario,
    make_adapter: AdapterFactory,
    fresh: WorldInterface,
    *,
    count_steps: bool = False,
) -> Run:
    with contain_process_exit() as named, fresh as world:
        adapter = _made(make_adapter)
        named.adapter = type(adapter).__name__
        execution = Run(world.prepare(scenario), adapter, world)
        execution.count_steps = count_steps
        try:
            world.run(execution.conduct())
        except WorldExhausted as error:
            execution.give_up(str(error))
        return execution


def _made(make_adapter: AdapterFactory) -> Adapter:
    try:
        return make_adapter()
    except Exception as error:
        where = attribute(frames_of(error.__traceback__), "the adapter")
        message = (
            f"no adapter could be made, {where} raised {type(error).__name__}: "
            f"{error}: one is made for each run, so let it use nothing up"
        )
        raise AdapterError(message) from error


class Run:
    """The state of one run."""

    def __init__(
        self, scenario: Scenario, adapter: Adapter, world: WorldInterface
    ) -> None:
        self.scenario = scenario
        self.adapter = CheckedAdapter(adapter)
        self.world = world
        self.recorder = Recorder(scenario, self.adapter, world)
        self.record = self.recorder.record
        self.performer = OperationDriver(scenario, self.adapter, world, self.record)
        self.agenda = OperationQueue(scenario, world.post, self._launch)
        self.uncancelled = {
            operation.id: None
            for operation in scenario.operations
            if operation.cancel is not None
        }
        self.tasks: dict[asyncio.Task[Any], int] = {}
        self.steps: dict[int, tuple[str, ...]] = {}
        self.handed: dict[int, tuple[Handoff, ...]] = {}
        self.waited: dict[int, tuple[InFlightInterval, ...]] = {}
        self.counted: dict[int, StepTracker] = {}
        self.waits: dict[int, list[str]] = {}
        self.awaits: list[Await] = []
        self.strange: dict[tuple[int, str], None] = {}
        self.stored_before: frozenset[Row] = frozenset()
        self.count_steps = False
        self.settled = True
        self.started = False
        self.overlapped = False
        world.toolbox = Toolbox(world, scenario.users, self._use_tool)

    # The four phases

    async def conduct(self) -> None:
        """Runs all phases."""
        self.recorder.listen()
        await self.adapter.start(self.world)
        self.started = True
        if self.world.persistent:
            self.stored_before = frozenset(self.adapter.observe())
        self.world.activate_choices()
        self.recorder.phase(Phase.OPERATIONS)
        await self._conduct_operations()
        # What has not come by now is kept up by somebody who does not read.
        await self.world.settle(SETTLE)
        self.recorder.phase(Phase.CLEANUP)
        await self._clean_up_users()
        self.recorder.phase(Phase.TEARDOWN)
        await self._tear_down()
        self.recorder.phase(Phase.OBSERVED)
        # What was left open is recorded by now, and must not lock the observer out.
        self.world.release_database()
        self.recorder.rows(self.stored_before)

    def give_up(self, reason: str) -> None:
        """The world could not bring the run to its end.

        Raises:
            AdapterError: it had not even begun.
        """
        if not self.started:
            message = (
                f"{type(self.adapter.adapter).__name__}.start never came to its end "
                f"({reason}): return from it once the engine is ready, and leave no "
                "loop in it"
            )
            raise AdapterError(message)
        self.settled = False
        self.recorder.unhandled(reason)
        self._end_unfinished()

    async def _conduct_operations(self) -> None:
        self.agenda.begin()
        passing = sum(o.seconds for o in self.scenario.operations)
        try:
            async with asyncio.timeout(self.world.limit + passing):
                while not self.agenda.is_done:
                    self._all_done = asyncio.get_running_loop().create_future()
                    await self._all_done
        except TimeoutError:
            self.settled = False
            self._end_unfinished()

    def _end_unfinished(self) -> None:
        waits = {number: task for task, number in self.tasks.items()}
        for number in tuple(self.agenda.active):
            del self.agenda.active[number]
            error = ""
            if number in waits:
                name = type(self.adapter.adapter).__name__
                error = f"it waits in {attribute(frames_waiting(waits[number]), name)}"
            self.record(OperationEnded, number, outcome=Outcome.UNFINISHED, error=error)
        for task in tuple(self.tasks):
            task.cancel()

    async def _clean_up_users(self) -> None:
        self.world.open_windows()
        await self.world.settle(1.0)
        for (_, _), client in sorted(self.performer.clients.items()):
            await self._guarded("close of a connection", client.close())
        self.performer.clients.clear()
        contexts = self.performer.contexts
        self.recorder.shared((user, c) for (user, _), c in contexts.items())
        contexts.clear()
        self.performer.running.clear()
        gone = users_already_released(self.scenario, self.recorder.entries)
        for index, user in enumerate(self.scenario.users):
            if index not in gone:
                await self._guarded("cleanup_user", self.adapter.cleanup_user(user.id))
        for alive in await self.world.settle(SETTLE, self._alive_for_users):
            self.recorder.alive(alive)
        for user in self.scenario.users:
            self.recorder.gauges(user.id)

    async def _tear_down(self) -> None:
        await self._guarded("shutdown", self.adapter.shutdown())
        left = await self.world.settle(SETTLE, self.world.live_resources_at_end)
        if left:
            # What only a reference cycle keeps is garbage, not a leak. Collecting is
            # slow beside a run, so it is done on suspicion alone.
            gc.collect()
            left = await self.world.settle(SETTLE, self.world.live_resources_at_end)
        for alive in left:
            self.recorder.alive(alive)
        self.recorder.gauges(None)

    def _alive_for_users(self) -> list[LiveResource]:
        users_of = self.recorder.users_of
        return [
            a
            for a in self.world.live_resources()
            if users_of.get(a.requester) is not None
        ]

    async def _guarded(self, what: str, call: Awaitable[Any]) -> None:
        """Ends a call that is not the scenario's own within a bounded time."""
        try:
            async with asyncio.timeout(self.world.limit) as limit:
                await call
        except AdapterError:
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            # The world cancels this task where the run cannot come to its end.
            if task.cancelling():
                raise
            self.recorder.unhandled(
                f"{what} raised CancelledError, but nothing cancelled it"
            )
        except Exception as error:
            message = f"{what} raised {type(error).__name__}: {error}"
            if limit.expired():
                message = f"{what} had not ended after {self.world.limit:g} s"
            self.recorder.unhandled(message)

    # One operation

    def _launch(self, operation: Operation) -> None:
        cancel = operation.cancel
        tracker = None
        if cancel is not None or self.count_steps:
            tracker = StepTracker(cancel, partial(self._cancelled, cancel))
            self.counted[operation.id] = tracker
        task = self.world.launch(
            ProbedCoroutine(self._perform(operation), partial(self._look, operation)),
            name=f"operation-{operation.id}",
            requester=operation.id,
            tracker=tracker,
        )
        self.tasks[task] = operation.id
        task.add_done_callback(self._finished)

    def _look(self, operation: Operation) -> None:
        """Looks around at an await of an operation's task, in its context."""
        number = operation.id
        user = self.recorder.users_of[number]
        who = self.adapter.identity()
        if self.count_steps:
            task = asyncio.current_task()
            assert task is not None
            place = await_site(task, self.adapter.engine_code)
            self.waits.setdefault(number, [BEFORE_FIRST_STEP]).append(place)
            self.awaits.append(Await(number, place, len(self.recorder.entries)))
        if user is None or who is None or who == self.scenario.users[user].id:
            return
        if (number, who) not in self.strange:
            self.strange[number, who] = None
            task = asyncio.current_task()
            assert task is not None
            place = await_site(task, self.adapter.engine_code)
            self.record(IdentityChanged, number, identity=who, place=place)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        number = self.tasks.pop(task)
        if self.world.stop_tracking(task) and self.count_steps:
            self.steps[number] = tuple(self.waits.get(number, (BEFORE_FIRST_STEP,)))
            tracker = self.counted[number]
            if tracker.handoffs:
                self.handed[number] = tuple(starmap(Handoff, tracker.handoffs))
            self.waited[number] = tuple(self._waits(number, tracker.turns))
        self.agenda.ended(number)
        if self._all_done.done():
            return
        if not task.cancelled() and (error := task.exception()) is not None:
            self._all_done.set_exception(error)
        elif self.agenda.is_done:
            self._all_done.set_result(None)

    def _waits(self, number: int, turns: list[int]) -> Iterator[InFlightInterval]:
        """What was under way while a task waited that made its steps in these turns."""
        flights = dict.fromkeys(self.world.in_flight_intervals(number))
        for step, (before, after) in enumerate(pairwise(turns), start=1):
            for kind, asked, came in flights:
                if before < came and asked < after:
                    first = max(asked - before, 0)
                    yield InFlightInterval(step, first, min(came, after) - before, kind)

    async def _perform(self, operation: Operation) -> None:
        number = operation.id
        self._note_overlap(number)
        self.record(OperationStarted, number)
        outcome, value, error = Outcome.RETURNED, "", ""
        try:
            value = render(await self.performer.perform(operation))
        except asyncio.CancelledError:
            outcome = Outcome.CANCELLED
        except NotOpened:
            outcome = Outcome.UNAVAILABLE
        except AdapterError:
            raise
        except Exception as raised:
            outcome = Outcome(self.performer.outcome_of(raised))
            error = render(raised)
        was_performed = outcome != Outcome.UNAVAILABLE
        self.world.activity.attacks += was_performed and _attacks(operation)
        if number in self.agenda.active:
            self.record(
                OperationEnded, number, outcome=outcome, value=value, error=error
            )

    def _note_overlap(self, number: int) -> None:
        user = self.recorder.users_of[number]
        if user is not None and not self.overlapped:
            running = {self.recorder.users_of[other] for other in self.tasks.values()}
            self.overlapped = bool(running - {None, user})

    def _cancelled(self, aimed: Cancellation | None, task: asyncio.Task[Any]) -> None:
        assert aimed is not None
        number = self.tasks[task]
        self.uncancelled.pop(number, None)
        self.world.activity.cancellations += 1
        place = await_site(task, self.adapter.engine_code)
        self.recorder.cancellation(number, aimed, place)

    def _use_tool(
        self, tool: str, argument: str, identity: str | None, moment: ToolMoment
    ) -> None:
        self.world.activity.tools_run += moment == ToolMoment.ENDED
        self.recorder.tool(tool, argument, identity, moment)

    def history(self) -> History:
        """All that was observed, with what the scheduler did."""
        reached = self.world.activity
        reached.users = len(self.agenda.lanes)
        choices = self.world.choices()
        unused = (
            *choices.unused,
            *(f"cancellation of {n}" for n in self.uncancelled),
        )
        return History(
            scenario=self.scenario,
            entries=tuple(self.recorder.entries),
            reached=reached,
            schedule=choices.schedule,
            unused=unused,
            arrivals=choices.arrivals,
            settled=self.settled,
            choices=choices.made,
            order=choices.order,
            overlapped=self.overlapped,
            steps=self.steps,
            handed=self.handed,
            waited=self.waited,
            awaits=tuple(self.awaits),
            limits=dict(self.adapter.limits),
            event_names=self.adapter.adapter.event_names,
            varying=tuple(self.adapter.adapter.varying),
        )


def _attacks(operation: Operation) -> bool:
    """True if it names what is another user's, or shows a token of nobody's."""
    return operation.victim is not None or operation.forged
