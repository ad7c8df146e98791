"""Counts and attributes the work of database sessions, for any kind of world.

Each count is taken where a library does the work: sessions, transactions and pool
checkouts in SQLAlchemy. An adapter or an engine cannot raise a count by claiming
activity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from contextvars import Context
from typing import Any, NamedTuple, Self
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import event
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool
from websockets.asyncio.connection import Connection

from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.history.states import SessionMove
from isolation_spec.world.loop import CURRENT_OPERATION

__all__ = ["Instrumentation", "LiveResource"]


class LiveResource(NamedTuple):
    """One live resource: its kind, a description, and the operation that made it.

    The context is that in which its code runs, None where it has no code.
    """

    kind: str
    description: str
    requester: int | None
    context: Context | None = None


class Instrumentation:
    """Counts and attributes activity of sessions, pools and connections.

    It is a context manager that instruments the libraries for its duration.

    Arguments:
        moved: takes (session number, move, operation) whenever a session moves.
    """

    def __init__(
        self,
        activity: ActivityCounters,
        moved: Callable[[int, SessionMove, int | None], None],
    ) -> None:
        self.activity = activity
        self.moved = moved
        self._sessions: WeakKeyDictionary[Session, int] = WeakKeyDictionary()
        self._last_user: dict[int, int | None] = {}
        self._open_sessions: dict[int, int | None] = {}
        self._checkouts: dict[Any, int | None] = {}
        self._pooled: WeakSet[Any] = WeakSet()
        self._hashes = 0
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        self._listen(Session, "after_begin", self._on_begin)
        self._listen(Session, "do_orm_execute", self._on_execute)
        self._listen(Session, "before_flush", self._on_flush)
        self._listen(Session, "after_commit", self._on_commit)
        self._listen(Session, "after_rollback", self._on_rollback)
        self._listen(Pool, "connect", self._on_connect)
        self._listen(Pool, "checkout", self._on_checkout)
        self._listen(Pool, "checkin", self._on_checkin)
        self._listen(Pool, "detach", self._on_checkin)
        self._replace(Session, "close", self._track_close(Session.close))
        self._replace(Connection, "__hash__", self._hash_by_number())
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _listen(self, target: Any, name: str, listener: Callable[..., None]) -> None:
        event.listen(target, name, listener)
        self._exit.callback(event.remove, target, name, listener)

    def _replace(self, owner: type, name: str, function: Any) -> None:
        had = name in owner.__dict__
        original = getattr(owner, name)
        setattr(owner, name, function)
        if had:
            self._exit.callback(setattr, owner, name, original)
        else:
            self._exit.callback(delattr, owner, name)

    def sessions_alive(self) -> Iterator[LiveResource]:
        """Yields each open session and each checked-out connection of SQLAlchemy."""
        for number, owner in self._open_sessions.items():
            yield LiveResource("database session", f"session {number}", owner)
        for owner in self._checkouts.values():
            yield LiveResource("pool checkout", "pooled connection", owner)

    # SQLAlchemy

    def _number(self, session: Session) -> int:
        number = self._sessions.get(session)
        if number is None:
            number = self._sessions[session] = len(self._last_user) + 1
            self._last_user[number] = None
        return number

    def _move(self, session: Session, move: SessionMove) -> None:
        number, requester = self._number(session), CURRENT_OPERATION.get()
        if move == SessionMove.USED and self._last_user[number] == requester:
            return
        self._last_user[number] = requester
        self.moved(number, move, requester)

    def _on_begin(self, session: Session, *_: Any) -> None:
        self.activity.database_sessions += 1
        self._open_sessions[self._number(session)] = CURRENT_OPERATION.get()
        self._move(session, SessionMove.BEGAN)

    def _on_execute(self, state: Any) -> None:
        self._move(state.session, SessionMove.USED)

    def _on_flush(self, session: Session, *_: Any) -> None:
        self._move(session, SessionMove.USED)

    def _on_commit(self, session: Session) -> None:
        self._move(session, SessionMove.COMMITTED)

    def _on_rollback(self, session: Session) -> None:
        self._move(session, SessionMove.ROLLED_BACK)

    def _track_close(self, original: Callable[[Session], None]) -> Callable[..., None]:
        def close(session: Session) -> None:
            original(session)
            if session in self._sessions:
                self._open_sessions.pop(self._number(session), None)
                self._move(session, SessionMove.CLOSED)

        return close

    def _on_connect(self, connection: Any, _: Any) -> None:
        driver = getattr(connection, "driver_connection", None)
        if driver is not None:
            self._pooled.add(driver)

    def count_transaction(self, connection: Any) -> None:
        """Counts a transaction of a driver's connection, begun without SQLAlchemy."""
        if connection not in self._pooled:
            self.activity.database_sessions += 1

    def _on_checkout(self, _: Any, record: Any, __: Any) -> None:
        self._checkouts[record] = CURRENT_OPERATION.get()

    def _on_checkin(self, _: Any, record: Any) -> None:
        self._checkouts.pop(record, None)

    # websockets

    def _hash_by_number(self) -> Callable[[Connection], int]:
        # A websockets server closes its connections in the order of a set. With hashes
        # of addresses that order differs from run to run.
        def number(connection: Connection) -> int:
            if "_isolation_number" not in connection.__dict__:
                self._hashes += 1
                connection.__dict__["_isolation_number"] = self._hashes
            found: int = connection.__dict__["_isolation_number"]
            return found

        return number
