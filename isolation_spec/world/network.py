"""In-memory sockets that behave as stock asyncio shows real loopback sockets.

A connection is two pipes. Bytes written are in flight at once; they arrive when the
scheduler says so, joined, as a selector finds them, or piece by piece if the schedule
splits. End of stream never arrives in the same turn as data. A transport registers its
reader as the selector loop does, so a callback runs in the context of whoever resumed
reading (CPython issue 140947 included).
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import inspect
import socket
from asyncio import base_events
from collections import deque
from collections.abc import Callable
from typing import Any

from isolation_spec.world.loop import REQUESTER, WorldLoop
from isolation_spec.world.scheduler import Source

__all__ = ["Network", "NetworkLoop"]

_CAPACITY = 64 * 1024
_MOST_READ = 256 * 1024
_END = b""
_RESET = None
_ATTACH_TAKES_TRANSPORT = bool(
    set(inspect.signature(base_events.Server._attach).parameters)  # type: ignore[attr-defined]
    - {"self"}
)


class _Pipe:
    """One direction of a connection: what is in flight, and who will read it."""

    def __init__(self, loop: NetworkLoop, name: str, chain: str) -> None:
        self.loop = loop
        self.chain = chain
        self.source = Source(name)
        self.chunks: deque[bytes | None] = deque()
        self.in_flight = 0
        self.broken = False
        self.window_closed = False
        self.reader: MemoryTransport | None = None
        self.writer: MemoryTransport | None = None

    def room(self) -> int:
        return 0 if self.window_closed else _CAPACITY - self.in_flight

    def close_window(self) -> None:
        """Nothing arrives any more, and nothing more is in flight."""
        self.window_closed = True
        self.loop.scheduler.withdraw(self.source)

    def open_window(self) -> None:
        """What is in flight and what was held back may arrive again."""
        if self.window_closed:
            self.window_closed = False
            self.offer()
            if self.writer is not None:
                self.writer.offer_room()

    def put(self, chunk: bytes | None) -> None:
        """Bytes, or the end of the stream, or its reset, are in flight."""
        self.chunks.append(chunk)
        self.in_flight += len(chunk or b"")
        self.offer()

    def break_off(self) -> None:
        """Whoever writes from now on learns that nobody reads (connection reset)."""
        self.broken = True
        self.chunks.clear()
        self.in_flight = 0
        if self.writer is not None:
            self.writer.offer_room()
        self.loop.scheduler.withdraw(self.source)

    def offer(self) -> None:
        """An arrival is pending whenever there is something and somebody reads."""
        reading = self.reader is not None and self.reader.is_readable()
        reading = reading and not self.window_closed
        if self.chunks and reading and not self.source.arrivals:
            self.loop.scheduler.post(self.source, self.chain, self._arrive)

    def _arrive(self) -> None:
        if self.reader is not None:
            self.reader.wake_reader()

    def take(self) -> bytes | None:
        """What one read of the socket gives: bytes, `_END` or `_RESET`."""
        chunk = self.chunks.popleft()
        if not chunk:
            return chunk
        if self.chunks and not self.loop.scheduler.schedule.split:
            chunk = self._join(chunk)
        self.in_flight -= len(chunk)
        if self.writer is not None:
            self.writer.offer_room()
        return chunk

    def _join(self, chunk: bytes) -> bytes:
        parts, size = [chunk], len(chunk)
        while self.chunks and (following := self.chunks[0]) and size < _MOST_READ:
            self.chunks.popleft()
            parts.append(following)
            size += len(following)
        return b"".join(parts)


class MemoryTransport(asyncio.Transport):
    """One end of an in-memory connection, with the behaviour of a selector
    transport."""

    def __init__(
        self,
        loop: NetworkLoop,
        incoming: _Pipe,
        outgoing: _Pipe,
        addresses: tuple[tuple[str, int], tuple[str, int]],
        requester: int | None,
        *,
        is_client: bool,
    ) -> None:
        super().__init__({"sockname": addresses[0], "peername": addresses[1]})
        self._loop = loop
        self.incoming = incoming
        self._outgoing = outgoing
        self.requester = requester
        self.is_client = is_client
        self._protocol: Any = None
        self._server: base_events.Server | None = None
        self._reader: asyncio.Handle | None = None
        self._paused = self._closing = self._closed = False
        self._ended = self._end_wanted = self._writing_paused = False
        self._reset_sent = False
        self._buffer = bytearray()
        self._room = Source("room to write")
        self._high, self._low = 64 * 1024, 16 * 1024

    def attach(
        self,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None],
        server: base_events.Server | None = None,
    ) -> None:
        """Binds the protocol, in the same three callbacks as a selector transport."""
        self._protocol = protocol
        self._server = server
        self._loop.network.transports[self] = None
        if server is not None:
            arguments = (self,) if _ATTACH_TAKES_TRANSPORT else ()
            server._attach(*arguments)  # type: ignore[attr-defined]
        self._loop.call_soon(protocol.connection_made, self)
        self._loop.call_soon(self._add_reader)
        self._loop.call_soon(_set_result_unless_done, waiter)

    # Reading

    def is_readable(self) -> bool:
        """True while a reader is registered."""
        return self._reader is not None

    def is_reading(self) -> bool:
        """True unless paused or closing."""
        return not self._paused and not self._closing

    def _add_reader(self) -> None:
        if self.is_reading():
            self._reader = asyncio.Handle(self._read_ready, (), self._loop)
            self.incoming.reader = self
            self.incoming.offer()

    def _remove_reader(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None
            self._loop.scheduler.withdraw(self.incoming.source)

    def pause_reading(self) -> None:
        """Nothing arrives until reading is resumed."""
        if self.is_reading():
            self._paused = True
            self._remove_reader()

    def resume_reading(self) -> None:
        """What is in flight may arrive again."""
        if self._paused and not self._closing:
            self._paused = False
            self._add_reader()

    def wake_reader(self) -> None:
        """The selector reports the socket as readable."""
        if self._reader is not None:
            self._loop._ready.append(self._reader)

    def _read_ready(self) -> None:
        if not self.incoming.chunks:
            return
        data = self.incoming.take()
        if data:
            self._protocol.data_received(data)
            self.incoming.offer()
        elif data is _RESET:
            self._lose(ConnectionResetError("connection reset by peer"))
        else:
            self._remove_reader()
            if not self._protocol.eof_received():
                self.close()

    # Writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Sends at once what the socket takes, and keeps the rest."""
        if self._end_wanted:
            message = "cannot call write() after write_eof()"
            raise RuntimeError(message)
        if not data or self._closed:
            return
        if self._outgoing.broken:
            self._write_to_nobody()
            return
        self._buffer += data
        self._flush()
        if len(self._buffer) > self._high and not self._writing_paused:
            self._writing_paused = True
            self._protocol.pause_writing()

    def _write_to_nobody(self) -> None:
        """The first write is answered by a reset; the next one fails at once."""
        if self._reset_sent:
            self._lose(BrokenPipeError(32, "broken pipe"))
        else:
            self._reset_sent = True
            self.incoming.put(_RESET)

    def offer_room(self) -> None:
        """The other end has read: the socket becomes writable for what is buffered."""
        pipe = self._outgoing
        writable = pipe.room() > 0 or pipe.broken
        if self._buffer and writable and not self._room.arrivals:
            self._loop.scheduler.post(
                self._room, self._outgoing.chain, self._wake_writer
            )

    def _wake_writer(self) -> None:
        self._loop.call_soon(self._write_ready)

    def _write_ready(self) -> None:
        if self._outgoing.broken:
            self._lose(ConnectionResetError("connection reset by peer"))
            return
        self._flush()
        if self._writing_paused and len(self._buffer) <= self._low:
            self._writing_paused = False
            self._protocol.resume_writing()
        if self._buffer:
            self.offer_room()

    def _flush(self) -> None:
        room = self._outgoing.room()
        if self._buffer and room > 0:
            self._outgoing.put(bytes(self._buffer[:room]))
            del self._buffer[:room]
        if not self._buffer and not self._ended:
            if self._end_wanted:
                self._end()
            elif self._closing and not self._closed:
                self._finish(None)

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._outgoing.put(_END)

    def write_eof(self) -> None:
        """Ends this direction once everything is sent."""
        if not self._closing and not self._end_wanted:
            self._end_wanted = True
            if not self._buffer:
                self._end()

    def can_write_eof(self) -> bool:
        """A socket can be closed in one direction."""
        return True

    def get_write_buffer_size(self) -> int:
        """Bytes that the socket did not take yet."""
        return len(self._buffer)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """(low, high) in bytes."""
        return (self._low, self._high)

    def set_write_buffer_limits(
        self, high: int | None = None, low: int | None = None
    ) -> None:
        """As asyncio's flow control has it."""
        if high is None:
            high = 64 * 1024 if low is None else 4 * low
        self._high, self._low = high, high // 4 if low is None else low

    # Closing

    def is_closing(self) -> bool:
        """True from `close` or `abort` on."""
        return self._closing

    def close(self) -> None:
        """Sends what is buffered, then closes."""
        if self._closing:
            return
        self._closing = True
        self._remove_reader()
        if not self._buffer:
            self._finish(None)

    def abort(self) -> None:
        """Drops what is buffered and closes; what is in flight still arrives."""
        self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        self._buffer.clear()
        self._closing = True
        self._remove_reader()
        self._finish(error)

    def _finish(self, error: Exception | None) -> None:
        if not self._closed:
            self._closed = True
            self._loop.call_soon(self._connection_lost, error)

    def _connection_lost(self, error: Exception | None) -> None:
        try:
            if self._protocol is not None:
                self._protocol.connection_lost(error)
        finally:
            self.hang_up()
            self._protocol = None
            if self._server is not None:
                arguments = (self,) if _ATTACH_TAKES_TRANSPORT else ()
                self._server._detach(*arguments)  # type: ignore[attr-defined]
                self._server = None

    def hang_up(self, *, reset: bool = False) -> None:
        """The socket itself is closed; with bytes unread, that resets the
        connection."""
        self._closing = self._closed = True
        self._loop.network.transports.pop(self, None)
        self._loop.scheduler.withdraw(self._room)
        if reset or any(self.incoming.chunks):
            self._outgoing.put(_RESET)
            self._ended = True
        self.incoming.break_off()
        self._end()

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol bound to this end."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Binds another protocol."""
        self._protocol = protocol


