"""The simulated worker of aiosqlite waits, locks and cancels as a real thread does."""

import asyncio
import gc
import inspect
import queue
import sqlite3
import threading
import warnings
import weakref
from contextlib import closing
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from isolation_spec.model.scenario import Schedule
from isolation_spec.world import World
from isolation_spec.world.database import Databases
from isolation_spec.world.loop import CURRENT_OPERATION
from isolation_spec.world.schedulers.base import Scheduler


async def with_table(world: World, **options: Any) -> AsyncEngine:
    engine = create_async_engine(world.database_url, **options)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE t (a TEXT)"))
    return engine


async def connection_of(world: World) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(world.databases.uri, uri=True)
    await connection.execute("CREATE TABLE IF NOT EXISTS t (a TEXT)")
    return connection


def rows(world: World) -> list[str]:
    observer = world.observe()
    try:
        return [a for (a,) in observer.execute("SELECT a FROM t ORDER BY rowid")]
    finally:
        observer.close()


# Canaries for private names


def test_connection_has_the_replaced_attributes() -> None:
    """A connection puts (future, function) into `_tx`, and starts `_thread` once."""
    connection = aiosqlite.Connection(lambda: sqlite3.connect(":memory:"), 64)
    thread = connection._thread

    assert isinstance(connection._tx, queue.SimpleQueue)
    assert isinstance(thread, threading.Thread)
    assert connection._connection is None

    put: list[Any] = []

    class Stub:
        daemon = True

        def start(self) -> None:
            put.append("started")

        def put_nowait(self, job: Any) -> None:
            put.append(job)
            future, function = job
            result = function()
            if future is not None:
                future.set_result(result)

    async def main() -> None:
        stub: Any = Stub()
        connection._tx = connection._thread = stub
        await connection
        assert isinstance(connection._connection, sqlite3.Connection)
        await connection.close()
        assert connection._connection is None

    asyncio.run(main())

    assert "started" == put[0]
    assert ["started"] == [entry for entry in put if isinstance(entry, str)]
    assert len(put) >= 3


def test_no_thread_and_no_queue_besides() -> None:
    """aiosqlite makes no thread and no queue but those two."""
    core: Any = aiosqlite.core
    source = inspect.getsource(core)

    assert 1 == source.count("Thread(")
    assert 1 == source.count("= SimpleQueue()")
    assert core.sqlite3 is sqlite3
    assert "sqlite3.connect(" in source
    assert source.count("self._tx.put_nowait(") == source.count("_tx.put")


def test_no_real_thread_in_a_world(play: Any) -> None:
    """Inside a world no connection starts a thread; outside again, every one does."""

    async def main(world: World) -> int:
        engine = await with_table(world)
        count = threading.active_count()
        await engine.dispose()
        return count

    before = threading.active_count()

    assert before == play(main)

    async def stock() -> int:
        async with aiosqlite.connect(":memory:"):
            return threading.active_count()

    assert before < asyncio.run(stock())


# Locks


@pytest.mark.parametrize("users", [2, 3])
def test_writers_across_awaits_all_finish(
    users: int, play: Any, schedulers: Any
) -> None:
    """Users who hold write locks across awaits all finish, under 30 schedules."""

    async def main(world: World) -> tuple[float, list[str], list[Any]]:
        engine = await with_table(world)

        async def user(number: int) -> None:
            CURRENT_OPERATION.set(number)
            async with AsyncSession(engine) as session:
                insert = text("INSERT INTO t VALUES (:a)")
                await session.execute(insert, {"a": f"{number} first"})
                await asyncio.sleep(1)
                await session.execute(insert, {"a": f"{number} second"})
                await session.commit()

        async with asyncio.TaskGroup() as group:
            for number in range(users):
                group.create_task(user(number))
        await engine.dispose()
        await asyncio.sleep(5)
        return world.time(), rows(world), list(world.ledger.live_resources_at_end())

    for scheduler in schedulers(30):
        lasted, stored, left = play(main, scheduler)
        order = [entry.split()[0] for entry in stored]

        assert users + 5 <= lasted < users + 5.5
        assert order[::2] == order[1::2]
        assert sorted(map(str, range(users))) == sorted(order[::2])
        assert [] == left


def test_lock_held_too_long(play: Any) -> None:
    """A lock held beyond the busy timeout fails the waiter after 5 virtual seconds."""

    async def main(world: World) -> tuple[str, float]:
        first, second = await connection_of(world), await connection_of(world)
        await first.commit()
        await second.commit()
        await first.execute("BEGIN IMMEDIATE")
        began = world.time()
        with pytest.raises(sqlite3.OperationalError) as raised:
            await second.execute("INSERT INTO t VALUES ('x')")
        waited = world.time() - began
        await first.close()
        await second.close()
        return str(raised.value), waited

    message, waited = play(main)

    assert "database is locked" == message
    assert 5.0 <= waited < 5.1


