"""Clients who leave while it is being found out who they are."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from websockets.asyncio.server import ServerConnection

from isolation_spec.adapter import Environment
from isolation_spec.adapters.reference import ReferenceAdapter
from isolation_spec.engine import WebSocketManager
from isolation_spec.engine.mailbox import Channel
from isolation_spec.faults.fault import Fault
from isolation_spec.faults.parts import with_manager

__all__ = ["FAULTS"]


class _Impatient(WebSocketManager):
    """Asks no further about a client who has left."""

    async def _authenticate(self, socket: ServerConnection) -> str | None:
        loop = asyncio.get_running_loop()
        asking = loop.create_task(super()._authenticate(socket))
        gone = socket.connection_lost_waiter
        await asyncio.wait((asking, gone), return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            asking.cancel()
            await asyncio.wait((asking,))
        return None if asking.cancelled() else asking.result()


class _OneLogin(ReferenceAdapter):
    """What was asked and not yet answered stays in line, also if the client left."""

    manager_class = _Impatient

    async def start(self, environment: Environment) -> None:
        self._turn = asyncio.Lock()
        self._replies: deque[str | None] = deque()
        await super().start(environment)

    async def authenticate(self, token: str) -> str | None:
        async with self._turn:
            self._replies.append(self._tokens.get(token))
            await self.environment.completion()
            return self._replies.popleft()


LOGIN_TO_NEXT = Fault(
    id="login-to-next",
    mechanism="handshakes",
    source="redis/redis-py #2665, under an identity service: the answer about a "
    "client who left is taken for the one about the next client",
    claims=frozenset({"event-lifecycle", "event-routing"}),
    adapter=_OneLogin,
)


class _RecyclingManager(WebSocketManager):
    """A connection is in the rooms of its record, and records are used again."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._rooms: dict[ServerConnection, set[str]] = {}
        self._spare: list[set[str]] = []

    async def _authenticate(self, socket: ServerConnection) -> str | None:
        rooms = self._rooms[socket] = self._spare.pop() if self._spare else set()
        socket.connection_lost_waiter.add_done_callback(lambda _: self._recycle(socket))
        user_id = await super()._authenticate(socket)
        if user_id is not None:
            rooms.add(user_id)
        return user_id

    def _recycle(self, socket: ServerConnection) -> None:
        rooms = self._rooms.pop(socket)
        rooms.clear()
        self._spare.append(rooms)

    def _recipients(self, user_id: str) -> list[Channel]:
        super()._recipients(user_id)
        return [
            channel
            for mailbox in self._mailboxes.values()
            for channel in mailbox.channels.values()
            if user_id in self._rooms.get(channel.socket, ())
        ]


RECORD_REUSED = Fault(
    id="record-reused",
    mechanism="handshakes",
    source="GitHub incident of 2021-03-08: what was still being found out about a "
    "request that is over is written into its record, which another one has by then",
    claims=frozenset({"event-lifecycle", "event-routing"}),
    adapter=with_manager(_RecyclingManager),
)


class _Batched(ReferenceAdapter):
    """Asks about all who came meanwhile at once; who left has no answer to take."""

    manager_class = _Impatient

    async def start(self, environment: Environment) -> None:
        self._tokens_asked: list[str] = []
        self._answers: dict[asyncio.Future[str | None], None] = {}
        self._asking: asyncio.Task[None] | None = None
        await super().start(environment)

    async def authenticate(self, token: str) -> str | None:
        loop = asyncio.get_running_loop()
        answers, answer = self._answers, loop.create_future()
        answers[answer] = None
        self._tokens_asked.append(token)
        if self._asking is None or self._asking.done():
            self._asking = loop.create_task(self._ask())
        try:
            return await answer
        finally:
            answers.pop(answer, None)

    async def _ask(self) -> None:
        while self._tokens_asked:
            tokens, answers = self._tokens_asked, self._answers
            self._tokens_asked, self._answers = [], {}
            await self.environment.completion()
            for answer, token in zip(tuple(answers), tokens, strict=False):
                answer.set_result(self._tokens.get(token))


LEFT_OUT_OF_BATCH = Fault(
    id="left-out-of-batch",
    mechanism="handshakes",
    source="LangGraph batched store: answers are handed out in order to those who "
    "still wait, and one who left shifts all after them",
    claims=frozenset({"event-lifecycle", "event-routing"}),
    adapter=_Batched,
)

FAULTS = (LEFT_OUT_OF_BATCH, LOGIN_TO_NEXT, RECORD_REUSED)
