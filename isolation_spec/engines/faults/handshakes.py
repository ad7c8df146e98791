"""Clients that disconnect while they are being authenticated."""

from __future__ import annotations

import asyncio
from collections import deque

from websockets.asyncio.server import ServerConnection

from isolation_spec.contract.environment import Environment
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import WebSocketManager
from isolation_spec.engines.reference.adapter import ReferenceAdapter

__all__ = ["FAULTS"]


class _CancellingManager(WebSocketManager):
    """Cancels the authentication of a client that disconnects."""

    async def _authenticate(self, socket: ServerConnection) -> str | None:
        loop = asyncio.get_running_loop()
        authentication = loop.create_task(super()._authenticate(socket))
        gone = socket.connection_lost_waiter
        await asyncio.wait((authentication, gone), return_when=asyncio.FIRST_COMPLETED)
        if not authentication.done():
            authentication.cancel()
            await asyncio.wait((authentication,))
        return None if authentication.cancelled() else authentication.result()


class _PipelinedLoginAdapter(ReferenceAdapter):
    """One pipelined connection to the identity service. It is reset only when no client
    waits, so a reply to a client that left goes to the next client."""

    manager_class = _CancellingManager

    async def start(self, environment: Environment) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._replies: deque[str | None] = deque()
        await super().start(environment)

    async def authenticate(self, token: str) -> str | None:
        self._waiting += 1
        try:
            async with self._turn:
                self._replies.append(self._tokens.get(token))
                await self.environment.completion()
                return self._replies.popleft()
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._replies.clear()


LOGIN_TO_NEXT = Fault(
    id="login-to-next",
    source="redis/redis-py #2665, under an identity service: the reply about a client "
    "that left is taken for the reply about the next client",
    claims=frozenset({"event-routing"}),
    adapter=_PipelinedLoginAdapter,
)


class _HandoverLock:
    """A lock that hands the turn to the first in line, even if it has left."""

    def __init__(self) -> None:
        self._taken = False
        self._line: deque[asyncio.Event] = deque()

    async def __aenter__(self) -> None:
        if self._taken:
            turn = asyncio.Event()
            self._line.append(turn)
            await turn.wait()
        self._taken = True

    async def __aexit__(self, *error: object) -> None:
        if self._line:
            self._line.popleft().set()
        else:
            self._taken = False


class _QueuedLoginAdapter(ReferenceAdapter):
    manager_class = _CancellingManager

    async def start(self, environment: Environment) -> None:
        self._turn = _HandoverLock()
        await super().start(environment)

    async def authenticate(self, token: str) -> str | None:
        async with self._turn:
            return await super().authenticate(token)


TURN_OF_NOBODY = Fault(
    id="turn-of-nobody",
    source="python/asyncio #393: a waiter that has left is handed the turn, and keeps "
    "it for ever",
    claims=frozenset({"event-routing"}),
    adapter=_QueuedLoginAdapter,
)


class _SharedLookupAdapter(ReferenceAdapter):
    """The first client's lookup serves all clients that connect meanwhile."""

    manager_class = _CancellingManager

    async def start(self, environment: Environment) -> None:
        self._followers: list[asyncio.Event] | None = None
        await super().start(environment)

    async def authenticate(self, token: str) -> str | None:
        if self._followers is not None:
            answered = asyncio.Event()
            self._followers.append(answered)
            await answered.wait()
            return self._tokens.get(token)
        self._followers = []
        user = await super().authenticate(token)
        for follower in self._followers:
            follower.set()
        self._followers = None
        return user


FIRST_LEAVES = Fault(
    id="first-leaves",
    source="oklabflensburg/open-city-planner #7, in a handshake: one lookup for all "
    "clients ends with the client that began it",
    claims=frozenset({"event-routing"}),
    adapter=_SharedLookupAdapter,
)


class _SeveredAdapter(ReferenceAdapter):
    """A client that leaves closes the connection to the identity service for all."""

    manager_class = _CancellingManager

    async def start(self, environment: Environment) -> None:
        self._connection = 0
        await super().start(environment)

    async def authenticate(self, token: str) -> str | None:
        connection = self._connection
        try:
            user = await super().authenticate(token)
        except asyncio.CancelledError:
            self._connection += 1
            raise
        return user if connection == self._connection else None


TAKEN_FOR_STRANGER = Fault(
    id="taken-for-stranger",
    source="pydantic/pydantic-ai #2818, in a handshake: a client that leaves closes "
    "the connection to the identity service, which then knows no other client",
    claims=frozenset({"noninterference"}),
    adapter=_SeveredAdapter,
)


FAULTS = (
    FIRST_LEAVES,
    LOGIN_TO_NEXT,
    TAKEN_FOR_STRANGER,
    TURN_OF_NOBODY,
)