def test_sqlite_never_waits_for_a_lock(play: Any) -> None:
    """SQLite's own busy timeout is 0: it would block the whole loop in real time."""

    async def main(world: World) -> list[tuple[int]]:
        connection = await connection_of(world)
        engines = await connection.execute_fetchall("PRAGMA busy_timeout")
        await connection.close()
        with closing(world.observe()) as observer:
            return [*engines, *observer.execute("PRAGMA busy_timeout")]

    assert [(0,), (0,)] == play(main)


def test_busy_timeout_of_the_connection_counts(play: Any) -> None:
    """A `timeout` given to connect is the virtual time for which it waits for locks."""

    async def main(world: World) -> float:
        first = await connection_of(world)
        second = await aiosqlite.connect(world.databases.uri, uri=True, timeout=0.5)
        await first.commit()
        await first.execute("BEGIN IMMEDIATE")
        began = world.time()
        with pytest.raises(sqlite3.OperationalError):
            await second.execute("INSERT INTO t VALUES ('x')")
        await first.close()
        await second.close()
        return world.time() - began

    assert 0.5 <= play(main) < 0.6


def test_second_wait_has_a_time_of_its_own(play: Any) -> None:
    """A connection that waited once may wait as long again."""

    async def main(world: World) -> list[str]:
        first, second = await connection_of(world), await connection_of(world)
        await first.commit()
        for _ in range(2):
            await first.execute("BEGIN IMMEDIATE")
            waiting = asyncio.ensure_future(
                second.execute("INSERT INTO t VALUES ('x')")
            )
            await asyncio.sleep(4)
            await first.commit()
            await waiting
            await second.commit()
        await first.close()
        await second.close()
        return rows(world)

    assert ["x", "x"] == play(main)


# Order and cancellation


def test_jobs_of_one_connection_stay_in_order(play: Any, schedulers: Any) -> None:
    """Jobs of one connection run in their order, also while one awaits a lock."""

    async def main(world: World) -> list[str]:
        holder, waiter = await connection_of(world), await connection_of(world)
        await holder.commit()
        await holder.execute("BEGIN IMMEDIATE")

        async def insert(value: str) -> None:
            CURRENT_OPERATION.set(int(value))
            await waiter.execute("INSERT INTO t VALUES (?)", (value,))

        early = [asyncio.ensure_future(insert(value)) for value in "012"]
        await asyncio.sleep(1.005)
        late = [asyncio.ensure_future(insert(value)) for value in "345"]
        await asyncio.sleep(1)
        await holder.commit()
        await asyncio.gather(*early, *late)
        await waiter.commit()
        await holder.close()
        await waiter.close()
        return rows(world)

    for scheduler in schedulers(30):
        assert list("012345") == play(main, scheduler)


