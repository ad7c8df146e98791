"""Both ends of a connection, with a log of the calls of their transports."""

import asyncio
from collections.abc import Callable
from typing import Any

HOST = "127.0.0.1"


class Watched(asyncio.Protocol):
    """Logs every call of its transport."""

    def __init__(self, log: list[str], name: str, *, keeps_open: bool = False) -> None:
        self.log = log
        self.name = name
        self.keeps_open = keeps_open
        self.received = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.log.append(f"{self.name} made")

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.log.append(f"{self.name} got {data[:20].decode()}")

    def eof_received(self) -> bool:
        self.log.append(f"{self.name} end")
        return self.keeps_open

    def connection_lost(self, error: Exception | None) -> None:
        self.log.append(f"{self.name} lost {type(error).__name__}")

    def pause_writing(self) -> None:
        self.log.append(f"{self.name} paused")

    def resume_writing(self) -> None:
        self.log.append(f"{self.name} resumed")


class Pair:
    """A client and a server end, connected, both watched."""

    async def open(self, rest: Callable[[], Any], **keeps_open: bool) -> "Pair":
        loop = asyncio.get_running_loop()
        self.log: list[str] = []
        client, server = keeps_open.get("client"), keeps_open.get("server")
        self.far = Watched(self.log, "server", keeps_open=bool(server))
        near = Watched(self.log, "client", keeps_open=bool(client))
        self.server = await loop.create_server(lambda: self.far, HOST, 0)
        port = self.server.sockets[0].getsockname()[1]
        await loop.create_connection(lambda: near, HOST, port)
        await rest()
        self.near = near
        self.log.clear()
        return self

    async def end(self, rest: Callable[[], Any]) -> list[str]:
        """The log so far; then everything is closed."""
        await rest()
        log = list(self.log)
        self.near.transport.abort()
        self.far.transport.abort()
        self.server.close()
        await self.server.wait_closed()
        await rest()
        return log
