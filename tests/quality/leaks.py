"""Variants of the reference engine that leak one resource of each kind of the ledger.

    python -m tests.quality.leaks [--seeds N]

counts for each kind the searches that find its leak.
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

__all__ = ["LEAKS", "search_for"]

EXAMPLES = 100
SELECT = text("SELECT 1")


async def start_task(adapter: ReferenceAdapter) -> Any:
    return asyncio.ensure_future(asyncio.Event().wait())


async def start_timer(adapter: ReferenceAdapter) -> Any:
    return asyncio.get_running_loop().call_later(3600.0, print)


async def open_transport(adapter: ReferenceAdapter) -> Any:
    return await asyncio.open_connection(*adapter.manager.address)


async def open_listener(adapter: ReferenceAdapter) -> Any:
    loop = asyncio.get_running_loop()
    return await loop.create_server(asyncio.Protocol, adapter.environment.host, 0)


async def open_session(adapter: ReferenceAdapter) -> Any:
    session = AsyncSession(adapter.database)
    await session.execute(SELECT)
    return session


async def check_out(adapter: ReferenceAdapter) -> Any:
    return await adapter.database.connect()


async def open_driver_connection(adapter: ReferenceAdapter) -> Any:
    return await _connect(adapter)


async def repeat_external_calls(adapter: ReferenceAdapter) -> Any:
    def call_again(_: object) -> None:
        call = asyncio.get_running_loop().run_in_executor(None, str)
        call.add_done_callback(call_again)

    call_again(None)


async def start_async_generator(adapter: ReferenceAdapter) -> Any:
    async def numbers() -> AsyncIterator[int]:
        for number in itertools.count():
            yield number

    generator = numbers()
    await anext(generator)
    return generator


async def take_lock(adapter: ReferenceAdapter) -> Any:
    connection = await _connect(adapter)
    await connection.execute("BEGIN IMMEDIATE")
    return connection


async def _connect(adapter: ReferenceAdapter) -> aiosqlite.Connection:
    url = adapter.environment.database_url
    return await aiosqlite.connect(url.partition("///")[2], uri=True)


LEAKS: dict[str, Callable[[ReferenceAdapter], Awaitable[Any]]] = {
    "async generator": start_async_generator,
    "database lock": take_lock,
    "database session": open_session,
    "driver connection": open_driver_connection,
    "listener": open_listener,
    "pending arrival": repeat_external_calls,
    "pool checkout": check_out,
    "task": start_task,
    "timer": start_timer,
    "transport": open_transport,
}
"""Kind -> a function that acquires a resource of the kind; its caller never frees
it."""


_LAST = "pending arrival"
"""Leaked at shutdown: calls made earlier have all arrived by then. An engine that calls
outside for ever gives the world no rest, and the history reports that."""


def leaking(kind: str) -> Engine:
    """An engine whose first write in each run leaks a resource of this kind."""

    class Leaking(ReferenceAdapter):
        leaked: Any = None

        async def write(
            self, user: str, context: UserExecutionEngine, key: str, value: str
        ) -> None:
            await super().write(user, context, key, value)
            if self.leaked is None and kind != _LAST:
                self.leaked = ()
                self.leaked = await LEAKS[kind](self)

        async def shutdown(self) -> None:
            await super().shutdown()
            if kind == _LAST:
                self.leaked = await LEAKS[kind](self)

    return Engine(f"leaking a {kind}", Leaking)


@without_pool_warnings()
def search_for(kind: str, seed: int) -> tuple[bool, int]:
    """Searches for a leak; returns whether it was found, and the interleavings."""
    engine = leaking(kind)
    statistics = search_share(Share(make_plan(engine, examples=EXAMPLES, seed=seed)))
    histories = [
        run(one.scenario, engine.make_adapter)
        for one in statistics.findings
        if one.violation.claim == "teardown"
    ]
    kinds = {_kind(entry) for history in histories for entry in history.entries}
    return kind in kinds, statistics.interleavings


def _kind(entry: Entry) -> str | None:
    """The kind of leaked resource that an entry reports, if any.

    A violation names only the first of several leaks; the entries name each.
    """
    if isinstance(entry, ExceptionUnhandled):
        return _LAST if entry.message.startswith("no rest") else None
    return entry.kind if isinstance(entry, ResourceAlive) else None


@click.command
@click.option("--seeds", default=20, show_default=True, help="Searches for each kind.")
def main(seeds: int) -> None:
    """Count for each kind the searches that find its leak."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for kind in LEAKS:
            searches = list(pool.map(search_for, [kind] * seeds, range(seeds)))
            caught = sum(one for one, _ in searches)
            most = max(interleavings for _, interleavings in searches)
            click.echo(
                f"{kind:<20}{caught:>4} of {seeds}, after at most {most} interleavings"
            )


if __name__ == "__main__":
    main()
