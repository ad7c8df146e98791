"""ABA: a state is read before and after an await and is equal both times, although it
changed and changed back in between."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from isolation_spec.engines.faults.builders import (
    SharedResource,
    call_external,
    with_guarded_sessions,
    with_shared_resource,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import UserExecutionContext, current_context
from isolation_spec.engines.reference.runs import Run

__all__ = ["FAULTS"]


class _Session:
    """An upstream session; all work in it is done for the user that opened it."""

    def __init__(self, context: UserExecutionContext) -> None:
        self.context = context
        self.busy = False


class _Sessions(SharedResource):
    """Caches a session for the next run of its user. A run takes the first idle session
    that did not exist before its own request for one."""

    def __init__(self) -> None:
        self._sessions: list[_Session] = []
        self._held: dict[str, _Session] = {}

    @asynccontextmanager
    async def hold(self, run: Run) -> AsyncIterator[None]:
        session = self._cached(run.context.user_id) or await self._open(run.context)
        self._held[run.context.request_id] = session
        session.busy = True
        try:
            yield
        finally:
            session.busy = False

    def _cached(self, user_id: str) -> _Session | None:
        idle = (one for one in self._sessions if not one.busy)
        return next((one for one in idle if one.context.user_id == user_id), None)

    async def _open(self, context: UserExecutionContext) -> _Session:
        before = tuple(self._sessions)
        await call_external()
        self._sessions.append(_Session(context))
        return next(one for one in self._sessions if one not in before and not one.busy)

    def begin(self, run: Run) -> None:
        current_context.set(self._held.pop(run.context.request_id).context)


NEW_IS_MINE = Fault(
    id="new-is-mine",
    source="streamlit #1106, IBM/mcp-context-forge #4205: a caller takes the newest "
    "session for its own, although others open sessions meanwhile",
    claims=frozenset({"context-ownership"}),
    adapter=with_shared_resource(_Sessions),
)


class _Login(SharedResource):
    """One shared connection for one run at a time; concurrent runs have their own. A
    run keeps an existing login if another run has logged in meanwhile."""

    def __init__(self) -> None:
        self._user: UserExecutionContext | None = None
        self._holder: Run | None = None

    @asynccontextmanager
    async def hold(self, run: Run) -> AsyncIterator[None]:
        await self._log_in(run.context)
        if self._holder is not None:
            yield
            return
        self._holder = run
        try:
            yield
        except BaseException:
            # An interrupted run logs out.
            self._user = None
            raise
        finally:
            self._holder = None

    async def _log_in(self, context: UserExecutionContext) -> None:
        before = self._user
        if before is None or before.user_id != context.user_id:
            await call_external()
            if self._user is before:
                self._user = context

    def begin(self, run: Run) -> None:
        if self._holder is run and self._user is not None:
            run.tools.user_context = self._user
            current_context.set(self._user)


LOGGED_IN_MEANWHILE = Fault(
    id="logged-in-meanwhile",
    source="google/adk-python #3772, drt-hub/drt #1156: a caller takes a login that "
    "another user completes meanwhile for its own",
    claims=frozenset({"context-ownership", "tool-isolation"}),
    adapter=with_shared_resource(_Login),
)


class _Topics(SharedResource):
    """Each run publishes on the first free topic. Choosing a topic clears its
    listeners; a run chooses again if another run has taken the topic meanwhile."""

    def __init__(self) -> None:
        self._listeners: defaultdict[int, set[str]] = defaultdict(set)
        self._taken: dict[str, int] = {}

    @asynccontextmanager
    async def hold(self, run: Run) -> AsyncIterator[None]:
        number = await self._choose()
        while number in self._taken.values():
            number = await self._choose()
        self._taken[run.context.request_id] = number
        self._listeners[number].add(run.context.user_id)
        try:
            yield
        finally:
            del self._taken[run.context.request_id]

    async def _choose(self) -> int:
        taken = self._taken.values()
        number = next(n for n in itertools.count() if n not in taken)
        self._listeners[number].clear()
        await call_external()
        return number

    def extra_recipients(self, request_id: str) -> Iterable[str]:
        number = self._taken.get(request_id)
        return () if number is None else sorted(self._listeners[number])


EMPTIED_TOO_EARLY = Fault(
    id="emptied-too-early",
    source="django/channels #1052, tronbyt #417: a topic is cleared of its old "
    "listeners, but not of those that come and go afterwards",
    claims=frozenset({"event-routing"}),
    adapter=with_shared_resource(_Topics),
)


class _Accounts:
    """A table counts each user's units of work; a unit that finds the table idle
    compacts it. An entry older than the last one observed is refused."""

    def __init__(self) -> None:
        self._working = 0
        self._accounts: dict[str, int] = {}
        self._observed: Counter[str] = Counter()

    @asynccontextmanager
    async def hold(self, context: UserExecutionContext) -> AsyncIterator[None]:
        if not self._working:
            await self._compact()
        self._working += 1
        try:
            self._count(context.user_id)
            yield
            await call_external()
        finally:
            self._working -= 1

    async def _compact(self) -> None:
        compacted = dict(self._accounts)
        await call_external()
        if not self._working:
            self._accounts = compacted

    def _count(self, user_id: str) -> None:
        times = self._accounts.get(user_id, 0)
        if times < self._observed[user_id]:
            message = f"the account says {times} times, of {self._observed[user_id]}"
            raise LookupError(message)
        self._accounts[user_id] = self._observed[user_id] = times + 1


LOST_IN_COMPACTION = Fault(
    id="lost-in-compaction",
    source="influxdata/influxdb_iox #1938: rows that arrive while a table is compacted "
    "are missing from the compacted table",
    claims=frozenset({"error-containment"}),
    adapter=with_guarded_sessions(_Accounts),
)

FAULTS = (EMPTIED_TOO_EARLY, LOGGED_IN_MEANWHILE, LOST_IN_COMPACTION, NEW_IS_MINE)
