"""A chat server that tells what agents say to the websockets of their user.

Fixed: nothing is wrong.
FixedRefusing: nothing is wrong; a refused handshake shows the date of its answer.
LogoutOpen: a logout leaves the sockets listening, mcdonc/klangk#3152.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, cast
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_client
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response

from isolation_spec import (
    Adapter,
    Capability,
    Environment,
    EventNames,
    ScriptedAgent,
    Services,
)

Tell = Callable[..., Awaitable[None]]


class Forbidden(Exception):
    """The server does not do this for this user."""


class Chat:
    """One user and agents, on one thread."""

    def __init__(self, user: str, thread: str) -> None:
        self.user = user
        self.thread = thread
        self.is_open = True
        self.runs: dict[str, asyncio.Task[Any]] = {}
        self.endings: set[asyncio.Task[None]] = set()


class Server:
    """Chats, and the sockets on which users hear of what happens in theirs."""

    def __init__(
        self,
        model: Callable[[str], Awaitable[str]],
        store: Callable[[], Awaitable[None]],
        new_id: Callable[[str], str],
    ) -> None:
        self.model = model
        self.store = store
        self.new_id = new_id
        self.tokens: dict[str, str] = {}  # token -> user
        self.chats: list[Chat] = []
        self.sockets: dict[str, list[ServerConnection]] = {}  # user -> sockets
        self.outboxes: dict[str, list[str]] = {}  # user -> what is to be sent
        self.senders: dict[str, asyncio.Task[None]] = {}

    async def start(self, host: str) -> None:
        self.listener = await serve(
            self.serve, host, 0, process_request=self.admit, compression=None
        )
        self.port = next(iter(self.listener.sockets)).getsockname()[1]

    async def stop(self) -> None:
        for user in {chat.user for chat in self.chats}:
            await self.logout(user)
        self.listener.close()
        await self.listener.wait_closed()
        self.tokens.clear()

    # Users and their sockets

    def login(self, user: str) -> str:
        """The token of the user, the same one until they log out."""
        for token, owner in self.tokens.items():
            if owner == user:
                return token
        token = self.new_id("token")
        self.tokens[token] = user
        return token

    async def logout(self, user: str) -> None:
        await self.revoke(user)
        for socket in list(self.sockets.get(user, ())):
            await socket.close()

    async def revoke(self, user: str) -> None:
        for chat in [c for c in self.chats if c.user == user]:
            await self.close(chat)
        self.tokens = {t: owner for t, owner in self.tokens.items() if owner != user}

    async def admit(
        self, connection: ServerConnection, request: Request
    ) -> Response | None:
        await self.store()
        if self.user_of(request) is None:
            return connection.respond(HTTPStatus.UNAUTHORIZED, "Who are you?\n")
        return None

    def user_of(self, request: Request | None) -> str | None:
        headers = {} if request is None else request.headers
        return self.tokens.get(headers.get("Authorization", "").removeprefix("Bearer "))

    async def serve(self, socket: ServerConnection) -> None:
        user = self.user_of(socket.request)
        if user is None:
            return  # logged out since the socket was admitted
        self.sockets.setdefault(user, []).append(socket)
        try:
            async for _ in socket:
                pass
        finally:
            self.sockets[user].remove(socket)
            if not self.sockets[user]:
                del self.sockets[user]

    # Events

    async def send(self, user: str, text: str) -> None:
        """Returns once the text and all that goes before it are sent to the user."""
        self.outboxes.setdefault(user, []).append(text)
        if user not in self.senders:
            self.senders[user] = asyncio.ensure_future(self.send_all(user))
        await asyncio.shield(self.senders[user])

    async def send_all(self, user: str) -> None:
        try:
            while self.outboxes[user]:
                text = self.outboxes[user].pop(0)
                for socket in list(self.sockets.get(user, ())):
                    await self.send_to(socket, text)
        finally:
            del self.outboxes[user]
            del self.senders[user]

    async def send_to(self, socket: ServerConnection, text: str) -> None:
        try:
            async with asyncio.timeout(10):
                await socket.send(text)
        except ConnectionClosed:
            pass
        except TimeoutError:
            socket.transport.abort()

    # Chats and their runs

    def open(self, user: str, thread: str) -> Chat:
        chat = Chat(user, thread)
        self.chats.append(chat)
        return chat

    def check(self, user: str, chat: Chat) -> None:
        if chat.user != user or not chat.is_open:
            raise Forbidden(f"not an open chat of {user}")

    async def run(
        self, user: str, chat: Chat, run: str, work: Callable[[Tell], Awaitable[Any]]
    ) -> Any:
        self.check(user, chat)
        task = asyncio.ensure_future(self.stream(chat, run, work))
        chat.runs[run] = task
        try:
            return await task
        finally:
            del chat.runs[run]

    async def stream(
        self, chat: Chat, run: str, work: Callable[[Tell], Awaitable[Any]]
    ) -> Any:
        told = 0

        async def tell(type: str, payload: str = "") -> None:
            nonlocal told
            told += 1
            event = {
                "run_id": run,
                "user_id": chat.user,
                "type": type,
                "sequence": told,
                "payload": payload,
            }
            await self.send(chat.user, json.dumps(event))

        last = "agent_error"
        try:
            await tell("agent_started")
            result = await work(tell)
            last = "agent_completed"
            return result
        except asyncio.CancelledError:
            last = "agent_cancelled"
            raise
        finally:
            ending = asyncio.ensure_future(tell(last))
            chat.endings.add(ending)
            ending.add_done_callback(chat.endings.discard)
            await asyncio.shield(ending)

    def cancel(self, user: str, chat: Chat, run: str) -> None:
        self.check(user, chat)
        if run not in chat.runs:
            raise Forbidden(f"no run {run} in this chat")
        chat.runs[run].cancel()

    async def close(self, chat: Chat) -> None:
        chat.is_open = False
        runs = list(chat.runs.values())
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, *chat.endings, return_exceptions=True)
        if chat in self.chats:
            self.chats.remove(chat)


class OpenAfterLogout(Server):
    """Refuses the token of a user who has logged out, and does nothing more."""

    async def logout(self, user: str) -> None:
        await self.revoke(user)


class Fixed(Adapter):
    """The server with nothing wrong."""

    capabilities = frozenset({Capability.CONNECTIONS, Capability.CANCEL})
    refusals: ClassVar[tuple[type[Exception], ...]] = (Forbidden,)
    event_names = EventNames()
    server_class: ClassVar[type[Server]] = Server

    async def start(self, environment: Environment) -> None:
        async def model(prompt: str) -> str:
            await environment.completion(prompt)
            return f"answer to {prompt}"

        self.environment = environment
        self.server = self.server_class(
            model, environment.completion, environment.new_id
        )
        await self.server.start(environment.host)

    async def connect(
        self, user: str, *, claims_to_be: str | None = None, forged: bool = False
    ) -> "Client":
        # The answer of the handshake has a date, so no part of it is passed on.
        with contextlib.suppress(InvalidStatus):
            return await self.dial(user, claims_to_be, forged)
        raise Forbidden("401")

    async def dial(self, user: str, claims_to_be: str | None, forged: bool) -> "Client":
        made_up = self.environment.new_id("forged")
        token = made_up if forged else self.server.login(user)
        socket = await connect_client(
            f"ws://{self.environment.host}:{self.server.port}"
            f"/?user={quote(claims_to_be or user)}",
            additional_headers={"Authorization": f"Bearer {token}"},
            compression=None,
            ping_interval=None,
            close_timeout=2,
            proxy=None,
        )
        return Client(socket)

    async def open_context(
        self, user: str, thread: str, metadata: dict[str, Any]
    ) -> Chat:
        return self.server.open(user, thread)

    async def run_agent(self, user: str, context: Chat, agent: ScriptedAgent) -> Any:
        async def work(tell: Tell) -> Any:
            return await agent.perform(cast(Services, Desk(self.server, context, tell)))

        return await self.server.run(user, context, agent.name, work)

    async def cancel_run(self, user: str, context: Chat, run: str) -> None:
        self.server.cancel(user, context, run)

    async def read(self, user: str, context: Chat) -> Mapping[str, Any]:
        self.server.check(user, context)
        return {"thread": context.thread}

    async def cleanup_context(self, user: str, context: Chat) -> None:
        if context.user != user:
            raise Forbidden(f"not a chat of {user}")
        await self.server.close(context)

    async def cleanup_user(self, user: str) -> None:
        await self.server.logout(user)

    async def shutdown(self) -> None:
        await self.server.stop()

    def shared(self) -> Iterable[Any]:
        return (self, self.server, self.environment)

    def gauges(self, user: str | None) -> Mapping[str, float]:
        chats, sockets = self.server.chats, self.server.sockets
        return {
            "chats": sum(user in (None, chat.user) for chat in chats),
            "sockets": sum(len(s) for u, s in sockets.items() if user in (None, u)),
        }


class FixedRefusing(Fixed):
    """Nothing is wrong: what the client library raises is the refusal, headers and
    all."""

    refusals = (Forbidden, InvalidStatus)

    async def connect(
        self, user: str, *, claims_to_be: str | None = None, forged: bool = False
    ) -> "Client":
        return await self.dial(user, claims_to_be, forged)


class LogoutOpen(Fixed):
    """A socket that is open when its user logs out goes on hearing of the user."""

    server_class = OpenAfterLogout


class Client:
    """A client's end of a socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    @property
    def close_code(self) -> int | None:
        return self.socket.close_code

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        try:
            while True:
                yield await self.socket.recv()
        except ConnectionClosed:
            return

    async def close(self) -> None:
        await self.socket.close()

    def abort(self) -> None:
        self.socket.transport.abort()


class Desk:
    """What an agent works with in a run."""

    def __init__(self, server: Server, chat: Chat, tell: Tell) -> None:
        self.server = server
        self.chat = chat
        self.tell = tell

    def identity(self) -> str:
        return self.chat.user

    async def think(self, prompt: str) -> str:
        answer = await self.server.model(prompt)
        await self.tell("token", answer)
        return answer

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def emit(self, payload: str) -> None:
        await self.tell("custom", payload)
