"""Events arrive at their user's real connections and nowhere else."""

import asyncio
import contextvars
import gc
import itertools
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.server import ServerProtocol

from isolation_spec.engines.reference import (
    ClosedError,
    Limits,
    WebSocketManager,
    create_test_websocket_manager,
)


def users(token: str) -> str | None:
    """A token is its user in upper case."""
    return token.lower() if token.isupper() else None


async def client(
    manager: WebSocketManager, token: str | None, *, query: str = "", **options: Any
) -> ClientConnection:
    host, port = manager.address
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return await connect(
        f"ws://{host}:{port}/{query}",
        additional_headers=headers,
        proxy=None,
        compression=None,
        ping_interval=None,
        **options,
    )


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        for _ in itertools.count():
            if condition():
                return
            await asyncio.sleep(0.001)


async def connect_registered(
    manager: WebSocketManager, user: str, count: int = 1, **options: Any
) -> ClientConnection:
    """A client that the manager has registered."""
    connection = await client(manager, user.upper(), **options)
    await until(lambda: manager.connections(user) == count)
    return connection


async def receive(connection: ClientConnection, count: int) -> list[Any]:
    async with asyncio.timeout(5):
        return [await connection.recv() for _ in range(count)]


async def close_code(connection: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed):
        await receive(connection, 1000)
    return connection.close_code


@pytest_asyncio.fixture
async def manager() -> AsyncIterator[WebSocketManager]:
    manager = await create_test_websocket_manager(users, Limits(queued_events=3))
    yield manager
    await manager.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.asyncio
async def test_each_message_has_one_owner(manager: WebSocketManager) -> None:
    """All connections of the owner get each message, in order; no others do."""
    ann, ann2 = (
        await connect_registered(manager, "ann"),
        await connect_registered(manager, "ann", 2),
    )
    bob = await connect_registered(manager, "bob")
    assert all(manager.notify("ann", f"a{n}") for n in range(5))
    assert manager.notify("bob", "b")
    assert (
        await receive(ann, 5) == await receive(ann2, 5) == [f"a{n}" for n in range(5)]
    )
    assert await receive(bob, 1) == ["b"]
    await manager.stop()
    for connection in (ann, ann2, bob):
        assert await close_code(connection) == 1001
    assert manager.statistics().delivered == 11


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("token", "query"),
    [
        (None, ""),
        (None, "?user_id=ann"),
        (None, "?token="),
        (None, "?token=ANN&token=BOB"),
        ("lower", ""),
        ("lower", "?token=ANN"),
        ("", ""),
    ],
)
async def test_a_bad_token_leaves_nothing_behind(
    manager: WebSocketManager, token: str | None, query: str
) -> None:
    """A connection without a valid token is closed with 1008, even if it names a
    user."""
    connection = await client(manager, token, query=query)
    assert await close_code(connection) == 1008
    assert manager.connections("ann") == 0
    assert (manager.statistics().accepted, manager.statistics().refused) == (0, 1)
    assert not manager.notify("ann", "x")


@pytest.mark.asyncio
async def test_authenticators_may_wait_or_fail() -> None:
    """An async authenticator is awaited; an error or an invalid answer refuses."""

    async def answer(token: str) -> Any:
        await asyncio.sleep(0)
        if token == "FAIL":
            raise RuntimeError
        return {"ANN": "ann", "ODD": 7, "BLANK": " "}[token]

    manager = await create_test_websocket_manager(answer)
    ann = await connect_registered(manager, "ann")
    for token in ("FAIL", "ODD", "BLANK"):
        assert await close_code(await client(manager, token)) == 1008
    query = await client(manager, None, query="?token=ANN")
    await until(lambda: manager.connections("ann") == 2)
    await manager.stop()
    assert await close_code(ann) == await close_code(query) == 1001


@pytest.mark.asyncio
async def test_a_client_that_leaves_during_authentication(
    manager: WebSocketManager,
) -> None:
    """A connection that closes during its authentication is not registered."""
    gate, entered = asyncio.Event(), asyncio.Event()

    async def slow(token: str) -> str:
        entered.set()
        await gate.wait()
        return "ann"

    other = await create_test_websocket_manager(slow)
    connection = await client(other, "ANN")
    await entered.wait()
    await connection.close()
    gate.set()
    await other.stop()
    assert other.statistics().accepted == 0


@pytest.mark.asyncio
async def test_messages_wait_for_the_next_connection(manager: WebSocketManager) -> None:
    """The newest messages wait, in order, and come before later ones."""
    assert not any(manager.notify("ann", f"{n}") for n in range(5))
    manager.notify("bob", "b")
    assert (manager.pending("ann"), manager.statistics().dropped) == (3, 2)
    ann = await connect_registered(manager, "ann")
    manager.notify("ann", "new")
    assert await receive(ann, 4) == ["2", "3", "4", "new"]
    assert manager.pending("ann") == 0
    manager.forget_user("bob")
    assert manager.statistics().pending == 0
    await ann.close()


@pytest.mark.asyncio
async def test_a_late_close_never_touches_the_new_connection(
    manager: WebSocketManager,
) -> None:
    """After a reconnect the old connection's end changes nothing."""
    old = await connect_registered(manager, "ann")
    new = await connect_registered(manager, "ann", 2)
    await old.close()
    await until(lambda: manager.connections("ann") == 1)
    assert manager.notify("ann", "x")
    assert await receive(new, 1) == ["x"]
    await new.close()


