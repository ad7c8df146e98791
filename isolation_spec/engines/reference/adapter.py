"""The adapter of the reference engine; it replaces no part of the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_client
from websockets.exceptions import ConnectionClosed

from isolation_spec.contract.adapter import Adapter, Row
from isolation_spec.contract.capabilities import Capability
from isolation_spec.contract.environment import Environment
from isolation_spec.contract.errors import AgentFailure
from isolation_spec.contract.scripted_agent import ScriptedAgent
from isolation_spec.contract.services import ToolOutcome
from isolation_spec.engines.reference import (
    Agent,
    AgentRegistry,
    AgentRequest,
    AgentServices,
    ClosedError,
    ExecutionEngineFactory,
    LimitError,
    Limits,
    Message,
    OwnershipError,
    Tool,
    ToolCatalogue,
    UserExecutionContext,
    UserExecutionEngine,
    WebSocketManager,
    create_schema,
    current_context,
)
from isolation_spec.engines.reference.storage import store_memory
from isolation_spec.model.event_names import EventNames
from isolation_spec.model.history.rendering import render
from isolation_spec.model.limits import Limit

__all__ = ["ReferenceAdapter"]


class ReferenceAdapter(Adapter):
    """Drives the reference engine. Planted faults replace one of its classes.

    Attributes:
        engine_class, factory_class, manager_class, registry_class, context_class: the
            parts of the engine; a planted fault names a subclass of one.
    """

    capabilities = frozenset(Capability)
    refusals = (OwnershipError, LimitError, ClosedError)
    limits: ClassVar[Mapping[str, int | Limit]] = {
        "contexts_per_user": Limits().engines_per_user,
        "runs_per_context": Limits().runs_per_engine,
    }

    event_names = EventNames()

    # The number of undelivered events depends on when the server admits a connection.
    varying = (r"undelivered \d+", r'"undelivered": \d+')

    engine_class: ClassVar[type[UserExecutionEngine]] = UserExecutionEngine
    factory_class: ClassVar[type[ExecutionEngineFactory]] = ExecutionEngineFactory
    manager_class: ClassVar[type[WebSocketManager]] = WebSocketManager
    registry_class: ClassVar[type[AgentRegistry]] = AgentRegistry
    context_class: ClassVar[type[UserExecutionContext]] = UserExecutionContext

    environment: Environment
    database: AsyncEngine
    manager: WebSocketManager
    factory: ExecutionEngineFactory

    async def start(self, environment: Environment) -> None:
        """Starts the database, the WebSocket server and the factory."""
        self.environment = environment
        self._tokens: dict[str, str] = {}
        self.shown: dict[str, tuple[Message, ...]] = {}
        self.database = self.make_database(environment)
        await create_schema(self.database)
        self.manager = self.manager_class(self.authenticate, host=environment.host)
        await self.manager.start()
        self.factory = self.factory_class(
            database=self.database,
            events=self.manager,
            registry=self._make_registry(),
            catalogue=ToolCatalogue(
                tuple(self._tool(name) for name in environment.toolbox.names)
            ),
            permissions=lambda context, tool: environment.toolbox.permits(
                context.user_id, tool
            ),
            model=self.answer,
            clock=environment.time,
            ids=environment.new_id,
            engine_class=self.engine_class,
        )

    def make_database(self, environment: Environment) -> AsyncEngine:
        """The database engine that all users share."""
        return create_async_engine(
            environment.database_url, execution_options={"compiled_cache": _COMPILED}
        )

    async def authenticate(self, token: str) -> str | None:
        """The owner of the token, as an identity service outside reports it."""
        await self.environment.completion()
        return self._tokens.get(token)

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        """The model: its answer shows all prompts of the conversation and the metadata
        of the user's context, so that a foreign prompt or context shows in it."""
        self.shown[context.run_id] = messages
        await self.environment.completion(messages[-1].content)
        return self._compose_answer(context, messages)

    def _compose_answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        asked = (message.content for message in messages if message.role == "user")
        known = render(context.metadata)
        return f"answer to {', '.join(asked)}, knowing {known}"

    def _make_registry(self) -> AgentRegistry:
        registry = self.registry_class()
        registry.register("scripted", lambda services: _Scripted(services, self))
        return registry

    def _tool(self, name: str) -> Tool:
        async def function(
            context: UserExecutionContext, arguments: Mapping[str, Any]
        ) -> str:
            return await self.environment.toolbox.run(
                name, arguments["argument"], lambda: self._tool_identity(context)
            )

        return Tool(name, function, parameters=frozenset({"argument"}))

    def _tool_identity(self, context: UserExecutionContext) -> str:
        """The user on whose behalf a tool call of this context acts."""
        current = current_context.get(None)
        return context.user_id if current is None else current.user_id

    # Operations.

    async def connect(
        self, user: str, *, claims_to_be: str | None = None, forged: bool = False
    ) -> _Client:
        """A real `websockets` client with a token of the user."""
        token = self.environment.new_id("token")
        if not forged:
            self._tokens[token] = user
        host, port = self.manager.address
        named = quote(claims_to_be or user)
        connection = await connect_client(
            f"ws://{host}:{port}/?user_id={named}",
            additional_headers={
                "Authorization": f"Bearer {token}",
                "X-User-Id": named,
            },
            compression=None,
            ping_interval=None,
            close_timeout=2,
            proxy=None,
        )
        return _Client(connection)

    async def open_context(
        self, user: str, thread: str, metadata: dict[str, Any]
    ) -> UserExecutionEngine:
        """An engine of the user's own from the factory."""
        ids = self.environment.new_id
        context = self.context_class.create(
            user_id=user,
            thread_id=thread,
            run_id=ids("context"),
            ids=ids,
            metadata=metadata,
        )
        return await self.factory.create_for_user(context)

    async def run_agent(
        self, user: str, context: UserExecutionEngine, agent: ScriptedAgent
    ) -> Any:
        """`execute_agent` with the scripted agent."""
        thread = context.user_context.thread_id
        request = AgentRequest(user, thread, agent.name, agent)
        result = await context.execute_agent("scripted", request)
        if not result.success:
            raise AgentFailure(result.error, result)
        return result

    async def cancel_run(
        self, user: str, context: UserExecutionEngine, run: str
    ) -> None:
        """`cancel` of the engine."""
        context.cancel(run)

    async def read(self, user: str, context: UserExecutionEngine) -> Mapping[str, Any]:
        """Every view of a user's own data that the engine offers."""
        context.require_owner(user)
        return {
            "entries": await context.memory.entries(),
            "search": await context.memory.search("k"),
            "conversation": context.conversation,
            "run_history": context.run_history,
            "metadata": context.user_context.metadata,
            "statistics": context.tool_dispatcher.statistics(),
        }

    async def write(
        self, user: str, context: UserExecutionEngine, key: str, value: str
    ) -> None:
        """`remember` of the engine's memory."""
        context.require_owner(user)
        await context.memory.remember(key, value)

    async def erase(self, user: str, context: UserExecutionEngine) -> None:
        """`erase` of the engine's memory."""
        context.require_owner(user)
        await context.memory.erase()

    async def cleanup_context(self, user: str, context: UserExecutionEngine) -> None:
        """`cleanup_engine` of the factory."""
        context.require_owner(user)
        await self.factory.cleanup_engine(context)

    async def cleanup_user(self, user: str) -> None:
        """Engines, connections and undelivered messages of the user."""
        await self.factory.cleanup_user_context(user)
        await self.manager.disconnect_user(user)
        self.manager.forget_user(user)

    async def shutdown(self) -> None:
        """The factory, the server and the database, in this order."""
        try:
            await self.factory.shutdown()
        finally:
            try:
                await self.manager.stop()
            finally:
                await self.database.dispose()

    def identity(self) -> str | None:
        """The engine's `current_context`."""
        current = current_context.get(None)
        return None if current is None else current.user_id

    def observe(self) -> Iterable[Row]:
        """The table of memories, read by SQL on the observer's own connection."""
        connection = self.environment.observe()
        try:
            rows = connection.execute(
                "SELECT user_id, thread_id, key, value FROM memories "
                "ORDER BY user_id, thread_id, key"
            ).fetchall()
        finally:
            connection.close()
        return [Row(*row) for row in rows]

    def shared(self) -> Iterable[Any]:
        """The objects that the factory hands to every engine, and this adapter."""
        return (self, self.database, self.manager, self.factory, self.environment)

    def gauges(self, user: str | None) -> Mapping[str, float]:
        """Engines, connections and queued messages, as the engine counts them."""
        if user is not None:
            return {
                "active_contexts": self.factory.get_active_contexts().get(user, 0),
                "connections": self.manager.connections(user),
                "queued_events": self.manager.pending(user),
            }
        statistics = self.manager.statistics()
        return {
            "active_contexts": self.factory.metrics().active,
            "connections": statistics.connections,
            "queued_events": statistics.pending,
        }


