"""SQLite connections of aiosqlite whose worker thread is an arrival chain.

Everything of SQLAlchemy, aiosqlite and SQLite stays real; only the thread that runs the
statements is replaced. A statement executes at the instant at which its completion is
chosen, so a cancellation before that leaves a statement that still runs later, and one
after it a result that nobody reads, as with the real thread. SQLITE_BUSY is retried in
virtual time, as the lock holder could otherwise never go on.

The two attributes touched, `_tx` and `_thread` of a connection, are private to
aiosqlite: `tests/world/test_database.py` watches them.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import weakref
from collections.abc import Callable
from typing import Any

import aiosqlite

from isolation_spec.model.scenario import ChainKind
from isolation_spec.world.loop import WorldLoop, settle
from isolation_spec.world.schedulers.base import Source

__all__ = ["DatabaseWorker", "Databases"]

_RETRY_AFTER = 0.01
_BUSY_TIMEOUT = 5.0
_names = itertools.count(1)


class _Native(sqlite3.Connection):
    """A native connection that can be referred to weakly, and closes when it goes."""

    def __del__(self) -> None:
        self.close()


class DatabaseWorker:
    """Stands where aiosqlite has a queue and a thread; bound to one loop for ever.

    Finalisers of connections that an earlier run left behind reach their own closed
    loop here, and are then served at once, without an arrival in the run of somebody
    else.
    """

    daemon = True

    def __init__(self, loop: WorldLoop, number: int) -> None:
        self.loop = loop
        self.number = number
        self._native: weakref.ref[sqlite3.Connection] | None = None
        self.connection: weakref.ref[aiosqlite.Connection] | None = None
        self._source = Source(f"database connection {number}")
        self._timeout = _BUSY_TIMEOUT
        self._waiting: list[tuple[str, Callable[[], object]]] | None = None

    def native(self) -> sqlite3.Connection | None:
        """The native connection while it is open and somebody holds it."""
        native = None if self._native is None else self._native()
        return native if native is not None and _is_open(native) else None

    def start(self) -> None:
        """Nothing to start; jobs arrive."""

    def put_nowait(
        self, job: tuple[asyncio.Future[Any] | None, Callable[[], Any]]
    ) -> None:
        """A job is queued behind the earlier ones of this connection."""
        future, function = job
        if self.loop.is_closed():
            function()
            return
        chain = self.loop.chain(ChainKind.DATABASE)

        def deliver() -> None:
            self._run(future, function, chain, None)

        if self._waiting is None:
            self.loop.scheduler.post(self._source, chain, deliver)
        else:
            self._waiting.append((chain, deliver))

    def _run(
        self,
        future: asyncio.Future[Any] | None,
        function: Callable[[], Any],
        chain: str,
        give_up_at: float | None,
    ) -> None:
        try:
            result = self._execute(function)
        except sqlite3.OperationalError as error:
            deadline = give_up_at or self.loop.time() + self._timeout
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY and (
                self.loop.time() < deadline
            ):
                self._retry(future, function, chain, deadline)
            else:
                self._answer(future, None, error)
        except BaseException as error:
            self._answer(future, None, error)
        else:
            if isinstance(result, sqlite3.Connection):
                self._adopt(result)
            self._answer(future, result, None)

    def _retry(
        self,
        future: asyncio.Future[Any] | None,
        function: Callable[[], Any],
        chain: str,
        deadline: float,
    ) -> None:
        """The connection waits for the lock; its later jobs wait behind it."""
        self._waiting = [(a.chain, a.deliver) for a in self._source.arrivals]
        self.loop.scheduler.withdraw(self._source)

        def again() -> None:
            post = self.loop.scheduler.post
            waiting, self._waiting = self._waiting or [], None
            post(
                self._source,
                chain,
                lambda: self._run(future, function, chain, deadline),
            )
            for later in waiting:
                post(self._source, *later)

        self.loop.call_later(_RETRY_AFTER, again)

    def _execute(self, function: Callable[[], Any]) -> Any:
        """Runs a job; while the first one connects, the connection is made weakly
        referable, as a reference of ours would keep alive what an engine let go."""
        if self._native is not None:
            return function()
        original: Any = sqlite3.connect

        def connect(*args: Any, **options: Any) -> Any:
            return original(*args, **{"factory": _Native, **options})

        sqlite3.connect = connect
        try:
            return function()
        finally:
            sqlite3.connect = original

    def _adopt(self, native: sqlite3.Connection) -> None:
        # The wait for a lock is ours: SQLite's own would hold the whole loop.
        (milliseconds,) = native.execute("PRAGMA busy_timeout").fetchone()
        self._timeout = milliseconds / 1000
        native.execute("PRAGMA busy_timeout = 0").close()
        if isinstance(native, _Native):
            self._native = weakref.ref(native)

    def _answer(
        self,
        future: asyncio.Future[Any] | None,
        result: Any,
        error: BaseException | None,
    ) -> None:
        if future is not None:
            self.loop.call_soon(settle, future, result, error)


class Databases:
    """The database of one world and all connections that aiosqlite opens in it.

    A context manager: inside, every new aiosqlite connection is worked by arrivals. The
    database lives in SQLite's in-memory VFS and vanishes with its last connection, so a
    keeper is held until `close`.
    """

    def __init__(self, loop: WorldLoop) -> None:
        self.loop = loop
        self.workers: list[DatabaseWorker] = []
        name = f"/isolation-{next(_names)}"
        self.uri = f"file:{name}?vfs=memdb"
        self.url = f"sqlite+aiosqlite:///file:{name}?vfs=memdb&uri=true"
        self._keeper = sqlite3.connect(self.uri, uri=True)
        self._original = aiosqlite.Connection.__init__

    def __enter__(self) -> Databases:
        original = self._original

        def adopt(connection: aiosqlite.Connection, *args: Any, **options: Any) -> None:
            original(connection, *args, **options)
            worker = DatabaseWorker(self.loop, len(self.workers) + 1)
            worker.connection = weakref.ref(connection)
            self.workers.append(worker)
            connection._thread = worker  # type: ignore[assignment]
            connection._tx = worker  # type: ignore[assignment]

        aiosqlite.Connection.__init__ = adopt  # type: ignore[assignment,method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        aiosqlite.Connection.__init__ = self._original  # type: ignore[method-assign]

    def observe(self) -> sqlite3.Connection:
        """A fresh connection that shares nothing with the engine's; close it."""
        return sqlite3.connect(self.uri, uri=True, timeout=0)

    def open_connections(self) -> list[DatabaseWorker]:
        """The workers whose native connection is open."""
        return [worker for worker in self.workers if worker.native() is not None]

    def is_locked(self) -> bool:
        """True if somebody holds a lock that keeps others from writing."""
        probe = self.observe()
        try:
            probe.execute("BEGIN EXCLUSIVE")
            probe.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
        finally:
            probe.close()
        return False

    def release(self) -> None:
        """Closes the native connections that an engine left open."""
        for worker in self.workers:
            if (native := worker.native()) is not None:
                native.close()

    def close(self) -> None:
        """Closes everything, also what an engine left open."""
        self.release()
        for worker in self.workers:
            if worker.connection is not None and (left := worker.connection()):
                # Its finaliser would warn a second time of what the ledger reported.
                # Nor must it look for an event loop, which would make a real one.
                left._connection = None
                left.stop = _nothing  # type: ignore[method-assign]
        self._keeper.close()


def _nothing() -> None:
    """Stands where a connection of a world that is over would be stopped."""


def _is_open(native: sqlite3.Connection) -> bool:
    try:
        native.total_changes  # noqa: B018
    except sqlite3.ProgrammingError:
        return False
    return True
