"""Database sessions: one for each unit of work, owned by one context.

A cancelled SQL statement can leave the native connection and its lock behind: with
SQLAlchemy 2.1.9 and aiosqlite 0.22.1 the commits of all other users then failed with
"database is locked" after 5 s. So each unit runs in a task of its own that is never
cancelled. Its caller waits until it is done; only then does a cancellation go on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from .context import UserExecutionContext
from .errors import ClosedError
from .waiting import wait_until_done

__all__ = ["DatabaseSessionManager", "Work"]

T = TypeVar("T")
Work = Callable[[AsyncSession], Awaitable[T]]


class _Unit(Generic[T]):
    """One unit of work, and its result or error."""

    __slots__ = ("_caller", "_cancelled", "_requests", "error", "result", "work")

    def __init__(self, work: Work[T]) -> None:
        self.work = work
        self._caller = asyncio.current_task()
        self._requests = self._cancel_requests()
        self._cancelled = False
        self.error: BaseException | None = None
        self.result: T | None = None

    @property
    def abandoned(self) -> bool:
        """Whether its caller was cancelled; true from the request on."""
        # A cancellation request counts at once; the caller observes it turns later.
        return self._cancelled or self._cancel_requests() > self._requests

    def abandon(self) -> None:
        self._cancelled = True

    def _cancel_requests(self) -> int:
        return 0 if self._caller is None else self._caller.cancelling()


class DatabaseSessionManager:
    """All database work of one context.

    Each unit gets a session of its own, which is committed if the work succeeds,
    rolled back if it fails or its caller is cancelled first, and closed once.
    """

    def __init__(self, context: UserExecutionContext, database: AsyncEngine) -> None:
        self.user_context = context
        self._database = database
        self._units: dict[asyncio.Task[None], _Unit[Any]] = {}
        self._unit_ended = asyncio.Event()
        self._closed = False

    @property
    def active_units(self) -> int:
        """How many units of work are running now."""
        return len(self._units)

    async def run(self, work: Work[T]) -> T:
        """Do one unit of work and return its result, which is then committed.

        Raises the error of the work, and `ClosedError` after `close`. If the caller is
        cancelled before the commit begins, the unit is rolled back. The unit has ended
        in any case when the cancellation goes on.
        """
        if self._closed:
            self._refuse()
        unit = _Unit(work)
        task = asyncio.get_running_loop().create_task(self._serve(unit))
        self._units[task] = unit
        task.add_done_callback(self._forget)
        try:
            await wait_until_done(task, on_cancel=unit.abandon)
            return self._take_result(unit, aborted=task.cancelled())
        finally:
            # A reference to the error would hold its frames, and these the session.
            unit.error = None

    async def close(self) -> None:
        """Refuse new work and wait for the running units; idempotent."""
        self._closed = True
        while self._units:
            self._unit_ended.clear()
            await self._unit_ended.wait()

    async def abort(self) -> None:
        """Close and cancel the running units, which are rolled back: a last resort."""
        for task in list(self._units):
            task.cancel()
        await self.close()

    def _open_session(self) -> AsyncSession:
        return AsyncSession(self._database, expire_on_commit=False)

    async def _finish(self, session: AsyncSession, *, keep: bool) -> None:
        try:
            if keep:
                await session.commit()
            else:
                await session.rollback()
        finally:
            await session.close()

    async def _serve(self, unit: _Unit[Any]) -> None:
        if unit.abandoned:
            return
        session = self._open_session()
        try:
            unit.result = await unit.work(session)
        except BaseException as error:
            unit.error = error
        try:
            await self._finish(session, keep=unit.error is None and not unit.abandoned)
        except BaseException as error:
            if unit.error is None:
                unit.error = error

    def _take_result(self, unit: _Unit[T], *, aborted: bool) -> T:
        error, unit.error = unit.error, None
        try:
            if aborted or (self._closed and isinstance(error, asyncio.CancelledError)):
                self._refuse()
            if error is not None:
                raise error
            return unit.result  # type: ignore[return-value]
        finally:
            # The error's traceback holds this frame; the name would close a cycle.
            del error

    def _refuse(self) -> None:
        message = (
            f"database sessions of user {self.user_context.user_id!r} are closed; "
            "ask the factory for a new engine"
        )
        raise ClosedError(message) from None

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._units.pop(task, None)
        self._unit_ended.set()
