"""The ledger sees what is alive, for whom, and counts what really happened."""

import asyncio
import inspect
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import event, select, text
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import Pool
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import Server, ServerConnection, serve

from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.scenario import Schedule
from isolation_spec.world import World
from isolation_spec.world.instrumentation import LiveResource
from isolation_spec.world.loop import CURRENT_OPERATION
from isolation_spec.world.schedulers.base import Scheduler

HOST = "127.0.0.1"


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"

    name: Mapped[str] = mapped_column(primary_key=True)


async def database(world: World) -> AsyncEngine:
    engine = create_async_engine(world.database_url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    return engine


def kinds(found: Any) -> set[str]:
    return {alive.kind for alive in found}


# Canaries for private names of the libraries


def test_websockets_has_what_is_counted() -> None:
    """Handshake, recv and hash of a connection are where the ledger replaces them."""
    assert "handshake" in vars(ClientConnection)
    assert inspect.iscoroutinefunction(ClientConnection.handshake)
    assert inspect.iscoroutinefunction(ClientConnection.recv)
    assert issubclass(ClientConnection, Connection)
    assert issubclass(ServerConnection, Connection)
    assert object.__hash__ is Connection.__hash__
    assert "__hash__" not in vars(ServerConnection)


def test_websockets_client_shakes_hands_by_that_method() -> None:
    """`connect` completes every handshake through `ClientConnection.handshake`."""
    assert ".handshake(" in inspect.getsource(connect)


def test_sqlalchemy_has_what_is_listened_to() -> None:
    """Sessions and pools dispatch the events that the ledger listens to."""
    moves = "after_begin do_orm_execute before_flush after_commit after_rollback"
    for name in moves.split():
        assert hasattr(Session.dispatch, name)
    for name in ("checkout", "checkin", "detach"):
        assert hasattr(Pool.dispatch, name)

    assert "close" in vars(Session)


def test_everything_is_restored() -> None:
    """Outside a world the libraries are as they were, listeners included."""
    names = [(Session, "close"), (ClientConnection, "handshake"), (Connection, "recv")]
    before = [getattr(owner, name) for owner, name in names]
    own = [set(vars(owner)) for owner, _ in names]
    with World(Scheduler(Schedule())) as world:
        listener = world.ledger._on_begin
        assert event.contains(Session, "after_begin", listener)
        assert Connection.__hash__ is not object.__hash__

    assert before == [getattr(owner, name) for owner, name in names]
    assert own == [set(vars(owner)) for owner, _ in names]
    assert object.__hash__ is Connection.__hash__
    assert "recv" not in vars(ClientConnection)
    assert not event.contains(Session, "after_begin", listener)


# Every kind of resource: seen when it is left, not when it is not

Resource = Callable[[World, bool, list[Any]], Awaitable[None]]
"""Makes a resource as operation 7, and gives it back unless it is to be left."""


async def a_task(world: World, leave: bool, kept: list[Any]) -> None:
    task = world.loop.create_task(asyncio.Event().wait())
    if not leave:
        task.cancel()


async def a_timer(world: World, leave: bool, kept: list[Any]) -> None:
    timer = world.loop.call_later(1000, print)
    if not leave:
        timer.cancel()


async def a_transport(world: World, leave: bool, kept: list[Any]) -> None:
    server = await world.loop.create_server(asyncio.Protocol, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    transport, _ = await world.loop.create_connection(asyncio.Protocol, HOST, port)
    await asyncio.sleep(1)
    if not leave:
        transport.close()
    server.close()


async def a_listener(world: World, leave: bool, kept: list[Any]) -> None:
    server = await world.loop.create_server(asyncio.Protocol, HOST, 0)
    if not leave:
        server.close()


async def a_session(world: World, leave: bool, kept: list[Any]) -> None:
    engine = await database(world)
    session = AsyncSession(engine)
    await session.execute(select(Item))
    kept.extend((engine, session))
    if not leave:
        await session.close()
        await engine.dispose()


async def a_checkout(world: World, leave: bool, kept: list[Any]) -> None:
    engine = await database(world)
    connection = await engine.connect()
    kept.extend((engine, connection))
    if not leave:
        await connection.close()
        await engine.dispose()


async def a_driver_connection(world: World, leave: bool, kept: list[Any]) -> None:
    connection = await aiosqlite.connect(world.databases.uri, uri=True)
    kept.append(connection)
    if not leave:
        await connection.close()


async def a_pending_arrival(world: World, leave: bool, kept: list[Any]) -> None:
    world.loop.stall(20)
    world.loop.run_in_executor(None, str)
    if not leave:
        await asyncio.sleep(30)


async def an_async_generator(world: World, leave: bool, kept: list[Any]) -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in itertools.count():
            yield number

    generator = numbers()
    await anext(generator)
    kept.append(generator)
    if not leave:
        await generator.aclose()  # type: ignore[attr-defined]


async def a_lock(world: World, leave: bool, kept: list[Any]) -> None:
    connection = await aiosqlite.connect(world.databases.uri, uri=True)
    await connection.execute("BEGIN IMMEDIATE")
    kept.append(connection)
    if not leave:
        await connection.rollback()
        await connection.close()


RESOURCES: dict[str, Resource] = {
    "task": a_task,
    "timer": a_timer,
    "transport": a_transport,
    "listener": a_listener,
    "database session": a_session,
    "pool checkout": a_checkout,
    "driver connection": a_driver_connection,
    "pending arrival": a_pending_arrival,
    "async generator": an_async_generator,
    "database lock": a_lock,
}
ATTRIBUTED = {"task", "timer", "transport", "database session", "pool checkout"}


def left(kind: str, *, leave: bool) -> list[LiveResource]:
    """What the ledger sees 5 virtual seconds after operation 7 had that resource."""
    with World(Scheduler(Schedule())) as world:
        kept: list[Any] = []

        async def operation() -> None:
            CURRENT_OPERATION.set(7)
            await RESOURCES[kind](world, leave, kept)

        async def main() -> list[LiveResource]:
            await asyncio.ensure_future(operation())
            await asyncio.sleep(5)
            return list(world.ledger.live_resources_at_end())

        found = world.run(main())

        async def give_back() -> None:
            for thing in reversed(kept):
                if isinstance(
                    thing, AsyncSession | AsyncConnection | aiosqlite.Connection
                ):
                    await thing.close()
                elif isinstance(thing, AsyncEngine):
                    await thing.dispose()

        world.run(give_back())
        return found


@pytest.mark.parametrize("kind", RESOURCES)
def test_left_resource_is_seen(kind: str) -> None:
    """A resource that is left is alive in the end, under its kind."""
    assert kind in kinds(left(kind, leave=True))


@pytest.mark.parametrize("kind", RESOURCES)
def test_returned_resource_is_not_seen(kind: str) -> None:
    """A resource that is given back is not alive, nor is anything that came with it."""
    assert [] == left(kind, leave=False)


@pytest.mark.parametrize("kind", sorted(ATTRIBUTED))
def test_left_resource_is_its_requesters(kind: str) -> None:
    """A left resource of a user is attributed to the operation that asked for it."""
    owners = {alive.requester for alive in left(kind, leave=True) if alive.kind == kind}

    assert {7} == owners


def test_alive_leaves_out_what_belongs_to_the_engine() -> None:
    """Listeners, driver connections and arrivals may outlive a user, not the engine."""

    async def main(world: World) -> tuple[set[str], set[str]]:
        server = await world.loop.create_server(asyncio.Protocol, HOST, 0)
        connection = await aiosqlite.connect(world.databases.uri, uri=True)
        world.loop.run_in_executor(None, str)
        found = (
            kinds(world.ledger.live_resources()),
            kinds(world.ledger.live_resources_at_end()),
        )
        await connection.close()
        server.close()
        return found

    with World(Scheduler(Schedule())) as world:
        of_users, in_the_end = world.run(main(world))

    assert set() == of_users
    assert {"listener", "driver connection", "pending arrival"} == in_the_end


def test_server_side_is_the_requesters() -> None:
    """Tasks and transports of the server side belong to whoever connected."""

    async def main(world: World) -> set[tuple[str, int | None]]:
        async def handler(connection: ServerConnection) -> None:
            await connection.wait_closed()

        server = await serve(handler, HOST, 0)
        port = server.sockets[0].getsockname()[1]
        CURRENT_OPERATION.set(4)
        client = await connect(f"ws://{HOST}:{port}", proxy=None)
        await asyncio.sleep(1)
        found = {
            (alive.kind, alive.requester) for alive in world.ledger.live_resources()
        }
        await client.close()
        server.close()
        await server.wait_closed()
        return found

    with World(Scheduler(Schedule())) as world:
        found = world.run(main(world))

    assert {("task", 4), ("timer", 4), ("transport", 4)} == found


# Sessions


def test_moves_of_a_session() -> None:
    """Every move of a session is told with its number and its operation."""
    moves: list[tuple[int, str, int | None]] = []

    async def main(world: World) -> None:
        engine = await database(world)
        for number, fails in ((1, False), (2, True)):
            CURRENT_OPERATION.set(number)
            async with AsyncSession(engine) as session:
                session.add(Item(name=f"item {number}"))
                await session.flush()
                if fails:
                    await session.rollback()
                else:
                    await session.commit()
        await engine.dispose()

    with World(Scheduler(Schedule())) as world:
        world.moved = lambda *move: moves.append(move)
        world.run(main(world))

    first = [(move, who) for session, move, who in moves if session == 1]
    second = [(move, who) for session, move, who in moves if session == 2]

    # The first use is its beginning; "used" tells a change of hands.
    assert [("committed", 1), ("closed", 1)] == first[-2:]
    assert [("rolled_back", 2), ("closed", 2)] == second[-2:]
    assert ("began", 1) in first
    assert ("began", 2) in second
    assert {1, 2} == {session for session, _, _ in moves}


def test_session_in_other_hands() -> None:
    """Use of a session by another operation than the last is told as used."""
    moves: list[tuple[int, str, int | None]] = []

    async def main(world: World) -> None:
        engine = await database(world)
        async with AsyncSession(engine) as session:
            for number in (1, 1, 2, 2, 1):
                CURRENT_OPERATION.set(number)
                await session.execute(select(Item))
        await engine.dispose()

    with World(Scheduler(Schedule())) as world:
        world.moved = lambda *move: moves.append(move)
        world.run(main(world))

    used = [who for _, move, who in moves if move in ("began", "used")]

    assert [1, 2, 1] == [who for who, _ in itertools.groupby(used)]


# Counts


def counts_of(main: Callable[[World], Awaitable[Any]]) -> ActivityCounters:
    with World(Scheduler(Schedule())) as world:
        world.run(main(world))  # type: ignore[arg-type]
        return world.activity


async def echoing() -> tuple[Server, str]:
    async def handler(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    server = await serve(handler, HOST, 0)
    return server, f"ws://{HOST}:{server.sockets[0].getsockname()[1]}"


def test_handshakes_and_messages_are_counted() -> None:
    """Completed handshakes and messages that reached a client count, no others do."""

    async def main(world: World) -> None:
        server, address = await echoing()
        async with connect(address, proxy=None) as client:
            for message in ("a", "b", "c"):
                await client.send(message)
            await client.recv()
            async for _ in client:
                break
        with pytest.raises(ConnectionRefusedError):
            await connect(f"ws://{HOST}:1", proxy=None)
        server.close()
        await server.wait_closed()

    assert ActivityCounters(handshakes=1, events_delivered=2) == counts_of(main)


def test_refused_handshake_is_not_counted() -> None:
    """A handshake that the server refuses does not count."""

    async def main(world: World) -> None:
        def refuse(connection: ServerConnection, _: Any) -> Any:
            return connection.respond(403, "no")

        server = await serve(
            lambda _: asyncio.sleep(0), HOST, 0, process_request=refuse
        )
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Exception, match="403"):
            await connect(f"ws://{HOST}:{port}", proxy=None)
        server.close()
        await server.wait_closed()

    assert ActivityCounters() == counts_of(main)


def test_database_sessions_are_counted_when_they_begin() -> None:
    """A session counts once it begins a transaction, not when it is made."""

    async def main(world: World) -> None:
        engine = await database(world)
        async with AsyncSession(engine):
            pass
        for _ in range(2):
            async with AsyncSession(engine) as session:
                await session.execute(text("SELECT 1"))
        await engine.dispose()

    assert ActivityCounters(database_sessions=2) == counts_of(main)


def test_nothing_is_counted_outside() -> None:
    """Work outside a world moves no count of any world."""
    with World(Scheduler(Schedule())) as world:
        pass

    async def stock() -> None:
        server, address = await echoing()
        async with connect(address, proxy=None) as client:
            await client.send("a")
            await client.recv()
        server.close()
        await server.wait_closed()

    asyncio.run(stock())

    assert ActivityCounters() == world.activity
    assert ("users", "handshakes") == tuple(
        name for name in ActivityCounters().missing() if name in ("users", "handshakes")
    )
