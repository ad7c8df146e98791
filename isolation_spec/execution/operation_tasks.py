"""One task for each operation of a run, and the record of its end."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from isolation_spec.contract.checked_adapter import CheckedAdapter
from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.attribution import attribute, frames_waiting
from isolation_spec.execution.await_probe import ProbedCoroutine, await_site
from isolation_spec.execution.operation_driver import NotOpened, OperationDriver
from isolation_spec.execution.operation_queue import OperationQueue
from isolation_spec.execution.recorder import Recorder
from isolation_spec.execution.step_recorder import StepRecorder
from isolation_spec.model.history.entries import (
    IdentityChanged,
    OperationEnded,
    OperationStarted,
)
from isolation_spec.model.history.rendering import render
from isolation_spec.model.history.states import Outcome
from isolation_spec.model.scenario import Operation, Scenario
from isolation_spec.world.interface import WorldInterface

__all__ = ["OperationTasks"]


class OperationTasks:
    """Runs the operations of a scenario, each in a task and a context of its own.

    Attributes:
        queue: decides which operation may start.
        uncancelled: the operations whose cancellation was not delivered so far.
        settled: whether every operation ended in time.
        overlapped: whether operations of two users were under way at once.
    """

    def __init__(
        self,
        scenario: Scenario,
        adapter: CheckedAdapter,
        world: WorldInterface,
        recorder: Recorder,
        driver: OperationDriver,
        steps: StepRecorder,
    ) -> None:
        self.queue = OperationQueue(scenario, world.post, self._launch)
        self.uncancelled = {
            operation.id: None
            for operation in scenario.operations
            if operation.cancel is not None
        }
        self.settled = True
        self.overlapped = False
        self._scenario = scenario
        self._adapter = adapter
        self._world = world
        self._recorder = recorder
        self._record = recorder.record
        self._driver = driver
        self._steps = steps
        self._tasks: dict[asyncio.Task[Any], int] = {}
        self._foreign_identities: dict[tuple[int, str], None] = {}

    async def run(self) -> None:
        """Runs all operations, and ends those that have not ended in time."""
        self.queue.begin()
        passing = sum(o.seconds for o in self._scenario.operations)
        try:
            async with asyncio.timeout(self._world.limit + passing):
                while not self.queue.is_done:
                    self._all_done = asyncio.get_running_loop().create_future()
                    await self._all_done
        except TimeoutError:
            self.end_unfinished()

    def end_unfinished(self) -> None:
        """Records each operation under way as unfinished, and cancels its task."""
        self.settled = False
        tasks = {number: task for task, number in self._tasks.items()}
        for number in tuple(self.queue.active):
            del self.queue.active[number]
            error = ""
            if number in tasks:
                name = type(self._adapter.adapter).__name__
                error = f"it waits in {attribute(frames_waiting(tasks[number]), name)}"
            self._record(
                OperationEnded, number, outcome=Outcome.UNFINISHED, error=error
            )
        for task in tuple(self._tasks):
            task.cancel()

    def _launch(self, operation: Operation) -> None:
        task = self._world.launch(
            ProbedCoroutine(self._perform(operation), partial(self._look, operation)),
            name=f"operation-{operation.id}",
            requester=operation.id,
            tracker=self._steps.tracker(operation, partial(self._cancelled, operation)),
        )
        self._tasks[task] = operation.id
        task.add_done_callback(self._finished)

    def _look(self, operation: Operation) -> None:
        """Looks around at an await of an operation's task, in its context."""
        number = operation.id
        user = self._recorder.users_of[number]
        identity = self._adapter.identity()
        if self._steps.counts:
            entries = len(self._recorder.entries)
            self._steps.await_at(number, self._current_site(), entries)
        if user is None or identity in (None, self._scenario.users[user].id):
            return
        if (number, identity) not in self._foreign_identities:
            self._foreign_identities[number, identity] = None
            site = self._current_site()
            self._record(IdentityChanged, number, identity=identity, place=site)

    def _current_site(self) -> str:
        task = asyncio.current_task()
        assert task is not None
        return await_site(task, self._adapter.engine_code)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        number = self._tasks.pop(task)
        self._steps.end(number, task)
        self.queue.ended(number)
        if self._all_done.done():
            return
        if not task.cancelled() and (error := task.exception()) is not None:
            self._all_done.set_exception(error)
        elif self.queue.is_done:
            self._all_done.set_result(None)

    async def _perform(self, operation: Operation) -> None:
        number = operation.id
        self._note_overlap(number)
        self._record(OperationStarted, number)
        outcome, value, error = Outcome.RETURNED, "", ""
        try:
            kind = str(operation.__struct_config__.tag)
            value = self._recorder.show(kind, await self._driver.perform(operation))
        except asyncio.CancelledError:
            outcome = Outcome.CANCELLED
        except NotOpened:
            outcome = Outcome.UNAVAILABLE
        except AdapterError:
            raise
        except Exception as raised:
            outcome = Outcome(self._driver.outcome_of(raised))
            error = render(raised)
        attacks = operation.victim is not None or operation.forged
        self._world.activity.attacks += attacks and outcome != Outcome.UNAVAILABLE
        if number in self.queue.active:
            self._record(
                OperationEnded, number, outcome=outcome, value=value, error=error
            )

    def _note_overlap(self, number: int) -> None:
        users_of = self._recorder.users_of
        user = users_of[number]
        if user is not None and not self.overlapped:
            running = {users_of[other] for other in self._tasks.values()}
            self.overlapped = bool(running - {None, user})

    def _cancelled(self, operation: Operation, task: asyncio.Task[Any]) -> None:
        assert operation.cancel is not None
        self.uncancelled.pop(operation.id, None)
        self._world.activity.cancellations += 1
        site = await_site(task, self._adapter.engine_code)
        self._recorder.cancellation(operation.id, operation.cancel, site)
