"""SQLite connections of aiosqlite whose worker thread is an arrival chain.

SQLAlchemy, aiosqlite and SQLite stay real; only the thread that executes statements is
replaced. A statement executes as its completion arrives. A cancellation before that
leaves a statement that still executes later, and one after it leaves a result without a
reader, as with the real thread.

SQLITE_BUSY is retried in virtual time. SQLite's own timeout would block the loop for 5
real seconds and then fail, since the holder of the lock could never run.

`_tx` and `_thread` of a connection are private to aiosqlite. A canary test watches
them.
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
from isolation_spec.world.loop import WorldLoop, complete_future
from isolation_spec.world.schedulers.base import Source

__all__ = ["DatabaseWorker", "Databases"]

_RETRY_AFTER = 0.01
"""Virtual seconds between two attempts to get a lock."""
_BUSY_TIMEOUT = 5.0
"""Virtual seconds after which SQLITE_BUSY is an error, as in `sqlite3.connect`."""
_names = itertools.count(1)


class _Native(sqlite3.Connection):
    """A native connection that allows weak references and closes as it is collected."""

    def __del__(self) -> None:
        self.close()


class DatabaseWorker:
    """Replaces the queue and the thread of one aiosqlite connection.

    Arguments:
        began: called when a statement has begun a transaction.

    It belongs to one loop for ever. The collector may finalise a connection of an
    earlier run during a later one. Its jobs then execute at once, on its closed loop;
    otherwise they would arrive in the later run (17 external events instead of 16).
    """

    daemon = True

    def __init__(self, loop: WorldLoop, number: int, began: Callable[[], None]) -> None:
        self.loop = loop
        self.number = number
        self._began = began
        self._native: weakref.ref[sqlite3.Connection] | None = None
        self.connection: weakref.ref[aiosqlite.Connection] | None = None
        self._source = Source(f"database connection {number}")
        self._timeout = _BUSY_TIMEOUT
        self._held_jobs: list[tuple[str, Callable[[], object]]] | None = None

    def native(self) -> sqlite3.Connection | None:
        """The native connection; None if it is closed or collected."""
        native = None if self._native is None else self._native()
        return native if native is not None and _is_open(native) else None

    def start(self) -> None:
        """Does nothing: jobs arrive, so there is no thread to start."""

    def put_nowait(
        self, job: tuple[asyncio.Future[Any] | None, Callable[[], Any]]
    ) -> None:
        """Queues a job behind the earlier ones of this connection."""
        future, function = job
        if self.loop.is_closed():
            function()
            return
        chain = self.loop.chain(ChainKind.DATABASE)

        def deliver() -> None:
            self._run(future, function, chain, None)

        if self._held_jobs is None:
            self.loop.scheduler.post(self._source, chain, deliver)
        else:
            self._held_jobs.append((chain, deliver))

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
                self._complete(future, None, error)
        except BaseException as error:
            self._complete(future, None, error)
        else:
            if isinstance(result, sqlite3.Connection):
                self._adopt(result)
            self._complete(future, result, None)

    def _retry(
        self,
        future: asyncio.Future[Any] | None,
        function: Callable[[], Any],
        chain: str,
        deadline: float,
    ) -> None:
        """Retries the job later; the later jobs of the connection wait behind it."""
        self._held_jobs = [(a.chain, a.deliver) for a in self._source.arrivals]
        self.loop.scheduler.withdraw(self._source)

        def again() -> None:
            post = self.loop.scheduler.post
            waiting, self._held_jobs = self._held_jobs or [], None
            post(
                self._source,
                chain,
                lambda: self._run(future, function, chain, deadline),
            )
            for later in waiting:
                post(self._source, *later)

        self.loop.call_later(_RETRY_AFTER, again)

    def _execute(self, function: Callable[[], Any]) -> Any:
        """Executes a job; the first one makes a native connection with weak references.

        A strong reference would keep alive a connection that the engine has dropped.
        """
        if self._native is not None:
            return self._execute_statement(function)
        original: Any = sqlite3.connect

        def connect(*args: Any, **options: Any) -> Any:
            return original(*args, **{"factory": _Native, **options})

        sqlite3.connect = connect
        try:
            return function()
        finally:
            sqlite3.connect = original

    def _execute_statement(self, function: Callable[[], Any]) -> Any:
        native = self.native()
        before = native is not None and native.in_transaction
        result = function()
        native = self.native()
        if native is not None and native.in_transaction and not before:
            self._began()
        return result

    def _adopt(self, native: sqlite3.Connection) -> None:
        # The worker waits for locks itself: SQLite's own wait blocks the whole loop.
        (milliseconds,) = native.execute("PRAGMA busy_timeout").fetchone()
        self._timeout = milliseconds / 1000
        native.execute("PRAGMA busy_timeout = 0").close()
        if isinstance(native, _Native):
            self._native = weakref.ref(native)

    def _complete(
        self,
        future: asyncio.Future[Any] | None,
        result: Any,
        error: BaseException | None,
    ) -> None:
        if future is not None:
            self.loop.call_soon(complete_future, future, result, error)


class Databases:
    """The database of one world and all aiosqlite connections; a context manager.

    Inside, arrivals drive every new aiosqlite connection. The database lives in
    SQLite's in-memory VFS, which has real transactions for each connection and reports
    SQLITE_BUSY as a file does. Of the alternatives, `:memory:` gives one transaction to
    all users, and `cache=shared` locks whole tables even for reads.

    The database vanishes with its last connection, so an anchor connection stays open
    until `close`.

    Attributes:
        workers: the workers of all connections so far.
        transaction_began: called with the connection on which one began.
        uri: the database for `sqlite3`.
        url: the database for SQLAlchemy.
    """

    def __init__(self, loop: WorldLoop) -> None:
        self.loop = loop
        self.workers: list[DatabaseWorker] = []
        self.transaction_began: Callable[[aiosqlite.Connection], None] = _nothing_to_do
        name = f"/isolation-{next(_names)}"
        self.uri = f"file:{name}?vfs=memdb"
        self.url = f"sqlite+aiosqlite:///file:{name}?vfs=memdb&uri=true"
        self._anchor = sqlite3.connect(self.uri, uri=True)
        self._original = aiosqlite.Connection.__init__

    def __enter__(self) -> Databases:
        original = self._original

        def adopt(connection: aiosqlite.Connection, *args: Any, **options: Any) -> None:
            original(connection, *args, **options)
            here = weakref.ref(connection)
            worker = DatabaseWorker(
                self.loop, len(self.workers) + 1, lambda: self._count(here())
            )
            worker.connection = here
            self.workers.append(worker)
            connection._thread = worker  # type: ignore[assignment]
            connection._tx = worker  # type: ignore[assignment]

        aiosqlite.Connection.__init__ = adopt  # type: ignore[assignment,method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        aiosqlite.Connection.__init__ = self._original  # type: ignore[method-assign]

    def _count(self, connection: aiosqlite.Connection | None) -> None:
        if connection is not None:
            self.transaction_began(connection)

    def observe(self) -> sqlite3.Connection:
        """A fresh connection, independent of the engine's; the caller closes it."""
        return sqlite3.connect(self.uri, uri=True, timeout=0)

    def open_connections(self) -> list[DatabaseWorker]:
        """The workers whose native connection is open."""
        return [worker for worker in self.workers if worker.native() is not None]

    def is_locked(self) -> bool:
        """Whether a connection holds a lock that keeps others from writing."""
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
        """Closes the database with every connection that an engine left open."""
        self.release()
        for worker in self.workers:
            if worker.connection is not None and (left := worker.connection()):
                # The ledger already reported the connection, so its finaliser must not
                # warn as well. Nor may it look for an event loop and so create one.
                left._connection = None
                left.stop = _nothing  # type: ignore[method-assign]
        self._anchor.close()


def _nothing_to_do(_: aiosqlite.Connection) -> None:
    """Takes a transaction that no ledger counts."""


def _nothing() -> None:
    """Replaces `stop` of a connection whose world has ended."""


def _is_open(native: sqlite3.Connection) -> bool:
    try:
        native.total_changes  # noqa: B018
    except sqlite3.ProgrammingError:
        return False
    return True
