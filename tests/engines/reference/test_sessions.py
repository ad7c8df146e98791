"""Units of work commit, roll back and close, even if their caller is cancelled."""

import asyncio
import gc
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from isolation_spec.engines.reference import ClosedError, DatabaseSessionManager

LEFT_TO_THE_COLLECTOR = pytest.mark.filterwarnings(
    # Cancelled in the middle of connecting, the driver leaves a native connection to
    # the collector, about which Python 3.13 and newer warns.
    "ignore:unclosed database:ResourceWarning"
)


COUNT = "SELECT count(*) FROM memories WHERE key = ?"


class Watched(DatabaseSessionManager):
    """Counts opened and closed sessions."""

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
async def test_success_is_committed_and_failure_is_not(world) -> None:  # type: ignore[no-untyped-def]
    """Work that returns is stored; work that raises is rolled back."""
    sessions = Watched(world.context(), world.database)

    async def fail(session: AsyncSession) -> None:
        await write(session, "b")
        raise KeyError("b")

    assert await sessions.run(lambda session: write(session, "a")) == "a"
    with pytest.raises(KeyError):
        await sessions.run(fail)
    with pytest.raises(Exception, match="UNIQUE"):
        await sessions.run(lambda session: write(session, "a"))
    assert world.rows(COUNT, "a") == [(1,)]
    assert world.rows(COUNT, "b") == [(0,)]
    assert sessions.finished == [True, False, False]
    assert len({id(session) for session in sessions.opened}) == 3
    world.assert_nothing_left()


@pytest.mark.asyncio
async def test_cancelled_before_the_commit_is_rolled_back(world) -> None:  # type: ignore[no-untyped-def]
    """A cancelled caller waits for its unit, which is rolled back."""
    sessions = Watched(world.context(), world.database)
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
    assert world.rows(COUNT, "a") == [(0,)]
    world.assert_nothing_left()


@pytest.mark.asyncio
async def test_cancelled_before_the_first_step_opens_nothing(world) -> None:  # type: ignore[no-untyped-def]
    """A unit whose caller is cancelled in time does not begin."""
    sessions = Watched(world.context(), world.database)
    caller = asyncio.create_task(sessions.run(lambda session: write(session, "a")))
    asyncio.get_running_loop().call_soon(caller.cancel)
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert sessions.opened == []
    world.assert_nothing_left()


@pytest.mark.asyncio
async def test_cancelled_at_any_time_is_all_or_nothing(world) -> None:  # type: ignore[no-untyped-def]
    """At any cancellation the unit is committed or rolled back, and no lock is left."""
    sessions = Watched(world.context(), world.database)
    committed = 0
    for number in range(30):
        key = f"k{number}"
        caller = asyncio.create_task(
            sessions.run(lambda session, key=key: write(session, key))  # type: ignore[misc]
        )
        await asyncio.sleep(number * 0.00015)
        caller.cancel()
        await asyncio.wait((caller,))
        committed += (stored := world.rows(COUNT, key)) == [(1,)]
        if not caller.cancelled():
            assert stored == [(1,)]
        del caller
        world.assert_nothing_left()
    assert committed == sum(sessions.finished)


@pytest.mark.asyncio
async def test_close_waits_and_refuses(world) -> None:  # type: ignore[no-untyped-def]
    """Closing waits for running units; afterwards no unit begins."""
    sessions = DatabaseSessionManager(world.context(), world.database)
    caller = asyncio.create_task(sessions.run(lambda session: write(session, "a")))
    await asyncio.sleep(0)
    await asyncio.gather(sessions.close(), sessions.close())
    assert sessions.active_units == 0
    assert await caller == "a"
    with pytest.raises(ClosedError, match="closed"):
        await sessions.run(lambda session: write(session, "b"))


@LEFT_TO_THE_COLLECTOR
@pytest.mark.asyncio
async def test_abort_ends_work_that_hangs(world) -> None:  # type: ignore[no-untyped-def]
    """Aborting rolls back, closes, and raises in the caller."""
    sessions = Watched(world.context(), world.database)

    async def hang(session: AsyncSession) -> None:
        await write(session, "a")
        await asyncio.Event().wait()

    callers = [asyncio.create_task(sessions.run(hang)) for _ in range(2)]
    await world.until(lambda: len(sessions.opened) == 2)
    late = asyncio.create_task(sessions.run(hang))
    await asyncio.sleep(0)
    await sessions.abort()
    for caller in (*callers, late):
        with pytest.raises(ClosedError):
            await caller
    del callers, late, caller
    assert world.rows(COUNT, "a") == [(0,)]
    world.assert_nothing_left()
    gc.collect()


@pytest.mark.asyncio
async def test_a_cancelled_task_is_an_error_of_the_work(world) -> None:  # type: ignore[no-untyped-def]
    """Work that awaits a cancelled task raises CancelledError to its caller."""
    sessions = Watched(world.context(), world.database)

    async def work(session: AsyncSession) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await sessions.run(work)
    assert sessions.finished == [False]