@pytest.mark.parametrize("turns", range(1, 6))
def test_statement_of_a_cancelled_task_still_runs(turns: int, play: Any) -> None:
    """A queued statement executes whether or not its task is cancelled."""

    async def main(world: World) -> list[str]:
        connection = await connection_of(world)
        task = asyncio.ensure_future(connection.execute("INSERT INTO t VALUES ('x')"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await connection.commit()
        await connection.close()
        return rows(world)

    assert ["x"] == play(main)


def test_cancelled_waiter_for_a_lock_still_writes(play: Any) -> None:
    """Cancelling a task that waits for a lock does not withdraw its statement."""

    async def main(world: World) -> list[str]:
        holder, waiter = await connection_of(world), await connection_of(world)
        await holder.commit()
        await holder.execute("BEGIN IMMEDIATE")
        task = asyncio.ensure_future(waiter.execute("INSERT INTO t VALUES ('x')"))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.sleep(1)
        await holder.commit()
        await waiter.commit()
        await holder.close()
        await waiter.close()
        return rows(world)

    assert ["x"] == play(main)


def test_errors_of_statements_are_raised(play: Any) -> None:
    """An error of SQLite other than a lock reaches the awaiting code at once."""

    async def main(world: World) -> float:
        connection = await connection_of(world)
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            await connection.execute("SELECT * FROM missing")
        await connection.close()
        return world.time()

    assert 0.0 == play(main)


# Worlds apart


def test_observer_sees_committed_rows_only(play: Any) -> None:
    """`observe` reads committed data; during an open write it is refused."""

    async def main(world: World) -> list[list[str]]:
        connection = await connection_of(world)
        await connection.commit()
        await connection.execute("INSERT INTO t VALUES ('x')")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            rows(world)
        await connection.rollback()
        seen = [rows(world)]
        await connection.execute("INSERT INTO t VALUES ('y')")
        await connection.commit()
        seen.append(rows(world))
        await connection.close()
        return [*seen, rows(world)]

    assert [[], ["y"], ["y"]] == play(main)


def test_observer_is_kept_out_by_an_exclusive_lock_at_once(play: Any) -> None:
    """An observer fails at once while a connection holds an exclusive lock."""

    async def main(world: World) -> None:
        connection = await connection_of(world)
        await connection.commit()
        await connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            rows(world)
        await connection.close()

    play(main)


def test_database_vanishes_with_its_world() -> None:
    """After a world is closed, nothing of its database is left under its name."""
    with World(Scheduler(Schedule())) as world:

        async def main() -> None:
            connection = await connection_of(world)
            await connection.commit()
            await connection.close()

        world.run(main())
        assert [] == rows(world)
        uri = world.databases.uri

    later = sqlite3.connect(uri, uri=True)
    tables = later.execute("SELECT name FROM sqlite_master").fetchall()
    later.close()

    assert [] == tables


def test_worlds_have_databases_of_their_own(play: Any) -> None:
    """Two worlds never share a database."""

    async def main(world: World) -> str:
        connection = await aiosqlite.connect(world.databases.uri, uri=True)
        await connection.execute("CREATE TABLE t (a TEXT)")
        await connection.close()
        return world.databases.uri

    assert play(main) != play(main)


def test_left_connection_is_closed_with_its_world() -> None:
    """A connection left open is closed with its world, without a warning."""
    kept = []
    with World(Scheduler(Schedule())) as world:

        async def main() -> None:
            kept.append(await connection_of(world))

        world.run(main())
        open_ones = len(world.databases.open_connections())
        native = world.databases.workers[0].native()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept.clear()
        gc.collect()

    assert native is not None
    assert 1 == open_ones
    assert [] == world.databases.open_connections()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        native.execute("SELECT 1")


def test_left_checkout_makes_no_real_loop(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leaked checkout that is collected after its world creates no real loop."""
    kept: list[Any] = []
    created: list[str] = []

    async def leaves(world: World) -> None:
        engine = await with_table(world)
        kept.extend((engine, await engine.connect()))

    def get_event_loop() -> Any:
        created.append("a loop of its own")
        raise RuntimeError

    play(leaves)
    monkeypatch.setattr(asyncio, "get_event_loop", get_event_loop)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept.clear()
        gc.collect()

    assert [] == created


def test_finaliser_of_an_earlier_world_is_served_there(play: Any) -> None:
    """A connection of an earlier world that is collected later has no effect here."""
    kept: list[aiosqlite.Connection] = []
    schedulers: list[Scheduler] = []

    async def leaves(world: World) -> None:
        kept.append(await connection_of(world))
        schedulers.append(world.scheduler)

    async def later(world: World) -> tuple[Any, ...]:
        connection = await connection_of(world)
        before = world.scheduler.order_digest(), world.scheduler.pending()
        left = kept.pop()
        left.stop()
        ran: list[str] = []
        left._tx.put_nowait((None, lambda: ran.append("at once")))
        assert ["at once"] == ran
        alive = weakref.ref(left)
        del left
        after = world.scheduler.order_digest(), world.scheduler.pending()
        await connection.close()
        return before == after, len(world.databases.workers), alive()

    play(leaves)

    assert (True, 1, None) == play(later)
    assert () == schedulers[0].pending()


def test_connection_is_restored_after_the_world() -> None:
    """The replaced constructor of aiosqlite is there inside a world only."""
    original = aiosqlite.Connection.__init__
    with World(Scheduler(Schedule())):
        assert original is not aiosqlite.Connection.__init__

    assert original is aiosqlite.Connection.__init__


def test_is_locked() -> None:
    """A lock is seen from outside while a write is under way, and not afterwards."""
    with World(Scheduler(Schedule())) as world:
        databases: Databases = world.databases

        async def main() -> list[bool]:
            connection = await connection_of(world)
            await connection.commit()
            seen = [databases.is_locked()]
            await connection.execute("BEGIN IMMEDIATE")
            seen.append(databases.is_locked())
            await connection.rollback()
            seen.append(databases.is_locked())
            await connection.close()
            return seen

        seen = world.run(main())

    assert [False, True, False] == seen
