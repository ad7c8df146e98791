"""The in-memory network shows the orders that stock asyncio can show, and no others."""

import asyncio
import contextvars
import inspect
import socket
import threading
from asyncio import base_events
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from isolation_spec.model.scenario import Schedule
from isolation_spec.world import World
from isolation_spec.world.loop import CURRENT_OPERATION
from isolation_spec.world.network import Network, NetworkLoop
from isolation_spec.world.schedulers.base import Scheduler
from tests.world.ends import HOST, Pair, Watched

# No false leak


async def echo_and_close(world: World) -> list[Any]:
    """Two users connect, echo and close; returns leaks and errors at the end."""
    wrong: list[Any] = []
    world.loop.on_unhandled = wrong.append

    async def handler(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    server = await serve(handler, world.host, 0)
    port = server.sockets[0].getsockname()[1]

    async def user(number: int) -> None:
        CURRENT_OPERATION.set(number)
        async with connect(f"ws://{HOST}:{port}", proxy=None) as connection:
            await connection.send(f"from {number}")
            wrong.extend({await connection.recv()} - {f"from {number}"})

    async with asyncio.TaskGroup() as group:
        group.create_task(user(1))
        group.create_task(user(2))
    server.close()
    await server.wait_closed()
    await asyncio.sleep(5)
    return wrong + list(world.ledger.live_resources_at_end())


@pytest.mark.slow
def test_clean_websockets_leak_nothing(play: Any, schedulers: Any) -> None:
    """Two clean websockets users leave nothing alive under any of 1,000 schedules."""
    orders = set()
    leaks = []
    for seed, scheduler in enumerate(schedulers(1000)):
        leaks += [(seed, found) for found in play(echo_and_close, scheduler)]
        orders.add(scheduler.order_digest())

    assert [] == leaks
    assert len(orders) > 300


# The same program, here and on real loopback sockets


def test_connecting_without_listener_is_refused(anywhere: Any) -> None:
    """Connecting to a port without a listener, or with a closed one, is refused."""

    async def program(rest: Any) -> list[str]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, HOST, 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        with pytest.raises(ConnectionRefusedError):
            await loop.create_connection(asyncio.Protocol, HOST, port)
        return []

    assert [] == anywhere(program)


def test_port_in_use(anywhere: Any) -> None:
    """A second listener on a port is refused as a real one is."""

    async def program(rest: Any) -> int | None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, HOST, 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OSError, match="in use") as raised:
            await loop.create_server(asyncio.Protocol, HOST, port)
        server.close()
        return raised.value.errno

    assert 98 == anywhere(program)


# A connection in the backlog


def test_backlog_is_reset_in_the_world(play: Any) -> None:
    """A connection that was never accepted is reset when its server closes."""

    async def main(world: World) -> list[str]:
        log: list[str] = []
        server = await world.loop.create_server(asyncio.Protocol, HOST, 0)
        port = server.sockets[0].getsockname()[1]
        await world.loop.create_connection(lambda: Watched(log, "client"), HOST, port)
        server.close()
        await asyncio.sleep(1)
        return log

    late = Scheduler(Schedule(classes={"world/accept": 1}))

    assert ["client made", "client lost ConnectionResetError"] == play(main, late)


