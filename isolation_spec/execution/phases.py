"""The four phases of a run: operations, cleanup of the users, teardown, observation."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable
from typing import Any

from isolation_spec.contract.checked_adapter import CheckedAdapter
from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.operation_driver import OperationDriver
from isolation_spec.execution.operation_tasks import OperationTasks
from isolation_spec.execution.recorder import Recorder
from isolation_spec.execution.released_users import users_already_released
from isolation_spec.model.history.states import Phase
from isolation_spec.model.scenario import Scenario
from isolation_spec.world.instrumentation import LiveResource
from isolation_spec.world.interface import WorldInterface

__all__ = ["Phases"]

SETTLE = 5.0
"""Virtual seconds that an engine gets to come to rest before anything counts as alive:
SQLAlchemy closes cancelled connections in shielded background tasks."""
_BEFORE_CLEANUP = 1.0
"""Virtual seconds for events that unread connections had held up."""


class Phases:
    """Conducts one run from the start of its engine to the last observation.

    Attributes:
        started: whether the engine has started.
    """

    def __init__(
        self,
        scenario: Scenario,
        adapter: CheckedAdapter,
        world: WorldInterface,
        recorder: Recorder,
        driver: OperationDriver,
        tasks: OperationTasks,
    ) -> None:
        self.started = False
        self._scenario = scenario
        self._adapter = adapter
        self._world = world
        self._recorder = recorder
        self._driver = driver
        self._tasks = tasks

    async def conduct(self) -> None:
        """Conducts all phases."""
        self._recorder.listen()
        await self._adapter.start(self._world)
        self.started = True
        persistent = self._world.persistent
        before = frozenset(self._adapter.observe() if persistent else ())
        self._world.activate_choices()
        self._recorder.phase(Phase.OPERATIONS)
        await self._tasks.run()
        # An event that is still missing is held up by a client that reads nothing.
        await self._world.settle(SETTLE)
        self._recorder.phase(Phase.CLEANUP)
        await self._clean_up_users()
        self._recorder.phase(Phase.TEARDOWN)
        await self._tear_down()
        self._recorder.phase(Phase.OBSERVED)
        # Open connections are recorded by now, and must not lock the observer out.
        self._world.release_database()
        self._recorder.rows(before)

    async def _clean_up_users(self) -> None:
        self._world.open_windows()
        await self._world.settle(_BEFORE_CLEANUP)
        for (_, _), client in sorted(self._driver.clients.items()):
            await self._guard("close of a connection", client.close())
        contexts = self._driver.contexts.items()
        self._recorder.shared((user, context) for (user, _), context in contexts)
        self._driver.release()
        gone = users_already_released(self._scenario, self._recorder.entries)
        for index, user in enumerate(self._scenario.users):
            if index not in gone:
                await self._guard("cleanup_user", self._adapter.cleanup_user(user.id))
        for alive in await self._world.settle(SETTLE, self._alive_for_users):
            self._recorder.alive(alive)
            self._recorder.identity_kept(alive)
        for user in self._scenario.users:
            self._recorder.gauges(user.id)

    async def _tear_down(self) -> None:
        await self._guard("shutdown", self._adapter.shutdown())
        left = await self._world.settle(SETTLE, self._world.live_resources_at_end)
        if left:
            # An object that only a reference cycle holds is garbage, not a leak. A
            # collection is slow beside a run, so it takes a suspicion.
            gc.collect()
            left = await self._world.settle(SETTLE, self._world.live_resources_at_end)
        for alive in left:
            self._recorder.alive(alive)
        self._recorder.gauges(None)

    def _alive_for_users(self) -> list[LiveResource]:
        users_of = self._recorder.users_of
        return [
            resource
            for resource in self._world.live_resources()
            if users_of.get(resource.requester) is not None
        ]

    async def _guard(self, name: str, call: Awaitable[Any]) -> None:
        """Awaits a call of the run's own; records its failure, or its timeout."""
        try:
            async with asyncio.timeout(self._world.limit) as limit:
                await call
        except AdapterError:
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            # The world cancels this task where the run cannot come to its end.
            if task.cancelling():
                raise
            message = f"{name} raised CancelledError, but nothing cancelled it"
            self._recorder.unhandled(message)
        except Exception as error:
            message = f"{name} raised {type(error).__name__}: {error}"
            if limit.expired():
                message = f"{name} had not ended after {self._world.limit:g} s"
            self._recorder.unhandled(message)
