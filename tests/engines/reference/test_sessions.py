"""Units of work commit, roll back and close, whatever happens to the caller."""

import asyncio
import gc
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from isolation_spec.engines.reference import ClosedError, DatabaseSessionManager

LEFT_TO_THE_COLLECTOR = pytest.mark.filterwarnings(
    # Cancelled in the middle of connecting, the driver leaves a native connection to
    # the collector, which Python 3.13 and newer remarks upon.
    "ignore:unclosed database:ResourceWarning"
)


COUNT = "SELECT count(*) FROM memories WHERE key = ?"


class Watched(DatabaseSessionManager):
    """Counts what is opened and closed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.opened: list[AsyncSession] = []
        self.finished: list[bool] = []

    def _open_session(self) -> AsyncSession:
        self.opened.append(super()._open_session())
        return self.opened[-1]

    async def _finish(self, session: AsyncSession, *, keep: bool) -> None:
        self.finished.append(keep)
        await super()._finish(session, keep=keep)


async def write(session: AsyncSession, key: str) -> str:
    statement = "INSERT INTO memories VALUES ('u', 't', :key, 'v')"
    await session.execute(text(statement), {"key": key})
    return key


@pytest.mark.asyncio
async def test_success_is_committed_and_failure_is_not(house) -> None:  # type: ignore[no-untyped-def]
    """Work that returns is stored; work that raises leaves nothing."""
    sessions = Watched(house.context(), house.database)

    async def fail(session: AsyncSession) -> None:
        await write(session, "b")
        raise KeyError("b")

    assert await sessions.run(lambda session: write(session, "a")) == "a"
    with pytest.raises(KeyError):
        await sessions.run(fail)
    with pytest.raises(Exception, match="UNIQUE"):
        await sessions.run(lambda session: write(session, "a"))
    assert house.rows(COUNT, "a") == [(1,)]
    assert house.rows(COUNT, "b") == [(0,)]
    assert sessions.finished == [True, False, False]
    assert len({id(session) for session in sessions.opened}) == 3
    house.assert_nothing_left()


@pytest.mark.asyncio
async def test_cancelled_before_the_commit_is_rolled_back(house) -> None:  # type: ignore[no-untyped-def]
    """A cancelled caller waits for its unit, which then leaves nothing."""
    sessions = Watched(house.context(), house.database)
    gate = asyncio.Event()
    written = asyncio.Event()

    async def work(session: AsyncSession) -> None:
        await write(session, "a")
        written.set()
        await gate.wait()

    caller = asyncio.create_task(sessions.run(work))
    await written.wait()
    for _ in range(3):
        caller.cancel()
        await asyncio.sleep(0)
    assert (caller.done(), sessions.active_units) == (False, 1)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert sessions.finished == [False]
    assert house.rows(COUNT, "a") == [(0,)]
    house.assert_nothing_left()


@pytest.mark.asyncio
async def test_cancelled_before_the_first_step_opens_nothing(house) -> None:  # type: ignore[no-untyped-def]
    """A unit that nobody waits for is not begun."""
    sessions = Watched(house.context(), house.database)
    caller = asyncio.create_task(sessions.run(lambda session: write(session, "a")))
    asyncio.get_running_loop().call_soon(caller.cancel)
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert sessions.opened == []
    house.assert_nothing_left()


@pytest.mark.asyncio
async def test_cancelled_at_any_time_is_all_or_nothing(house) -> None:  # type: ignore[no-untyped-def]
    """Whenever the caller is cancelled: kept means committed, no lock stays."""
    sessions = Watched(house.context(), house.database)
    kept = 0
    for number in range(30):
        key = f"k{number}"
        caller = asyncio.create_task(
            sessions.run(lambda session, key=key: write(session, key))  # type: ignore[misc]
        )
        await asyncio.sleep(number * 0.00015)
        caller.cancel()
        await asyncio.wait((caller,))
        kept += (stored := house.rows(COUNT, key)) == [(1,)]
        if not caller.cancelled():
            assert stored == [(1,)]
        del caller
        house.assert_nothing_left()
    assert kept == sum(sessions.finished)


@pytest.mark.asyncio
async def test_close_waits_and_refuses(house) -> None:  # type: ignore[no-untyped-def]
    """Closing drains what runs; afterwards nothing is begun."""
    sessions = DatabaseSessionManager(house.context(), house.database)
    caller = asyncio.create_task(sessions.run(lambda session: write(session, "a")))
    await asyncio.sleep(0)
    await asyncio.gather(sessions.close(), sessions.close())
    assert sessions.active_units == 0
    assert await caller == "a"
    with pytest.raises(ClosedError, match="closed"):
        await sessions.run(lambda session: write(session, "b"))


@LEFT_TO_THE_COLLECTOR
@pytest.mark.asyncio
async def test_abort_ends_work_that_hangs(house) -> None:  # type: ignore[no-untyped-def]
    """The last resort rolls back, closes and tells the caller."""
    sessions = Watched(house.context(), house.database)

    async def hang(session: AsyncSession) -> None:
        await write(session, "a")
        await asyncio.Event().wait()

    callers = [asyncio.create_task(sessions.run(hang)) for _ in range(2)]
    await house.until(lambda: len(sessions.opened) == 2)
    late = asyncio.create_task(sessions.run(hang))
    await asyncio.sleep(0)
    await sessions.abort()
    for caller in (*callers, late):
        with pytest.raises(ClosedError):
            await caller
    del callers, late, caller
    assert house.rows(COUNT, "a") == [(0,)]
    house.assert_nothing_left()
    gc.collect()


@pytest.mark.asyncio
async def test_a_cancellation_of_something_else_is_the_works_own_error(house) -> None:  # type: ignore[no-untyped-def]
    """Work that awaits a cancelled thing fails as it would anywhere."""
    sessions = Watched(house.context(), house.database)

    async def work(session: AsyncSession) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await sessions.run(work)
    assert sessions.finished == [False]
