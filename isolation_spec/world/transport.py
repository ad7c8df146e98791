"""The two ends of an in-memory connection, and the pipes between them.

An end behaves as a real loopback socket does under stock asyncio. Written bytes are in
flight at once, and the scheduler chooses when they arrive. They arrive joined, as one
read of a socket returns them, or in the pieces that were written if the schedule
splits. The end of a stream never arrives in the same turn as data.

A transport registers its reader as the selector loop does. So a callback runs in the
context of the code that resumed reading (CPython issue 140947 included).
"""

from __future__ import annotations

import asyncio
import inspect
from asyncio import base_events
from collections import deque
from typing import Any

from isolation_spec.world.loop import WorldLoop
from isolation_spec.world.schedulers.base import Source

__all__ = ["MemoryTransport", "Pipe", "set_result_unless_done"]

_CAPACITY = 64 * 1024
"""Bytes in flight in one direction before the writer has to buffer."""
_MOST_READ = 256 * 1024
"""Bytes after which one read ends, as in asyncio's selector transport."""
_END = b""
_RESET = None
# A selector transport calls private methods of its server, here and below. The stubs of
# asyncio leave them out; canary tests watch that they exist.
_ATTACH_TAKES_TRANSPORT = bool(
    set(inspect.signature(base_events.Server._attach).parameters)  # type: ignore[attr-defined]
    - {"self"}
)


class Pipe:
    """One direction of a connection: its chunks in flight, its reader, its writer."""

    def __init__(self, loop: WorldLoop, name: str, chain: str) -> None:
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
        """The bytes that the writer may still put in flight."""
        return 0 if self.window_closed else _CAPACITY - self.in_flight

    def close_window(self) -> None:
        """Holds back everything in flight and lets no more bytes in."""
        self.window_closed = True
        self.loop.scheduler.withdraw(self.source)

    def open_window(self) -> None:
        """Lets the chunks in flight arrive again, and lets the writer go on."""
        if self.window_closed:
            self.window_closed = False
            self.post_if_readable()
            if self.writer is not None:
                self.writer.post_if_writable()

    def put(self, chunk: bytes | None) -> None:
        """Puts bytes, the end of the stream or its reset in flight."""
        self.chunks.append(chunk)
        self.in_flight += len(chunk or b"")
        self.post_if_readable()

    def close_reading_end(self) -> None:
        """Drops everything in flight; later writes fail with a connection reset."""
        self.broken = True
        self.chunks.clear()
        self.in_flight = 0
        if self.writer is not None:
            self.writer.post_if_writable()
        self.loop.scheduler.withdraw(self.source)

    def post_if_readable(self) -> None:
        """Posts an arrival if a chunk is in flight and the reader is registered."""
        reading = self.reader is not None and self.reader.is_readable()
        reading = reading and not self.window_closed
        if self.chunks and reading and not self.source.arrivals:
            self.loop.scheduler.post(self.source, self.chain, self._arrive)

    def _arrive(self) -> None:
        if self.reader is not None:
            self.reader.wake_reader()

    def take(self) -> bytes | None:
        """The result of one read of the socket: bytes, `_END` or `_RESET`."""
        chunk = self.chunks.popleft()
        if not chunk:
            return chunk
        if self.chunks and not self.loop.scheduler.schedule.split:
            chunk = self._join(chunk)
        self.in_flight -= len(chunk)
        if self.writer is not None:
            self.writer.post_if_writable()
        return chunk

    def _join(self, chunk: bytes) -> bytes:
        parts, size = [chunk], len(chunk)
        while self.chunks and (following := self.chunks[0]) and size < _MOST_READ:
            self.chunks.popleft()
            parts.append(following)
            size += len(following)
        return b"".join(parts)


