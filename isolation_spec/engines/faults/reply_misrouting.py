"""Reply misrouting: all users share one connection, and a reply goes to another
user."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.builders import (
    engine_of,
    with_fresh_engine,
    with_memory,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    DatabaseSessionManager,
    Message,
    ToolDispatcher,
    UserExecutionContext,
    UserExecutionEngine,
    UserMemory,
)
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.reference.storage import store_memory

__all__ = ["FAULTS"]


class _PipelinedAdapter(ReferenceAdapter):
    """Keeps an unanswered request in line even if its caller has been cancelled."""

    async def start(self, environment: Environment) -> None:
        self._turn = asyncio.Lock()
        self._replies: deque[str] = deque()
        await super().start(environment)

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        async with self._turn:
            self._replies.append(f"answer to {messages[-1].content}")
            await super().answer(context, messages)
            return self._replies.popleft()


REPLY_TO_NEXT = Fault(
    id="reply-to-next",
    source="ChatGPT incident of 2023-03-20, redis/redis-py #2624: the reply to a "
    "cancelled request goes to the next user",
    claims=frozenset({"context-ownership"}),
    adapter=_PipelinedAdapter,
)


def _with_tool_connection() -> type[UserExecutionEngine]:
    # An engine class is made before its loop runs, a lock when it is first used.
    locks: list[asyncio.Lock] = []
    results: deque[Any] = deque()

    class Dispatcher(ToolDispatcher):
        async def _run_tool(
            self, context: UserExecutionContext, name: str, arguments: Mapping[str, Any]
        ) -> Any:
            if name != "slow":
                return await super()._run_tool(context, name, arguments)
            if not locks:
                locks.append(asyncio.Lock())
            async with locks[0]:
                results.append(arguments.get("argument"))
                await super()._run_tool(context, name, arguments)
                return results.popleft()

    return engine_of(dispatcher_class=Dispatcher)


RESULT_TO_NEXT = Fault(
    id="result-to-next",
    source="redis/redis-py #2632: the same in a second client, which the first fix did "
    "not cover",
    claims=frozenset({"tool-isolation", "context-ownership"}),
    adapter=with_fresh_engine(_with_tool_connection),
)


class _BlockedAdapter(ReferenceAdapter):
    """A caller cancelled while it waits for a reply leaves the lock locked."""

    async def start(self, environment: Environment) -> None:
        self._turn = asyncio.Lock()
        await super().start(environment)

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        await self._turn.acquire()
        answer = await super().answer(context, messages)
        self._turn.release()
        return answer


LINE_BLOCKED = Fault(
    id="line-blocked",
    source="jonathanslenders/asyncio-redis #37: a cancelled request stays at the head "
    "of the line, and blocks every later one",
    claims=frozenset({"error-containment"}),
    adapter=_BlockedAdapter,
)


class _SlottedAdapter(ReferenceAdapter):
    """Delivers a reply to the request that holds the slot of its number on arrival."""

    async def start(self, environment: Environment) -> None:
        self._waiting: dict[int, str] = {}
        await super().start(environment)

    async def answer(
        self, context: UserExecutionContext, messages: tuple[Message, ...]
    ) -> str:
        # Every client counts its own requests from 1.
        number = len(messages)
        self._waiting[number] = messages[-1].content
        await super().answer(context, messages)
        return f"answer to {self._waiting.get(number)}"


SLOT_TAKEN = Fault(
    id="slot-taken",
    source="modelcontextprotocol/python-sdk #3060: a second request of the same number "
    "takes the slot of the first",
    claims=frozenset({"context-ownership"}),
    adapter=_SlottedAdapter,
)


def _with_shared_batch() -> type[UserExecutionEngine]:
    waiting: dict[asyncio.Future[Any], None] = {}

    class Dispatcher(ToolDispatcher):
        async def _run_tool(
            self, context: UserExecutionContext, name: str, arguments: Mapping[str, Any]
        ) -> Any:
            failed = asyncio.get_running_loop().create_future()
            waiting[failed] = None
            try:
                result = await super()._run_tool(context, name, arguments)
            except Exception as error:
                for other in waiting:
                    if other is not failed and not other.done():
                        other.set_result(error)
                raise
            finally:
                del waiting[failed]
            if failed.done():
                raise failed.result()
            return result

    return engine_of(dispatcher_class=Dispatcher)


BATCH_FAILS = Fault(
    id="batch-fails",
    source="LangGraph batched store: one bad item fails every call of its batch with "
    "the same exception",
    claims=frozenset({"tool-isolation", "context-ownership"}),
    adapter=with_fresh_engine(_with_shared_batch),
)


def _with_batches() -> type[UserMemory]:
    """Stores all writes that arrive during one batch as the next, all or nothing."""
    waiting: list[tuple[tuple[str, str], str, str, asyncio.Future[None]]] = []
    storing: list[asyncio.Task[None]] = []

    async def store_all(sessions: DatabaseSessionManager) -> None:
        while waiting:
            batch, waiting[:] = tuple(waiting), []

            async def store(session: AsyncSession, batch: Any = batch) -> None:
                for owner, key, value, _ in batch:
                    await store_memory(session, owner, key, value)

            failure: Exception | None = None
            try:
                await sessions.run(store)
            except Exception as error:
                failure = error
            for *_, stored in batch:
                if stored.done():
                    continue
                if failure is None:
                    stored.set_result(None)
                else:
                    stored.set_exception(failure)

    class Memory(UserMemory):
        async def remember(self, key: str, value: str) -> None:
            loop = asyncio.get_running_loop()
            stored = loop.create_future()
            waiting.append((self._owner(), key, value, stored))
            if not storing or storing[0].done():
                storing[:] = [loop.create_task(store_all(self._sessions))]
            await stored

    return Memory


BATCH_REFUSED = Fault(
    id="batch-refused",
    source="LangGraph batched store, datastore-ndb #196: a value that cannot be stored "
    "fails every write of its batch with an error that shows it",
    claims=frozenset({"context-ownership", "error-containment", "event-routing"}),
    adapter=with_memory(_with_batches),
)

FAULTS = (
    BATCH_FAILS,
    BATCH_REFUSED,
    LINE_BLOCKED,
    REPLY_TO_NEXT,
    RESULT_TO_NEXT,
    SLOT_TAKEN,
)