class _Listener:
    """A listening socket; `asyncio.Server` sees what it needs of one."""

    family = socket.AF_INET
    type = socket.SOCK_STREAM
    proto = socket.IPPROTO_TCP

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.source = Source(f"listener on port {address[1]}")
        self.accept: Callable[[MemoryTransport], None] | None = None

    def listen(self, backlog: int) -> None:
        """Nothing to do: connecting finds the listener by its port."""

    def getsockname(self) -> tuple[str, int]:
        """(host, port)."""
        return self.address


class Network:
    """All listeners and connections of one world; ports count up from 40001."""

    def __init__(self) -> None:
        self.listeners: dict[int, _Listener] = {}
        self.transports: dict[MemoryTransport, None] = {}
        self.last_port = 40_000


class NetworkLoop(WorldLoop):
    """A world loop with connections; whatever needs a real descriptor is refused."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.network = Network()

    def _new_port(self) -> int:
        self.network.last_port += 1
        return self.network.last_port

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        *,
        start_serving: bool = True,
        backlog: int = 100,
        **options: Any,
    ) -> base_events.Server:
        """A real `asyncio.Server` on an in-memory listener; TLS is not simulated."""
        _refuse(options)
        listener = _Listener((host or "127.0.0.1", port or self._new_port()))
        if listener.address[1] in self.network.listeners:
            message = f"bind on address {listener.address}: address already in use"
            raise OSError(errno.EADDRINUSE, message)
        # In 3.11 to 3.13 the arguments after these have the same meaning and order.
        server = base_events.Server(
            self,
            [listener],  # type: ignore[list-item]
            protocol_factory,
            None,
            backlog,
            None,
        )
        if start_serving:
            server._start_serving()  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        return server

    def _start_serving(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        listener: _Listener,
        ssl_context: Any = None,
        server: base_events.Server | None = None,
        *_: Any,
    ) -> None:
        context = contextvars.copy_context()

        def accept(transport: MemoryTransport) -> None:
            # As the selector loop: the context is that of whoever started serving. The
            # requester is added to it so that what it causes is known to be theirs.
            own = context.copy()
            own.run(REQUESTER.set, transport.requester)
            handle = asyncio.Handle(
                self._accept, (protocol_factory, transport, server), self, own
            )
            self._ready.append(handle)

        listener.accept = accept
        self.network.listeners[listener.address[1]] = listener

    def _accept(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        transport: MemoryTransport,
        server: base_events.Server | None,
    ) -> None:
        async def serve() -> None:
            waiter = self.create_future()
            try:
                transport.attach(protocol_factory(), waiter, server)
            except Exception:
                # As the selector loop: a server that was closed meanwhile refuses the
                # transport, silently, and the socket closes.
                transport.hang_up()
            else:
                await waiter

        self.create_task(serve())

    def _stop_serving(self, listener: _Listener) -> None:
        self.network.listeners.pop(listener.address[1], None)
        for arrival in tuple(listener.source.arrivals):
            arrival.deliver()
        self.scheduler.withdraw(listener.source)

    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        **options: Any,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """A connection to a listener of this world.

        Raises:
            ConnectionRefusedError: nothing listens on the port.
        """
        _refuse(options)
        listener = self.network.listeners.get(port or 0)
        client, server = self._pair(listener, port or 0)
        connected = self.create_future()
        source = Source("connecting socket")
        self.scheduler.post(
            source,
            self.new_chain("connect"),
            lambda: _set_result_unless_done(connected),
        )
        if listener is not None:
            self._post_accept(listener, server)
        try:
            await connected
        except BaseException:
            self.scheduler.withdraw(source)
            client.hang_up()
            raise
        if listener is None:
            raise ConnectionRefusedError(111, f"nothing listens on port {port}")
        protocol, waiter = protocol_factory(), self.create_future()
        client.attach(protocol, waiter)
        try:
            await waiter
        except BaseException:
            client.close()
            raise
        return client, protocol

    def _post_accept(self, listener: _Listener, server: MemoryTransport) -> None:
        def arrive() -> None:
            if listener.address[1] in self.network.listeners and listener.accept:
                listener.accept(server)
            else:
                server.hang_up(reset=True)

        self.scheduler.post(listener.source, self.chain("accept"), arrive)

    def _pair(
        self, listener: _Listener | None, port: int
    ) -> tuple[MemoryTransport, MemoryTransport]:
        host = listener.address[0] if listener else "127.0.0.1"
        near, far = (host, self._new_port()), (host, port)
        forth = _Pipe(self, "bytes to the server", self.new_chain("to-server"))
        back = _Pipe(self, "bytes to the client", self.new_chain("to-client"))
        requester = REQUESTER.get()
        client = MemoryTransport(
            self, back, forth, (near, far), requester, is_client=True
        )
        server = MemoryTransport(
            self, forth, back, (far, near), requester, is_client=False
        )
        forth.writer, back.writer = client, server
        return client, server


def _refuse(options: dict[str, Any]) -> None:
    wanted = sorted(name for name, value in options.items() if value)
    refused = [n for n in wanted if n in ("ssl", "sock", "server_hostname")]
    if refused:
        message = (
            f"the simulated network has no {', '.join(refused)}: "
            "connect by host and port, without TLS"
        )
        raise NotImplementedError(message)


def _set_result_unless_done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