class MemoryTransport(asyncio.Transport):
    """One end of an in-memory connection, with the behaviour of a selector transport.

    Arguments:
        addresses: (own address, address of the other end).
        requester: the operation that opened the connection; None for the world.
        living: the open transports; the transport is in it while its socket is open.
    """

    def __init__(
        self,
        loop: WorldLoop,
        incoming: Pipe,
        outgoing: Pipe,
        addresses: tuple[tuple[str, int], tuple[str, int]],
        requester: int | None,
        *,
        living: dict[MemoryTransport, None],
        is_client: bool,
    ) -> None:
        super().__init__({"sockname": addresses[0], "peername": addresses[1]})
        self._loop = loop
        self._living = living
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
        self._living[self] = None
        if server is not None:
            arguments = (self,) if _ATTACH_TAKES_TRANSPORT else ()
            server._attach(*arguments)  # type: ignore[attr-defined]
        self._loop.call_soon(protocol.connection_made, self)
        self._loop.call_soon(self._add_reader)
        self._loop.call_soon(set_result_unless_done, waiter)

    # Reading

    def is_readable(self) -> bool:
        """Whether a reader is registered."""
        return self._reader is not None

    def is_reading(self) -> bool:
        """Whether the transport is neither paused nor closing."""
        return not self._paused and not self._closing

    def _add_reader(self) -> None:
        if self.is_reading():
            self._reader = asyncio.Handle(self._read_ready, (), self._loop)
            self.incoming.reader = self
            self.incoming.post_if_readable()

    def _remove_reader(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None
            self._loop.scheduler.withdraw(self.incoming.source)

    def pause_reading(self) -> None:
        """Holds back arrivals until `resume_reading`."""
        if self.is_reading():
            self._paused = True
            self._remove_reader()

    def resume_reading(self) -> None:
        """Lets the bytes in flight arrive again."""
        if self._paused and not self._closing:
            self._paused = False
            self._add_reader()

    def wake_reader(self) -> None:
        """Makes the reader ready, as a selector that reports a readable socket."""
        if self._reader is not None:
            self._loop._ready.append(self._reader)

    def _read_ready(self) -> None:
        if not self.incoming.chunks:
            return
        data = self.incoming.take()
        if data:
            self._protocol.data_received(data)
            self.incoming.post_if_readable()
        elif data is _RESET:
            self._force_close(ConnectionResetError("connection reset by peer"))
        else:
            self._remove_reader()
            if not self._protocol.eof_received():
                self.close()

    # Writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Sends as many bytes as the socket takes and buffers the rest."""
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
            self._force_close(BrokenPipeError(32, "broken pipe"))
        else:
            self._reset_sent = True
            self.incoming.put(_RESET)

    def post_if_writable(self) -> None:
        """Posts an arrival that flushes the buffer if the other end has read."""
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
            self._force_close(ConnectionResetError("connection reset by peer"))
            return
        self._flush()
        if self._writing_paused and len(self._buffer) <= self._low:
            self._writing_paused = False
            self._protocol.resume_writing()
        if self._buffer:
            self.post_if_writable()

    def _flush(self) -> None:
        room = self._outgoing.room()
        if self._buffer and room > 0:
            self._outgoing.put(bytes(self._buffer[:room]))
            del self._buffer[:room]
        if not self._buffer and not self._ended:
            if self._end_wanted:
                self._send_end()
            elif self._closing and not self._closed:
                self._finish(None)

    def _send_end(self) -> None:
        if not self._ended:
            self._ended = True
            self._outgoing.put(_END)

    def write_eof(self) -> None:
        """Ends this direction once the buffer is sent."""
        if not self._closing and not self._end_wanted:
            self._end_wanted = True
            if not self._buffer:
                self._send_end()

    def can_write_eof(self) -> bool:
        """True: a socket can end one direction alone."""
        return True

    def get_write_buffer_size(self) -> int:
        """The bytes that wait in the buffer."""
        return len(self._buffer)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """(low, high) watermarks in bytes."""
        return (self._low, self._high)

    def set_write_buffer_limits(
        self, high: int | None = None, low: int | None = None
    ) -> None:
        """Sets the watermarks with the defaults of asyncio's flow control."""
        if high is None:
            high = 64 * 1024 if low is None else 4 * low
        self._high, self._low = high, high // 4 if low is None else low

    # Closing

    def is_closing(self) -> bool:
        """Whether `close` or `abort` was called, or the connection was lost."""
        return self._closing

    def close(self) -> None:
        """Sends the buffer, then closes."""
        if self._closing:
            return
        self._closing = True
        self._remove_reader()
        if not self._buffer:
            self._finish(None)

    def abort(self) -> None:
        """Drops the buffer and closes; bytes in flight still arrive."""
        self._force_close(None)

    def _force_close(self, error: Exception | None) -> None:
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
            self.close_socket()
            self._protocol = None
            if self._server is not None:
                arguments = (self,) if _ATTACH_TAKES_TRANSPORT else ()
                self._server._detach(*arguments)  # type: ignore[attr-defined]
                self._server = None

    def close_socket(self, *, reset: bool = False) -> None:
        """Closes the socket itself; unread bytes make that a connection reset."""
        self._closing = self._closed = True
        self._living.pop(self, None)
        self._loop.scheduler.withdraw(self._room)
        if reset or any(self.incoming.chunks):
            self._outgoing.put(_RESET)
            self._ended = True
        self.incoming.close_reading_end()
        self._send_end()

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol bound to this end."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Binds another protocol."""
        self._protocol = protocol


def set_result_unless_done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
