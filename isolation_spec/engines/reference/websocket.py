"""Delivery of events to their user over authenticated WebSocket connections."""

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, cast
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from .errors import ClosedError
from .limits import Limits
from .mailbox import Channel, Letter, Mailbox, Socket
from .waiting import wait_until_done

__all__ = [
    "Authenticator",
    "WebSocketManager",
    "WebSocketStatistics",
    "create_test_websocket_manager",
]

Authenticator = Callable[[str], Awaitable[str | None] | str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketStatistics:
    """`connections` and `pending` are now; the rest counts since the start."""

    connections: int
    pending: int
    accepted: int
    refused: int
    delivered: int
    dropped: int
    overflowed: int


class WebSocketManager:
    """A WebSocket server that sends each user's events to that user alone.

    A connection presents a token, `Authorization: Bearer TOKEN` or `?token=TOKEN`;
    the authenticator resolves it to a user. Messages from clients are ignored.
    `ping_interval`, `close_timeout` and `open_timeout` are in seconds.

    Attributes:
        mailbox_class: the class of each user's mailbox.
    """

    mailbox_class: ClassVar[type[Mailbox]] = Mailbox

    def __init__(
        self,
        authenticator: Authenticator,
        limits: Limits | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        ping_interval: float | None = 20.0,
        close_timeout: float = 1.0,
        open_timeout: float = 10.0,
    ) -> None:
        self._authenticator = authenticator
        self._limits = Limits() if limits is None else limits
        self._host = host
        self._port = port
        self._ping_interval = ping_interval
        self._close_timeout = close_timeout
        self._open_timeout = open_timeout
        self._mailboxes: dict[str, Mailbox] = {}
        self._sockets: dict[Socket, None] = {}
        self._closings: dict[asyncio.Task[None], None] = {}
        self._server: Server | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._sequence = 0
        self._accepted = 0
        self._refused = 0
        self._delivered = 0
        self._dropped = 0
        self._overflowed = 0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the listening socket; `ClosedError` before `start`."""
        if self._server is None or not self._server.sockets:
            message = "the WebSocket server does not listen; await start() first"
            raise ClosedError(message)
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    async def start(self) -> None:
        """Listen; does nothing if it does. Raises `ClosedError` after `stop`."""
        if self._stopping is not None:
            message = "the WebSocket server was stopped; make a new one"
            raise ClosedError(message)
        if self._starting is None:
            # Connections inherit the context of the listening task for ever.
            self._starting = asyncio.get_running_loop().create_task(
                self._listen(), context=self._worker_context()
            )
        try:
            await wait_until_done(self._starting)
        except asyncio.CancelledError:
            await self.stop()
            raise
        self._starting.result()

    async def stop(self) -> None:
        """Close the connections, oldest first, then the server; idempotent.

        Concurrent callers wait for the same end. Takes at most about `close_timeout`
        seconds, `open_timeout` if a handshake is under way.
        """
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(
                self._stop(), context=self._worker_context()
            )
        await wait_until_done(self._stopping)
        self._stopping.result()

    def notify(self, user_id: str, message: str) -> bool:
        """Send to all open connections of the user, or queue; never waits.

        Returns whether an open connection took the message. Otherwise the message waits
        for the next connection. At most `limits.queued_events` messages wait; the
        oldest are dropped and counted.
        """
        self._sequence += 1
        letter = Letter(self._sequence, message)
        for channel in self._recipients(user_id):
            if len(channel.letters) >= self._limits.connection_queue:
                self._overflow(user_id, channel)
                continue
            channel.letters.append(letter)
            channel.flush()
        # Looked up now: an overflow may have removed the user's mailbox.
        mailbox = self._mailbox(user_id)
        if mailbox.channels:
            return True
        self._dropped += mailbox.hold(letter)
        return False

    def connections(self, user_id: str) -> int:
        """How many open connections the user has."""
        mailbox = self._mailboxes.get(user_id)
        if mailbox is None:
            return 0
        return sum(channel.socket.is_open for channel in mailbox.channels.values())

    def pending(self, user_id: str) -> int:
        """How many messages wait for the user's next connection."""
        mailbox = self._mailboxes.get(user_id)
        return 0 if mailbox is None else len(mailbox.pending)

    def statistics(self) -> WebSocketStatistics:
        """A snapshot of the counts of all users together."""
        return WebSocketStatistics(
            connections=sum(self.connections(user_id) for user_id in self._mailboxes),
            pending=sum(self.pending(user_id) for user_id in self._mailboxes),
            accepted=self._accepted,
            refused=self._refused,
            delivered=self._delivered,
            dropped=self._dropped,
            overflowed=self._overflowed,
        )

    async def disconnect_user(self, user_id: str) -> None:
        """Close the user's connections; messages are queued from this moment on."""
        mailbox = self._mailboxes.get(user_id)
        if mailbox is None:
            return
        channels = list(mailbox.channels.values())
        for channel in channels:
            self._unregister(user_id, channel)
        await wait_until_done(
            *[
                self._start_closing(channel.socket, CloseCode.NORMAL_CLOSURE, "")
                for channel in channels
            ]
        )

    def forget_user(self, user_id: str) -> None:
        """Drop the messages that wait for the user's next connection."""
        mailbox = self._mailboxes.get(user_id)
        if mailbox is not None:
            mailbox.pending.clear()
            self._discard_empty(user_id)

    # Seams: the recipients of a message, the end of a registration, the context of a
    # worker task. Subclasses may override them, as planted faults do.

    def _recipients(self, user_id: str) -> list[Channel]:
        """The user's open channels; closed channels are unregistered."""
        mailbox = self._mailbox(user_id)
        for channel in list(mailbox.channels.values()):
            if not channel.socket.is_open:
                self._unregister(user_id, channel)
        return list(self._mailbox(user_id).channels.values())

    def _register(self, user_id: str, socket: Socket) -> Channel:
        self._recipients(user_id)
        channel = Channel(socket, self._worker_context(), self._count_sent)
        socket.channel = channel
        self._mailbox(user_id).add(channel)
        self._accepted += 1
        channel.flush()
        return channel

    def _count_sent(self, letter: Letter) -> None:
        self._delivered += 1

    def _unregister(self, user_id: str, channel: Channel) -> None:
        channel.socket.channel = None
        self._dropped += self._mailbox(user_id).remove(channel)
        self._discard_empty(user_id)

    def _worker_context(self) -> contextvars.Context:
        return contextvars.Context()

    async def _authenticate(self, socket: ServerConnection) -> str | None:
        token = _token(socket)
        if token is None:
            return None
        try:
            user = self._authenticator(token)
            user_id = await user if inspect.isawaitable(user) else user
        except Exception:
            # A token that cannot be resolved counts as refused.
            return None
        return user_id if isinstance(user_id, str) and user_id.strip() else None

    async def _handle(self, connection: ServerConnection) -> None:
        assert isinstance(connection, Socket)
        user_id = await self._authenticate(connection)
        if user_id is None:
            self._refused += 1
            await connection.close(CloseCode.POLICY_VIOLATION, "token refused")
            return
        if self._stopping is not None:
            await connection.close(CloseCode.GOING_AWAY)
        if not connection.is_open:
            return
        channel = self._register(user_id, connection)
        try:
            async for _ in connection:
                pass
        except ConnectionClosed:
            pass
        finally:
            self._unregister(user_id, channel)

    def _mailbox(self, user_id: str) -> Mailbox:
        mailbox = self._mailboxes.get(user_id)
        if mailbox is None:
            mailbox = self.mailbox_class(self._limits.queued_events)
            self._mailboxes[user_id] = mailbox
        return mailbox

    def _discard_empty(self, user_id: str) -> None:
        mailbox = self._mailboxes.get(user_id)
        if mailbox is not None and mailbox.is_empty:
            del self._mailboxes[user_id]

    def _overflow(self, user_id: str, channel: Channel) -> None:
        self._overflowed += 1
        self._unregister(user_id, channel)
        self._start_closing(channel.socket, CloseCode.TRY_AGAIN_LATER, "too slow")

    def _start_closing(
        self, socket: Socket, code: CloseCode, reason: str
    ) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(
            self._close(socket, code, reason), context=self._worker_context()
        )
        self._closings[task] = None
        task.add_done_callback(lambda done: self._closings.pop(done, None))
        return task

    async def _close(self, socket: Socket, code: CloseCode, reason: str) -> None:
        try:
            # The library bounds the closing handshake, but not the writing before it,
            # which a client that does not read would block for ever.
            async with asyncio.timeout(self._close_timeout):
                await socket.close(code, reason)
        except TimeoutError:
            if not socket.is_made:
                self._sockets.pop(socket, None)
                return
            socket.transport.abort()
            await socket.wait_closed()

    async def _listen(self) -> None:
        self._server = await serve(
            self._handle,
            self._host,
            self._port,
            # The library accepts any factory; its annotation is narrower.
            create_connection=cast(type[ServerConnection], self._create_socket),
            ping_interval=self._ping_interval,
            close_timeout=self._close_timeout,
            open_timeout=self._open_timeout,
            compression=None,
        )

    def _create_socket(self, *arguments: Any, **options: Any) -> Socket:
        socket = Socket(*arguments, **options)
        self._sockets[socket] = None
        socket.connection_lost_waiter.add_done_callback(
            lambda _: self._sockets.pop(socket, None)
        )
        if self._stopping is not None:
            self._start_closing(socket, CloseCode.GOING_AWAY, "")
        return socket

    async def _stop(self) -> None:
        if self._starting is not None:
            await asyncio.wait((self._starting,))
        for user_id, mailbox in list(self._mailboxes.items()):
            for channel in list(mailbox.channels.values()):
                self._unregister(user_id, channel)
        for socket in list(self._sockets):
            self._start_closing(socket, CloseCode.GOING_AWAY, "")
        if self._server is not None:
            self._server.close(close_connections=False)
            await self._server.wait_closed()
        while self._closings:
            await asyncio.wait((next(iter(self._closings)),))


def _token(socket: ServerConnection) -> str | None:
    """The one token that the connection presents, or None."""
    request = socket.request
    assert request is not None
    headers = request.headers.get_all("Authorization")
    if headers:
        scheme, _, token = headers[0].partition(" ")
        return (
            token.strip() if len(headers) == 1 and scheme.lower() == "bearer" else None
        )
    tokens = parse_qs(urlsplit(request.path).query).get("token", [])
    return tokens[0] if len(tokens) == 1 else None


async def create_test_websocket_manager(
    authenticator: Authenticator, limits: Limits | None = None, **options: Any
) -> WebSocketManager:
    """A started manager on a free local port; the options are the manager's."""
    manager = WebSocketManager(authenticator, limits, **options)
    await manager.start()
    return manager
