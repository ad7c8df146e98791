"""The instruments that count what really happened, in any kind of world.

The counts are taken inside the libraries where these do the work: handshakes and
messages in `websockets`, sessions, transactions and pool checkouts in SQLAlchemy. No
adapter or engine can raise them by saying so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple, Self
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import Connection

from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.model.history.states import SessionMove
from isolation_spec.world.loop import REQUESTER

__all__ = ["Instrumentation", "LiveResource"]


class LiveResource(NamedTuple):
    """One live resource: its kind, what it is, and the operation that asked for it."""

    kind: str
    what: str
    requester: int | None


class Instrumentation:
    """Counts and attributes what sessions, pools and connections do; a context manager.

    Arguments:
        moved: takes (session number, move, operation) whenever a session moves.
    """

    def __init__(
        self,
        reached: ActivityCounters,
        moved: Callable[[int, SessionMove, int | None], None],
    ) -> None:
        self.reached = reached
        self.moved = moved
        self._sessions: WeakKeyDictionary[Session, int] = WeakKeyDictionary()
        self._last_user: dict[int, int | None] = {}
        self._open_sessions: dict[int, int | None] = {}
        self._checkouts: dict[Any, int | None] = {}
        self._hashes = 0
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        self._listen(Session, "after_begin", self._on_begin)
        self._listen(Session, "do_orm_execute", self._on_execute)
        self._listen(Session, "before_flush", self._on_flush)
        self._listen(Session, "after_commit", self._on_commit)
        self._listen(Session, "after_rollback", self._on_rollback)
        self._listen(Pool, "checkout", self._on_checkout)
        self._listen(Pool, "checkin", self._on_checkin)
        self._listen(Pool, "detach", self._on_checkin)
        self._replace(Session, "close", self._closing(Session.close))
        self._replace(
            ClientConnection, "handshake", self._shaking(ClientConnection.handshake)
        )
        self._replace(ClientConnection, "recv", self._receiving(ClientConnection.recv))
        self._replace(Connection, "__hash__", self._numbering())
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
        """Yields what SQLAlchemy holds: open sessions, and connections checked out."""
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
        number, requester = self._number(session), REQUESTER.get()
        if move == SessionMove.USED and self._last_user[number] == requester:
            return
        self._last_user[number] = requester
        self.moved(number, move, requester)

    def _on_begin(self, session: Session, *_: Any) -> None:
        self.reached.database_sessions += 1
        self._open_sessions[self._number(session)] = REQUESTER.get()
        self._move(session, SessionMove.BEGAN)

    def _on_execute(self, state: Any) -> None:
        self._move(state.session, SessionMove.USED)

    def _on_flush(self, session: Session, *_: Any) -> None:
        self._move(session, SessionMove.USED)

    def _on_commit(self, session: Session) -> None:
        self._move(session, SessionMove.COMMITTED)

    def _on_rollback(self, session: Session) -> None:
        self._move(session, SessionMove.ROLLED_BACK)

    def _closing(self, original: Callable[[Session], None]) -> Callable[..., None]:
        def close(session: Session) -> None:
            original(session)
            if session in self._sessions:
                self._open_sessions.pop(self._number(session), None)
                self._move(session, SessionMove.CLOSED)

        return close

    def _on_checkout(self, _: Any, record: Any, __: Any) -> None:
        self._checkouts[record] = REQUESTER.get()

    def _on_checkin(self, _: Any, record: Any) -> None:
        self._checkouts.pop(record, None)

    # websockets

    def _shaking(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def handshake(client: ClientConnection, *args: Any, **kw: Any) -> None:
            await original(client, *args, **kw)
            self.reached.handshakes += 1

        return handshake

    def _receiving(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def recv(client: ClientConnection, *args: Any, **kw: Any) -> Any:
            message = await original(client, *args, **kw)
            self.reached.events_delivered += 1
            return message

        return recv

    def _numbering(self) -> Callable[[Connection], int]:
        # A websockets server keeps its connections in a set and closes them in the
        # order of that set, which by address would differ from run to run.
        def number(connection: Connection) -> int:
            if "_isolation_number" not in connection.__dict__:
                self._hashes += 1
                connection.__dict__["_isolation_number"] = self._hashes
            found: int = connection.__dict__["_isolation_number"]
            return found

        return number
