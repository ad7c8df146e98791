"""The reference engine, leaving one resource of each kind of the ledger behind.

    python -m tests.quality.leaks [--seeds N]

searches for each of them and says in how many searches the leak of that kind was found.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import aiosqlite
import click
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from isolation_spec.engines.reference import UserExecutionEngine
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import Engine
from isolation_spec.execution.containment import without_pool_warnings
from isolation_spec.execution.run import run
from isolation_spec.model.history.entries import (
    Entry,
    ExceptionUnhandled,
    ResourceAlive,
)
from isolation_spec.search.plan import make_plan
from isolation_spec.search.worker import Share, search_share

__all__ = ["LEAKS", "found"]

EXAMPLES = 100
SELECT = text("SELECT 1")


async def a_task(adapter: ReferenceAdapter) -> Any:
    return asyncio.ensure_future(asyncio.Event().wait())


async def a_timer(adapter: ReferenceAdapter) -> Any:
    return asyncio.get_running_loop().call_later(3600.0, print)


async def a_transport(adapter: ReferenceAdapter) -> Any:
    return await asyncio.open_connection(*adapter.manager.address)


async def a_listener(adapter: ReferenceAdapter) -> Any:
    loop = asyncio.get_running_loop()
    return await loop.create_server(asyncio.Protocol, adapter.environment.host, 0)


async def a_session(adapter: ReferenceAdapter) -> Any:
    session = AsyncSession(adapter.database)
    await session.execute(SELECT)
    return session


async def a_checkout(adapter: ReferenceAdapter) -> Any:
    return await adapter.database.connect()


async def a_driver_connection(adapter: ReferenceAdapter) -> Any:
    return await _connected(adapter)


async def a_pending_arrival(adapter: ReferenceAdapter) -> Any:
    def ask_again(_: object) -> None:
        asking = asyncio.get_running_loop().run_in_executor(None, str)
        asking.add_done_callback(ask_again)

    ask_again(None)


async def an_async_generator(adapter: ReferenceAdapter) -> Any:
    async def numbers() -> AsyncIterator[int]:
        for number in itertools.count():
            yield number

    generator = numbers()
    await anext(generator)
    return generator


async def a_lock(adapter: ReferenceAdapter) -> Any:
    connection = await _connected(adapter)
    await connection.execute("BEGIN IMMEDIATE")
    return connection


async def _connected(adapter: ReferenceAdapter) -> aiosqlite.Connection:
    url = adapter.environment.database_url
    return await aiosqlite.connect(url.partition("///")[2], uri=True)


LEAKS: dict[str, Callable[[ReferenceAdapter], Awaitable[Any]]] = {
    "async generator": an_async_generator,
    "database lock": a_lock,
    "database session": a_session,
    "driver connection": a_driver_connection,
    "listener": a_listener,
    "pending arrival": a_pending_arrival,
    "pool checkout": a_checkout,
    "task": a_task,
    "timer": a_timer,
    "transport": a_transport,
}
"""Kind -> what takes a resource of it and gives it to nobody who would free it."""


_LAST = "pending arrival"
"""What is asked for before the end has arrived by then; who asks for ever leaves the
world no rest, which is what is told of it."""


def leaking(kind: str) -> Engine:
    """The engine of which the first write of a world leaves one behind."""

    class Leaking(ReferenceAdapter):
        kept: Any = None

        async def write(
            self, user: str, context: UserExecutionEngine, key: str, value: str
        ) -> None:
            await super().write(user, context, key, value)
            if self.kept is None and kind != _LAST:
                self.kept = ()
                self.kept = await LEAKS[kind](self)

        async def shutdown(self) -> None:
            await super().shutdown()
            if kind == _LAST:
                self.kept = await LEAKS[kind](self)

    return Engine(f"leaking a {kind}", Leaking)


@without_pool_warnings()
def found(kind: str, seed: int) -> tuple[bool, int]:
    """(whether a search from cold tells of a leak of this kind, interleavings)."""
    engine = leaking(kind)
    statistics = search_share(Share(make_plan(engine, examples=EXAMPLES, seed=seed)))
    histories = [
        run(one.scenario, engine.make_adapter)
        for one in statistics.findings
        if one.violation.claim == "teardown"
    ]
    left = {_kind(entry) for history in histories for entry in history.entries}
    return kind in left, statistics.interleavings


def _kind(entry: Entry) -> str | None:
    """What is left; a violation tells of the first of several, this of each."""
    if isinstance(entry, ExceptionUnhandled):
        return _LAST if entry.message.startswith("no rest") else None
    return entry.kind if isinstance(entry, ResourceAlive) else None


@click.command
@click.option("--seeds", default=20, show_default=True, help="Searches for each kind.")
def main(seeds: int) -> None:
    """In how many of so many searches the leak of each kind is found."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for kind in LEAKS:
            searches = list(pool.map(found, [kind] * seeds, range(seeds)))
            caught = sum(one for one, _ in searches)
            most = max(interleavings for _, interleavings in searches)
            click.echo(
                f"{kind:<20}{caught:>4} of {seeds}, after at most {most} interleavings"
            )


if __name__ == "__main__":
    main()
