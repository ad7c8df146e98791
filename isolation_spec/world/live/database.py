"""The database of a live world: a fresh SQLite file, or what a URL names."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.ext.asyncio import create_async_engine

from isolation_spec.contract.errors import AdapterError

__all__ = ["DEFAULT_URL", "BadDatabase", "LiveDatabase", "check_database"]

DEFAULT_URL = "sqlite+aiosqlite://"
_MEMORY = "/dev/shm"


class BadDatabase(AdapterError):
    """A database URL is of no use; the text is one sentence that says why."""


def check_database(url: str) -> None:
    """Finds out whether an engine could work on this database.

    Connects to it, unless it is SQLite: then each run has a file of its own.

    Raises:
        BadDatabase: it could not.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise _bad(url, error) from None
    try:
        dialect = parsed.get_dialect()
        dialect.import_dbapi()
    except (NoSuchModuleError, ImportError) as error:
        raise _bad(_shown(parsed), error) from None
    if not dialect.is_async:
        message = (
            f"the database {_shown(parsed)} cannot be used: the driver "
            f"{parsed.drivername!r} is not one of asyncio"
        )
        raise BadDatabase(message)
    if dialect.name != "sqlite":
        try:
            asyncio.run(_fetch(parsed, "SELECT 1"))
        except Exception as error:
            raise _bad(_shown(parsed), error) from None


def _bad(url: str, error: Exception) -> BadDatabase:
    (first, *_) = [*str(error).splitlines(), type(error).__name__]
    return BadDatabase(f"the database {url} cannot be used: {first}")


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)


class LiveDatabase:
    """One run's database; a context manager.

    Of a SQLite URL only the driver counts: every run gets a new file in a temporary
    folder. Any other database is used as it is, with what earlier runs left in it.
    """

    def __init__(self, url: str) -> None:
        given = make_url(url)
        self.persistent = given.get_backend_name() != "sqlite"
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if not self.persistent:
            self._folder = tempfile.TemporaryDirectory(
                prefix="isolation-spec-", dir=_folder_in_memory()
            )
            file = Path(self._folder.name) / "live.db"
            given = given.set(database=str(file), query={})
        self._url = given
        self.url = given.render_as_string(hide_password=False)
        self._original = aiosqlite.Connection.__init__
        self._connections: weakref.WeakSet[aiosqlite.Connection] = weakref.WeakSet()

    def __enter__(self) -> LiveDatabase:
        original = self._original

        def noted(connection: aiosqlite.Connection, *args: Any, **options: Any) -> None:
            original(connection, *args, **options)
            self._connections.add(connection)

        aiosqlite.Connection.__init__ = noted  # type: ignore[assignment,method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the threads that an engine left, without waiting for them."""
        aiosqlite.Connection.__init__ = self._original  # type: ignore[method-assign]
        for connection in tuple(self._connections):
            connection.stop()
        if self._folder is not None:
            self._folder.cleanup()

    def observe(self) -> Any:
        """A fresh connection that shares nothing with the engine's; close it."""
        if self.persistent:
            return _Observer(self._url)
        return sqlite3.connect(str(self._url.database), timeout=0)

    def is_locked(self) -> bool:
        """True if somebody holds a lock; known of SQLite only."""
        if self.persistent:
            return False
        probe = sqlite3.connect(str(self._url.database), timeout=0)
        try:
            probe.execute("BEGIN EXCLUSIVE")
            probe.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
        finally:
            probe.close()
        return False


def _folder_in_memory() -> str | None:
    """Where files need no disk, unless the user chose; None is the usual place.

    Three users with three runs took 170 ms on a disk, and 50 ms in memory.
    """
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return None
    return _MEMORY


class _Rows:
    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def fetchall(self) -> list[Any]:
        return self._rows


class _Observer:
    """Reads any database in a thread and loop of its own, in the form of `sqlite3`."""

    def __init__(self, url: URL) -> None:
        self._url = url

    def execute(self, statement: str) -> _Rows:
        with ThreadPoolExecutor(1) as pool:
            return _Rows(
                pool.submit(asyncio.run, _fetch(self._url, statement)).result()
            )

    def close(self) -> None:
        """Nothing stays open between two statements."""


async def _fetch(url: URL, statement: str) -> list[Any]:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            result = await connection.exec_driver_sql(statement)
            return [tuple(row) for row in result]
    finally:
        await engine.dispose()
