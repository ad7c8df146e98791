"""The ledger knows every live resource and its operation."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
)
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from isolation_spec.model.scenario import Schedule
from isolation_spec.world import World
from isolation_spec.world.instrumentation import LiveResource
from isolation_spec.world.loop import CURRENT_OPERATION
from isolation_spec.world.schedulers.base import Scheduler
from tests.world.items import HOST, Item, database


def kinds(found: Any) -> set[str]:
    return {alive.kind for alive in found}


# Every kind of resource: seen when it is left, not when it is not

Resource = Callable[[World, bool, list[Any]], Awaitable[None]]


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
    """The live resources 5 virtual seconds after operation 7 used one of the kind."""
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
    """A leaked resource of a user is attributed to the operation that made it."""
    owners = {alive.requester for alive in left(kind, leave=True) if alive.kind == kind}

    assert {7} == owners


def test_resources_of_the_engine_are_not_those_of_users() -> None:
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
    """Tasks and transports of the server side belong to the connecting operation."""

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