class _Compiled(dict[tuple[Any, ...], Any]):
    """Compiled statements that the database engines of all runs share.

    SQLAlchemy's key begins with the dialect object, and each engine has its own. The
    compiled statement depends only on the dialect's class and version. A production
    engine compiles once; compiling in every run took 8 % of its time.
    """

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return super().get((type(key[0]), *key[1:]), default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        super().__setitem__((type(key[0]), *key[1:]), compiled)


_COMPILED = _Compiled()


class _Client:
    """A `websockets` client as the contract's `Client`."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    @property
    def close_code(self) -> int | None:
        return self.connection.close_code

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        try:
            while True:
                yield await self.connection.recv()
        except ConnectionClosed:
            return

    async def close(self) -> None:
        await self.connection.close()

    def abort(self) -> None:
        self.connection.transport.abort()


class _Scripted(Agent):
    """An ordinary agent of the reference engine that performs a script."""

    def __init__(self, services: AgentServices, adapter: ReferenceAdapter) -> None:
        super().__init__(services)
        self.adapter = adapter

    async def run(self, request: AgentRequest) -> Any:
        agent: ScriptedAgent = request.input
        return await agent.perform(self)

    def identity(self) -> str | None:
        return self.adapter.identity()

    async def think(self, prompt: str) -> Any:
        answer = await self.services.think(prompt)
        return self.adapter.shown.get(self.services.context.run_id), answer

    async def call_tool(self, tool: str, argument: str) -> ToolOutcome:
        result = await self.services.tools.execute_tool(tool, {"argument": argument})
        return ToolOutcome(result.success, result.result, result.error)

    async def write_state(self, key: str, value: str) -> None:
        self.services.state[key] = value

    async def read_state(self) -> Any:
        return self.services.state

    async def remember(self, key: str, value: str) -> None:
        await self.services.memory.remember(key, value)

    async def recall(self, key: str) -> Any:
        return await self.services.memory.recall(key)

    async def transact(
        self, items: Iterable[tuple[str, str]], error: Exception | None
    ) -> None:
        own = self.services.context

        async def work(session: AsyncSession) -> None:
            for key, value in items:
                await store_memory(session, (own.user_id, own.thread_id), key, value)
            if error is not None:
                raise error

        await self.services.sessions.run(work)

    async def emit(self, payload: str) -> None:
        self.services.emit({"payload": payload})

    async def spawn(self, agent: ScriptedAgent) -> Any:
        result = await self.services.spawn("scripted", agent)
        if not result.success:
            message = f"child failed: {result.error}"
            raise AgentFailure(message)
        return result

    async def sleep(self, seconds: float) -> None:
        await self.services.sleep(seconds)
