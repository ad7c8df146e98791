"""An event loop with in-memory sockets: listening, connecting and accepting.

A connection consists of two transports and two pipes. The completion of a connect and
of an accept are arrivals of their own, which the scheduler orders.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import socket
from asyncio import base_events
from collections.abc import Callable
from functools import partial
from typing import Any

from isolation_spec.model.scenario import ChainKind
from isolation_spec.world.loop import CURRENT_OPERATION, WorldLoop
from isolation_spec.world.schedulers.base import Source
from isolation_spec.world.transport import MemoryTransport, Pipe, set_result_unless_done

__all__ = ["Network", "NetworkLoop"]


class _Listener:
    """A listening socket, with the attributes that `asyncio.Server` uses."""

    family = socket.AF_INET
    type = socket.SOCK_STREAM
    proto = socket.IPPROTO_TCP

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.source = Source(f"listener on port {address[1]}")
        self.accept: Callable[[MemoryTransport], None] | None = None

    def listen(self, backlog: int) -> None:
        """Does nothing: `create_connection` finds the listener by its port."""

    def getsockname(self) -> tuple[str, int]:
        """(host, port)."""
        return self.address


class Network:
    """The listeners and connections of one world; ports count up from 40001."""

    def __init__(self) -> None:
        self.listeners: dict[int, _Listener] = {}
        self.transports: dict[MemoryTransport, None] = {}
        self.last_port = 40_000


class NetworkLoop(WorldLoop):
    """A world loop with in-memory connections; it refuses real sockets and TLS."""

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
        """A real `asyncio.Server` on an in-memory listener.

        Raises:
            OSError: another server listens on the port.
            NotImplementedError: the options need TLS or a real socket.
        """
        _refuse(options)
        listener = _Listener((host or "127.0.0.1", port or self._new_port()))
        if listener.address[1] in self.network.listeners:
            message = f"bind on address {listener.address}: address already in use"
            raise OSError(errno.EADDRINUSE, message)
        # Python 3.11 to 3.13 take these arguments in the same order.
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
            # As in the selector loop, the context is a copy of the one that started the
            # server. The client's operation is set in it, so that work done for the
            # client is attributed to that operation.
            own = context.copy()
            own.run(CURRENT_OPERATION.set, transport.requester)
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
                # As in the selector loop, a server closed meanwhile refuses the
                # transport silently, and the socket closes.
                transport.close_socket()
            else:
                await waiter

        self.create_task(serve())

    def _stop_serving(self, listener: _Listener) -> None:
        self.network.listeners.pop(listener.address[1], None)
        # As on a real socket, a closed listener resets the connections in its backlog.
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
            ConnectionRefusedError: no server listens on the port.
            NotImplementedError: the options need TLS or a real socket.
        """
        _refuse(options)
        listener = self.network.listeners.get(port or 0)
        client, server = self._pair(listener, port or 0)
        connected = self.create_future()
        source = Source("connecting socket")
        self.scheduler.post(
            source,
            self.new_chain(ChainKind.CONNECT),
            lambda: set_result_unless_done(connected),
        )
        if listener is not None:
            self._post_accept(listener, server)
        try:
            await connected
        except BaseException:
            self.scheduler.withdraw(source)
            client.close_socket()
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
                server.close_socket(reset=True)

        self.scheduler.post(listener.source, self.chain(ChainKind.ACCEPT), arrive)

    def _pair(
        self, listener: _Listener | None, port: int
    ) -> tuple[MemoryTransport, MemoryTransport]:
        host = listener.address[0] if listener else "127.0.0.1"
        near, far = (host, self._new_port()), (host, port)
        to_server = Pipe(
            self, "bytes to the server", self.new_chain(ChainKind.TO_SERVER)
        )
        to_client = Pipe(
            self, "bytes to the client", self.new_chain(ChainKind.TO_CLIENT)
        )
        requester = CURRENT_OPERATION.get()
        make = partial(
            MemoryTransport, requester=requester, living=self.network.transports
        )
        client = make(self, to_client, to_server, (near, far), is_client=True)
        server = make(self, to_server, to_client, (far, near), is_client=False)
        to_server.writer, to_client.writer = client, server
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