@pytest.mark.asyncio
async def test_a_closed_connection_takes_no_message(manager: WebSocketManager) -> None:
    """A message sent right after the close is queued, not lost."""
    ann = await connect_registered(manager, "ann")
    await ann.close()
    assert not manager.notify("ann", "x")
    again = await client(manager, "ANN")
    assert await receive(again, 1) == ["x"]
    await manager.disconnect_user("ann")
    await manager.disconnect_user("unknown")
    assert await close_code(again) == 1000
    assert not manager.notify("ann", "y")


@pytest.mark.asyncio
async def test_messages_of_clients_are_ignored(manager: WebSocketManager) -> None:
    """They do not block the connection and change no registration."""
    ann = await connect_registered(manager, "ann")
    for _ in range(100):
        await ann.send('{"user_id": "bob"}')
    manager.notify("ann", "x")
    assert await receive(ann, 1) == ["x"]
    assert manager.connections("bob") == 0
    await ann.close()


@pytest.mark.asyncio(loop_factories=["stock"])
async def test_a_slow_reader_does_not_block_others() -> None:
    """Its queue is bounded; it is closed, and its undelivered messages wait in
    order."""
    manager = await create_test_websocket_manager(
        users, Limits(connection_queue=5, queued_events=50), close_timeout=0.02
    )
    host, port = manager.address
    raw = socket.create_connection((host, port))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.sendall(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        b"Authorization: Bearer ANN\r\n\r\n"
    )
    await until(lambda: manager.connections("ann") == 1)
    bob = await connect_registered(manager, "bob")
    number = 0
    while manager.statistics().overflowed == 0:
        number += 1
        manager.notify("ann", f"{number:06}" + "x" * 100_000)
        await asyncio.sleep(0)
    assert manager.notify("bob", "quick")
    assert await receive(bob, 1) == ["quick"]
    assert manager.pending("ann") == 6
    ann = await connect_registered(manager, "ann")
    got = await receive(ann, 6)
    assert [int(text[:6]) for text in got] == list(range(number - 5, number + 1))
    await manager.stop()
    raw.close()
    assert await close_code(bob) == await close_code(ann) == 1001
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.asyncio
async def test_a_slow_reader_that_reads_again_gets_all_messages() -> None:
    """When the transport accepts data again, the queue is sent, in order."""
    manager = await create_test_websocket_manager(users, Limits(connection_queue=500))
    ann = await connect_registered(manager, "ann", max_queue=1)
    for number in range(300):
        assert manager.notify("ann", f"{number:06}" + "x" * 50_000)
    assert manager.statistics().delivered < 300
    got = await receive(ann, 300)
    assert [int(text[:6]) for text in got] == list(range(300))
    await manager.stop()
    assert await close_code(ann) == 1001


@pytest.mark.asyncio
async def test_no_task_carries_the_context_of_a_user() -> None:
    """Connections and writers run in fresh contexts, not in those of their callers."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    seen: list[str | None] = []

    def look(token: str) -> str:
        seen.append(variable.get(None))
        return "ann"

    class Watched(WebSocketManager):
        def _count_sent(self, letter: Any) -> None:
            seen.append(variable.get(None))

    variable.set("alice")
    manager = Watched(look)
    await manager.start()
    await manager.start()
    ann = await connect_registered(manager, "ann")
    manager.notify("ann", "x")
    await receive(ann, 1)
    await manager.stop()
    assert seen == [None, None]
    assert await close_code(ann) == 1001


@pytest.mark.asyncio
async def test_start_and_stop(manager: WebSocketManager) -> None:
    """Stopping is idempotent, even concurrently; a stopped manager does not start."""
    other = WebSocketManager(users)
    with pytest.raises(ClosedError, match="start"):
        _ = other.address
    starting = asyncio.create_task(other.start())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await asyncio.gather(other.stop(), other.stop())
    with pytest.raises(ClosedError, match="new one"):
        await other.start()
    with pytest.raises(OSError, match="address"):
        await create_test_websocket_manager(users, port=manager.address[1])
    await WebSocketManager(users).stop()


@pytest.mark.asyncio(loop_factories=["stock"])
async def test_stop_ends_half_open_connections() -> None:
    """Connections without a handshake or an answer do not block the stop."""
    manager = await create_test_websocket_manager(users, close_timeout=0.02)
    host, port = manager.address
    silent = socket.create_connection((host, port))
    await asyncio.sleep(0.01)
    async with asyncio.timeout(1):
        await manager.stop()
    silent.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.asyncio(loop_factories=["stock"])
async def test_stop_drops_a_connection_without_a_transport() -> None:
    """A connection dropped before it had a transport raises no error."""
    manager = await create_test_websocket_manager(users, close_timeout=0.02)
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: unhandled.append(context)
    )
    assert manager._server is not None
    half = manager._create_socket(ServerProtocol(), manager._server)

    await manager.stop()
    gc.collect()
    await asyncio.sleep(0)

    assert [] == unhandled
    assert half not in manager._sockets