def test_backlog_is_reset_by_the_kernel() -> None:
    """A real socket in the backlog of a server that closes sees a reset as well."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, HOST, 0)
        with socket.create_connection(server.sockets[0].getsockname()) as peer:
            server.close()
            await asyncio.sleep(0)
            with pytest.raises(ConnectionResetError):
                peer.recv(1)

    asyncio.run(main())


# Every kind of choice: the world shows the order, and so does stock asyncio


class Server:
    """The program of both worlds: a server that logs events, and the next action."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.connections = 0

    async def listen(self) -> tuple[str, int]:
        loop = asyncio.get_running_loop()
        outer = self

        class Noting(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                outer.connections += 1
                outer.log.append(f"accept {outer.connections}")

            def data_received(self, data: bytes) -> None:
                outer.log.append(data.decode())
                loop.call_soon(outer.log.append, f"after {data.decode()}")

            def eof_received(self) -> None:
                outer.log.append("end")

        self.server = await loop.create_server(Noting, HOST, 0)
        address: tuple[str, int] = self.server.sockets[0].getsockname()
        return address

    def start_job(self, function: Callable[[], Any]) -> None:
        job = asyncio.get_running_loop().run_in_executor(None, function)
        job.add_done_callback(lambda _: self.log.append("job"))

    def kept(self, *names: str) -> tuple[str, ...]:
        return tuple(entry for entry in self.log if entry in names)


async def all_at_once(world: World) -> Server:
    """Two connections send, a third connects and a job is under way, all at once."""
    server = Server()
    _, port = await server.listen()
    ends = []
    for number in (1, 2):
        CURRENT_OPERATION.set(number)
        end, _ = await world.loop.create_connection(asyncio.Protocol, HOST, port)
        ends.append(end)
        await asyncio.sleep(1)
    ends[0].write(b"a")
    ends[0].write(b"A")
    ends[1].write(b"b")
    ends[0].close()
    CURRENT_OPERATION.set(3)
    server.start_job(int)
    await world.loop.create_connection(asyncio.Protocol, HOST, port)
    await asyncio.sleep(1)
    return server


@pytest.fixture(scope="module")
def worlds(play: Any, schedulers: Any) -> list[Server]:
    """The servers of `all_at_once` under 300 schedules."""
    return [play(all_at_once, scheduler) for scheduler in schedulers(300, 12)]


class Outside:
    """Blocking sockets and a thread, which act exactly on request."""

    async def open(self) -> "Outside":
        self.server = Server()
        self.address = await self.server.listen()
        self.a = socket.create_connection(self.address)
        await self.until("accept 1")
        self.b = socket.create_connection(self.address)
        await self.until("accept 2")
        self.c: socket.socket | None = None
        self.answered = threading.Event()
        self.server.start_job(lambda: self.answered.wait(60))
        return self

    async def until(self, entry: str) -> None:
        async with asyncio.timeout(60):
            while entry not in self.server.log:  # noqa: ASYNC110
                await asyncio.sleep(0)

    async def do(self, entry: str, *, wait: bool = True) -> None:
        """Performs the action that the server will log as this entry."""
        if entry == "accept 3":
            self.c = socket.create_connection(self.address)
        elif entry == "job":
            self.answered.set()
        elif entry == "end":
            self.a.shutdown(socket.SHUT_WR)
        elif not entry.startswith("after"):
            (self.b if entry == "b" else self.a).sendall(entry.encode())
        if wait:
            await self.until(entry)

    async def close(self) -> None:
        self.answered.set()
        await self.until("job")
        for peer in (self.a, self.b, self.c):
            if peer is not None:
                peer.close()
        self.server.server.close()
        await asyncio.sleep(0.01)


ORDERS = {
    "two connections, in order of sending": ("aA", "b"),
    "two connections, the other way round": ("b", "aA"),
    "data joined": ("aA",),
    "data in pieces": ("a", "A"),
    "accept before data of another": ("accept 3", "b"),
    "accept after data of another": ("b", "accept 3"),
    "job before data": ("job", "b"),
    "job after data": ("b", "job"),
    "job before accept": ("job", "accept 3"),
    "job after accept": ("accept 3", "job"),
    "end long after data": ("aA", "b", "end"),
    "end right after data": ("aA", "end", "b"),
    "one arrival a turn": ("aA", "after aA", "b", "after b"),
    "burst: two arrivals a turn": ("aA", "b", "after aA", "after b"),
}


@pytest.mark.parametrize("kind", ORDERS)
def test_order_occurs_in_the_world(kind: str, worlds: list[Server]) -> None:
    """One of 300 schedules shows this order of external events."""
    order = ORDERS[kind]
    shown = {server.kept(*order) for server in worlds}

    assert order in shown


@pytest.mark.parametrize("kind", ORDERS)
def test_order_occurs_on_stock_asyncio(kind: str) -> None:
    """The same server on real sockets shows this order when the outside acts in it."""
    order = ORDERS[kind]

    async def main() -> tuple[str, ...]:
        outside = await Outside().open()
        for entry in order:
            await outside.do(entry, wait=not kind.startswith("burst"))
        await outside.until(order[-1])
        kept = outside.server.kept(*order)
        await outside.close()
        return kept

    assert order == asyncio.run(main())


def test_forbidden_orders_do_not_occur(worlds: list[Server]) -> None:
    """No schedule runs ready callbacks out of order or shows an end before its data."""
    for server in worlds:
        data = [e for e in server.log if e in ("a", "A", "aA", "b")]
        after = [e[6:] for e in server.log if e.startswith("after")]
        of_a = [e for e in server.log if e in ("a", "A", "aA", "end")]

        assert data == after
        assert of_a in (["a", "A", "end"], ["aA", "end"])


# Odds and ends of the world's side


def test_cancelled_connecting_leaves_nothing(play: Any, schedulers: Any) -> None:
    """A connection whose opening is cancelled leaves no transport on either end."""

    async def main(world: World, turns: int) -> list[Any]:
        server = await world.loop.create_server(asyncio.Protocol, HOST, 0)
        port = server.sockets[0].getsockname()[1]
        opening = world.loop.create_task(
            world.loop.create_connection(asyncio.Protocol, HOST, port)
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        if not opening.cancelled():
            opening.result()[0].abort()
        await asyncio.sleep(1)
        server.close()
        await server.wait_closed()
        return list(world.ledger.live_resources_at_end())

    for turns in range(8):
        for scheduler in schedulers(10):
            left = play(lambda world, turns=turns: main(world, turns), scheduler)

            assert [] == left


def test_server_forgets_lost_connections(play: Any) -> None:
    """A server counts a connection until it is lost, and no longer."""

    async def main(world: World) -> list[int]:
        pair = await Pair().open(lambda: asyncio.sleep(1))
        counts = []
        server: Any = pair.server
        for _ in range(2):
            clients = getattr(server, "_clients", None)
            counts.append(server._active_count if clients is None else len(clients))
            pair.near.transport.close()
            await asyncio.sleep(1)
        pair.server.close()
        return counts

    assert [1, 0] == play(main)


def test_no_tls_no_sockets(play: Any) -> None:
    """The network refuses features that it does not simulate, with a message."""

    async def main(world: World) -> None:
        with pytest.raises(NotImplementedError, match="has no ssl"):
            await world.loop.create_server(asyncio.Protocol, HOST, 0, ssl=True)
        with pytest.raises(NotImplementedError, match="has no sock"):
            await world.loop.create_connection(asyncio.Protocol, sock=object())

    play(main)


def test_accept_runs_for_the_requester_in_the_context_of_the_server(play: Any) -> None:
    """A server side runs in the server's context and is attributed to the client."""
    variable = contextvars.ContextVar("variable", default="none")

    async def main(world: World) -> tuple[Any, ...]:
        seen: list[Any] = []

        class Looking(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                seen.extend(
                    (CURRENT_OPERATION.get(), variable.get(), transport.requester)
                )

        variable.set("of the server")
        server = await world.loop.create_server(Looking, HOST, 0)
        port = server.sockets[0].getsockname()[1]
        variable.set("of the client")
        CURRENT_OPERATION.set(7)
        await world.loop.create_connection(asyncio.Protocol, HOST, port)
        await asyncio.sleep(1)
        return tuple(seen)

    assert (7, "of the server", 7) == play(main)


# Canaries for private names of asyncio


def test_server_has_the_methods_of_the_listener() -> None:
    """`asyncio.Server` can be made, attached to and started as the network does it."""
    server: Any = base_events.Server
    names = list(inspect.signature(server).parameters)[:6]
    attach = list(inspect.signature(server._attach).parameters)
    detach = list(inspect.signature(server._detach).parameters)
    starts = inspect.getsource(server._start_serving)

    expected = ["loop", "sockets", "protocol_factory", "ssl_context", "backlog"]

    assert [*expected, "ssl_handshake_timeout"] == names
    assert attach in (["self"], ["self", "transport"])
    assert attach == detach
    assert "self._loop._start_serving(" in starts
    assert "self._protocol_factory, sock, self._ssl_context," in starts
    assert "self, self._backlog" in starts
    assert "self._loop._stop_serving(sock)" in inspect.getsource(
        base_events.Server.close
    )


def test_handle_takes_a_context(play: Any) -> None:
    """A handle can be made with a context and put into the ready queue by hand."""

    async def main(world: World) -> list[str]:
        done: list[str] = []
        loop: NetworkLoop = world.loop
        context = contextvars.copy_context()
        loop._ready.append(asyncio.Handle(done.append, ("ran",), loop, context))
        await asyncio.sleep(0)
        return done

    assert ["ran"] == play(main)
    assert {"listeners", "transports"} <= vars(Network()).keys()
