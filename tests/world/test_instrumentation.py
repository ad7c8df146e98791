"""Instrumentation counts real activity and restores the libraries."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import aiosqlite
from sqlalchemy import event, select, text
from sqlalchemy.ext.asyncio import (
    AsyncSession,
)
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import Server, ServerConnection, serve

from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.scenario import Schedule
from isolation_spec.world import World
from isolation_spec.world.loop import CURRENT_OPERATION
from isolation_spec.world.schedulers.base import Scheduler
from tests.world.items import HOST, Item, database


def test_websockets_hashes_connections_by_address() -> None:
    """The hash of a connection is where the ledger replaces it."""
    assert issubclass(ServerConnection, Connection)
    assert object.__hash__ is Connection.__hash__
    assert "__hash__" not in vars(ServerConnection)


def test_sqlalchemy_has_the_events() -> None:
    """Sessions and pools dispatch the events that the ledger listens to."""
    moves = "after_begin do_orm_execute before_flush after_commit after_rollback"
    for name in moves.split():
        assert hasattr(Session.dispatch, name)
    for name in ("connect", "checkout", "checkin", "detach"):
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


def test_moves_of_a_session() -> None:
    """Every move of a session is reported with its number and its operation."""
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

    first = [(move, owner) for session, move, owner in moves if session == 1]
    second = [(move, owner) for session, move, owner in moves if session == 2]

    # The first use of a session is its beginning; "used" means another operation.
    assert [("committed", 1), ("closed", 1)] == first[-2:]
    assert [("rolled_back", 2), ("closed", 2)] == second[-2:]
    assert ("began", 1) in first
    assert ("began", 2) in second
    assert {1, 2} == {session for session, _, _ in moves}


def test_session_in_other_hands() -> None:
    """Use of a session by a different operation is reported as used."""
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

    used = [owner for _, move, owner in moves if move in ("began", "used")]

    assert [1, 2, 1] == [owner for owner, _ in itertools.groupby(used)]


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


def test_a_transaction_without_sqlalchemy_is_counted() -> None:
    """A client of the driver alone does database work, too; a read begins nothing."""

    async def main(world: World) -> None:
        connection = await aiosqlite.connect(world.databases.uri, uri=True)
        await connection.execute("CREATE TABLE t (x)")
        for value in (1, 2):
            await connection.execute("INSERT INTO t VALUES (?)", (value,))
            await connection.execute("INSERT INTO t VALUES (?)", (value,))
            await connection.commit()
        await connection.execute_fetchall("SELECT x FROM t")
        await connection.close()

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
