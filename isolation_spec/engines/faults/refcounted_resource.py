"""Reference counting: the first user opens a resource and the last one closes it, but
a user that is still opening it is not counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from isolation_spec.engines.faults.builders import (
    SharedResource,
    call_external,
    with_guarded_sessions,
    with_shared_resource,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    ClosedError,
    UserExecutionContext,
    current_context,
)
from isolation_spec.engines.reference.runs import Run

__all__ = ["FAULTS"]


class _Client:
    """One client for all database work; it counts as open from the start of opening."""

    def __init__(self) -> None:
        self._users = 0
        self._closed = True

    @asynccontextmanager
    async def hold(self, context: UserExecutionContext) -> AsyncIterator[None]:
        if not self._users:
            self._closed = False
            await call_external()
        self._users += 1
        try:
            if self._closed:
                message = "the client was closed"
                raise ClosedError(message)
            yield
            await call_external()
        finally:
            self._users -= 1
            if not self._users:
                self._closed = True


CLOSED_MEANWHILE = Fault(
    id="closed-meanwhile",
    source="pydantic-ai #2355, #2818: a caller that comes and leaves while another is "
    "entering a shared client closes it for the other",
    claims=frozenset({"error-containment"}),
    adapter=with_guarded_sessions(_Client),
)


class _Group:
    """Runs that keep one upstream connection alive until the last of them leaves."""

    def __init__(self) -> None:
        self.members = 0
        self.disbanded = False


class _Upstream(SharedResource):
    """Each run sends heartbeats until it leaves its group, or the group is
    disbanded."""

    def __init__(self) -> None:
        self._group: _Group | None = None

    @asynccontextmanager
    async def hold(self, run: Run) -> AsyncIterator[None]:
        group = self._group
        if group is None:
            group = self._group = _Group()
            await call_external()
        group.members += 1
        heartbeats = asyncio.get_running_loop().create_task(self._send_heartbeats())
        try:
            yield
        finally:
            self._leave(group, heartbeats)

    def _leave(self, group: _Group, heartbeats: asyncio.Task[None]) -> None:
        if group.disbanded:
            return
        heartbeats.cancel()
        group.members -= 1
        if not group.members:
            group.disbanded = True
            self._group = None

    async def _send_heartbeats(self) -> None:
        sent = 0
        while True:
            await asyncio.sleep(10)
            sent += 1


JOINED_DISBANDED = Fault(
    id="joined-disbanded",
    source="IBM/mcp-context-forge #4205, pydantic-ai #2818: a group closed by its "
    "members admits the run that opened it, and is never closed again",
    claims=frozenset({"teardown"}),
    adapter=with_shared_resource(_Upstream),
)


class _Numbers:
    """Does each unit for the first owner of its number. The last number stays in memory
    while units are in flight, and the last unit to leave stores it."""

    def __init__(self) -> None:
        self._working = 0
        self._stored = 0
        self._last: int | None = None
        self._owners: dict[int, UserExecutionContext] = {}

    @asynccontextmanager
    async def hold(self, context: UserExecutionContext) -> AsyncIterator[None]:
        if self._last is None:
            stored = self._stored
            await call_external()
            if self._last is None:
                self._last = stored
        number = self._last = self._last + 1
        self._working += 1
        before = current_context.set(self._owners.setdefault(number, context))
        try:
            await call_external()
            yield
            await call_external()
        except BaseException:
            # An interrupted unit gives up its number.
            self._owners.pop(number, None)
            raise
        finally:
            current_context.reset(before)
            self._working -= 1
            if not self._working:
                self._stored, self._last = self._last or 0, None


NUMBERED_AGAIN = Fault(
    id="numbered-again",
    source="MySQL #199: numbers start again from a stored value that other units have "
    "passed since it was read",
    claims=frozenset({"context-ownership"}),
    adapter=with_guarded_sessions(_Numbers),
)

FAULTS = (CLOSED_MEANWHILE, JOINED_DISBANDED, NUMBERED_AGAIN)
