"""The parts of an engine for each test: a real database, tasks, a list of events."""

import asyncio
import itertools
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from isolation_spec.engines.reference import (
    Agent,
    AgentExecutionResult,
    AgentRegistry,
    AgentRequest,
    AgentServices,
    EventSink,
    ExecutionEngineFactory,
    Limits,
    Message,
    Tool,
    ToolCatalogue,
    UserExecutionContext,
    UserExecutionEngine,
    create_schema,
)
from isolation_spec.model.scenario import Schedule
from isolation_spec.world.database import Databases
from isolation_spec.world.network import NetworkLoop
from isolation_spec.world.schedulers.base import Scheduler

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def _world_loop() -> asyncio.AbstractEventLoop:
    return NetworkLoop(Scheduler(Schedule()))


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, LoopFactory]:
    """Every test of the engine runs on the standard loop and on the simulated one."""
    return {"stock": asyncio.new_event_loop, "world": _world_loop}


@pytest_asyncio.fixture(autouse=True)
async def databases() -> AsyncIterator[None]:
    """On the simulated loop, database threads are simulated too."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, NetworkLoop):
        yield
        return
    with Databases(loop) as databases:
        yield
    databases.close()


class Inbox:
    """A sink that records its messages, with or without a connection."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.connected = True

    def notify(self, user_id: str, message: str) -> bool:
        event = json.loads(message)
        assert event["user_id"] == user_id
        self.events.append(event)
        return self.connected

    def types(self, run_id: str) -> list[str]:
        return [event["type"] for event in self.events if event["run_id"] == run_id]


class World:
    """All parts that the engines of one factory share, with shortcuts to use them."""

    def __init__(self, database: AsyncEngine, path: Path) -> None:
        self.database = database
        self.path = path
        self.inbox = Inbox()
        self.registry = AgentRegistry()
        self.catalogue = ToolCatalogue()
        self.denied: list[str] = []
        self.now = 0.0
        self.prompts: list[tuple[str, tuple[Message, ...]]] = []
        self._numbers = itertools.count(1)
        self.factories: list[ExecutionEngineFactory] = []

    def ids(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers)}"

    def context(self, user: str = "ann", thread: str = "t") -> UserExecutionContext:
        return UserExecutionContext.create(
            user_id=user, thread_id=thread, run_id="home", ids=self.ids
        )

    def agent(self, name: str, body: Callable[[AgentServices, Any], Any]) -> None:
        """Register an agent whose `run` is this coroutine function."""

        class Scripted(Agent):
            async def run(self, request: AgentRequest) -> Any:
                return await body(self.services, request.input)

        self.registry.register(name, Scripted)

    def tool(self, name: str, function: Any, *parameters: str) -> None:
        self.catalogue.add(Tool(name, function, frozenset(parameters)))

    async def model(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        self.prompts.append((context.user_id, messages))
        return f"answer to {messages[-1].content}"

    def factory(
        self,
        *,
        limits: Limits | None = None,
        events: EventSink | None = None,
        **options: Any,
    ) -> ExecutionEngineFactory:
        factory = ExecutionEngineFactory(
            database=self.database,
            events=self.inbox if events is None else events,
            registry=self.registry,
            catalogue=self.catalogue,
            permissions=lambda context, name: name not in self.denied,
            model=self.model,
            clock=options.pop("clock", time.monotonic),
            ids=self.ids,
            limits=limits,
            **options,
        )
        self.factories.append(factory)
        return factory

    async def engine(
        self, user: str = "ann", thread: str = "t", **limits: Any
    ) -> UserExecutionEngine:
        factory = self.factory(limits=Limits(**limits))
        return await factory.create_for_user(self.context(user, thread))

    async def run(
        self, engine: UserExecutionEngine, name: str, run_id: str, value: Any = None
    ) -> AgentExecutionResult:
        owner = engine.user_context
        request = AgentRequest(owner.user_id, owner.thread_id, run_id, value)
        return await engine.execute_agent(name, request)

    def rows(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """The rows that an independent connection reads under an exclusive lock."""
        connection = sqlite3.connect(self.path, timeout=0)
        try:
            connection.execute("BEGIN EXCLUSIVE")
            found = connection.execute(statement, values).fetchall()
            connection.rollback()
            return found
        finally:
            connection.close()

    async def until(self, condition: Callable[[], Any]) -> None:
        """Let other tasks run until the condition is true, for at most 5 seconds."""
        async with asyncio.timeout(5):
            for _ in itertools.count():
                if condition():
                    return
                await asyncio.sleep(0.001)

    def assert_nothing_left(self) -> None:
        """Assert that no lock, no checked-out connection and no other task is left."""
        self.rows("SELECT 1")
        assert self.database.pool.checkedout() == 0  # type: ignore[attr-defined]
        assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    path = tmp_path / "engine.db"
    database = create_async_engine(
        f"sqlite+aiosqlite:///{path}", connect_args={"timeout": 2}
    )
    await create_schema(database)
    world = World(database, path)
    yield world
    for factory in world.factories:
        await factory.shutdown()
    await database.dispose()


class CancelAt:
    """Drives a coroutine and cancels its task at the k-th suspension, from 1.

    Late means: when the awaited thing is already done, but the task has not seen it.
    """

    def __init__(self, coroutine: Any, step: int, *, late: bool) -> None:
        self._coroutine = coroutine
        self._step = step
        self._late = late
        self.steps = 0

    async def run(self) -> Any:
        return await self

    def __await__(self) -> Any:
        task = asyncio.current_task()
        assert task is not None
        error: BaseException | None = None
        while True:
            try:
                if error is None:
                    waited = self._coroutine.send(None)
                else:
                    waited = self._coroutine.throw(error)
            except StopIteration as stop:
                return stop.value
            finally:
                error = None
            self.steps += 1
            if self.steps == self._step:
                if self._late and waited is not None:
                    waited.add_done_callback(lambda _: task.cancel())
                else:
                    task.cancel()
            try:
                yield waited
            except BaseException as raised:
                error = raised


@pytest_asyncio.fixture
async def cancel_at() -> type[CancelAt]:
    return CancelAt
