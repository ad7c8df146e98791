"""The first to come opens and the last to leave closes, but who is still opening is
counted by nobody, so that others may come and leave meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from isolation_spec.engines.faults.builders import (
    Place,
    answered,
    with_fresh_sessions,
    with_place,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    ClosedError,
    DatabaseSessionManager,
    UserExecutionContext,
    current_context,
)
from isolation_spec.engines.reference.runs import Run
from isolation_spec.engines.reference.sessions import T, Work

__all__ = ["FAULTS"]


class _Client:
    """One client for all database work; it counts as open when somebody begins to open
    it."""

    def __init__(self) -> None:
        self._users = 0
        self._closed = True

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        if not self._users:
            self._closed = False
            await answered()
        self._users += 1
        try:
            if self._closed:
                message = "the client was closed"
                raise ClosedError(message)
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._closed = True


def _with_client() -> type[DatabaseSessionManager]:
    client = _Client()

    class Sessions(DatabaseSessionManager):
        async def run(self, work: Work[T]) -> T:
            async with client.hold():
                result = await super().run(work)
                await answered()
                return result

    return Sessions


CLOSED_MEANWHILE = Fault(
    id="closed-meanwhile",
    mechanism="refcounted_resource",
    source="pydantic-ai #2355, #2818: who comes and leaves while another is entering a "
    "shared client closes it for them",
    claims=frozenset({"error-containment"}),
    adapter=with_fresh_sessions(_with_client),
)


class _Group:
    """Runs that keep one upstream alive together, until the last of them leaves."""

    def __init__(self) -> None:
        self.members = 0
        self.disbanded = False


class _Upstream(Place):
    """Each run sends signs of life; they end with the group, or when it leaves it."""

    def __init__(self) -> None:
        self._group: _Group | None = None

    @asynccontextmanager
    async def hold(self, run: Run) -> AsyncIterator[None]:
        group = self._group
        if group is None:
            group = self._group = _Group()
            await answered()
        group.members += 1
        signs = asyncio.get_running_loop().create_task(self._give_signs())
        try:
            yield
        finally:
            self._leave(group, signs)

    def _leave(self, group: _Group, signs: asyncio.Task[None]) -> None:
        if group.disbanded:
            return
        signs.cancel()
        group.members -= 1
        if not group.members:
            group.disbanded = True
            self._group = None

    async def _give_signs(self) -> None:
        signs = 0
        while True:
            await asyncio.sleep(10)
            signs += 1


JOINED_DISBANDED = Fault(
    id="joined-disbanded",
    mechanism="refcounted_resource",
    source="IBM/mcp-context-forge #4205, pydantic-ai #2818: a group that the others "
    "have closed takes in who opened it, and nobody closes it again",
    claims=frozenset({"teardown"}),
    adapter=with_place(_Upstream),
)


class _Numbers:
    """Work is done for whom its number was given to; the last number is kept while
    somebody is there, and stored by the last to leave."""

    def __init__(self) -> None:
        self._working = 0
        self._stored = 0
        self._last: int | None = None
        self._owners: dict[int, UserExecutionContext] = {}

    @asynccontextmanager
    async def hold(self, context: UserExecutionContext) -> AsyncIterator[None]:
        if self._last is None:
            stored = self._stored
            await answered()
            if self._last is None:
                self._last = stored
        number = self._last = self._last + 1
        self._working += 1
        before = current_context.set(self._owners.setdefault(number, context))
        try:
            yield
        except BaseException:
            # What was broken off leaves its number to nobody.
            self._owners.pop(number, None)
            raise
        finally:
            current_context.reset(before)
            self._working -= 1
            if not self._working:
                self._stored, self._last = self._last or 0, None


def _with_numbers() -> type[DatabaseSessionManager]:
    numbers = _Numbers()

    class Sessions(DatabaseSessionManager):
        async def run(self, work: Work[T]) -> T:
            async with numbers.hold(self.user_context):
                await answered()
                result = await super().run(work)
                await answered()
                return result

    return Sessions


NUMBERED_AGAIN = Fault(
    id="numbered-again",
    mechanism="refcounted_resource",
    source="MySQL #199: numbers start again from what was stored when nobody was "
    "there, though others have been there since it was read",
    claims=frozenset({"context-ownership"}),
    adapter=with_fresh_sessions(_with_numbers),
)

FAULTS = (CLOSED_MEANWHILE, JOINED_DISBANDED, NUMBERED_AGAIN)
