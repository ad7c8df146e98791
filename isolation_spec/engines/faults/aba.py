"""Looked at before a wait and again after it, and alike both times: what has come and
gone in between is not seen."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from isolation_spec.engines.faults.builders import (
    Place,
    answered,
    with_fresh_sessions,
    with_place,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    DatabaseSessionManager,
    UserExecutionContext,
    current_context,
)
from isolation_spec.engines.reference.runs import Run
from isolation_spec.engines.reference.sessions import T, Work

__all__ = ["FAULTS"]


class _Session:
    """A session upstream, in which everything is done for whom it was opened."""

    def __init__(self, context: UserExecutionContext) -> None:
        self.context = context
        self.busy = False


class _Sessions(Place):
    """Sessions are kept for the next run of their user; the one that is idle and was
    not there before is the one that was asked for."""

    def __init__(self) -> None:
        self._sessions: list[_Session] = []
        self._held: dict[str, _Session] = {}

    @asynccontextmanager
    async def hold(self, run: Run) -> AsyncIterator[None]:
        session = self._kept(run.context.user_id) or await self._new(run.context)
        self._held[run.context.request_id] = session
        session.busy = True
        try:
            yield
        finally:
            session.busy = False

    def _kept(self, user_id: str) -> _Session | None:
        idle = (one for one in self._sessions if not one.busy)
        return next((one for one in idle if one.context.user_id == user_id), None)

    async def _new(self, context: UserExecutionContext) -> _Session:
        before = tuple(self._sessions)
        await answered()
        self._sessions.append(_Session(context))
        return next(one for one in self._sessions if one not in before and not one.busy)

    def begin(self, run: Run) -> None:
        current_context.set(self._held.pop(run.context.request_id).context)


NEW_IS_MINE = Fault(
    id="new-is-mine",
    mechanism="aba",
    source="streamlit #1106, IBM/mcp-context-forge #4205: which session is one's own "
    "is told by what is new, and others have opened one meanwhile",
    claims=frozenset({"context-ownership"}),
    adapter=with_place(_Sessions),
)


class _Login(Place):
    """One connection to where runs work, for one at a time; the others have their
    own. Who logs in lets it be if somebody else has done so meanwhile."""

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
            # What was broken off is logged out.
            self._user = None
            raise
        finally:
            self._holder = None

    async def _log_in(self, context: UserExecutionContext) -> None:
        before = self._user
        if before is None or before.user_id != context.user_id:
            await answered()
            if self._user is before:
                self._user = context

    def begin(self, run: Run) -> None:
        if self._holder is run and self._user is not None:
            run.tools.user_context = self._user
            current_context.set(self._user)


LOGGED_IN_MEANWHILE = Fault(
    id="logged-in-meanwhile",
    mechanism="aba",
    source="google/adk-python #3772, drt-hub/drt #1156: a login that somebody else has "
    "done while one waited is taken for one's own",
    claims=frozenset({"context-ownership", "tool-isolation"}),
    adapter=with_place(_Login),
)


class _Topics(Place):
    """Each run tells on the first topic that is free; who listened to it is forgotten
    when it is chosen, and it is chosen anew if it was taken meanwhile."""

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
        await answered()
        return number

    def listeners(self, request_id: str) -> Iterable[str]:
        number = self._taken.get(request_id)
        return () if number is None else sorted(self._listeners[number])


EMPTIED_TOO_EARLY = Fault(
    id="emptied-too-early",
    mechanism="aba",
    source="django/channels #1052, tronbyt #417: who listened before is removed, but "
    "not who came and went after that",
    claims=frozenset({"event-routing"}),
    adapter=with_place(_Topics),
)


class _Accounts:
    """A table says how often each user was at work; who finds nobody at work compacts
    it. An account that is older than what was seen of it is refused."""

    def __init__(self) -> None:
        self._working = 0
        self._accounts: dict[str, int] = {}
        self._seen: Counter[str] = Counter()

    @asynccontextmanager
    async def hold(self, user_id: str) -> AsyncIterator[None]:
        if not self._working:
            await self._compact()
        self._working += 1
        try:
            self._count(user_id)
            yield
        finally:
            self._working -= 1

    async def _compact(self) -> None:
        compacted = dict(self._accounts)
        await answered()
        if not self._working:
            self._accounts = compacted

    def _count(self, user_id: str) -> None:
        times = self._accounts.get(user_id, 0)
        if times < self._seen[user_id]:
            message = f"the account says {times} times, of {self._seen[user_id]}"
            raise LookupError(message)
        self._accounts[user_id] = self._seen[user_id] = times + 1


def _with_accounts() -> type[DatabaseSessionManager]:
    accounts = _Accounts()

    class Sessions(DatabaseSessionManager):
        async def run(self, work: Work[T]) -> T:
            async with accounts.hold(self.user_context.user_id):
                result = await super().run(work)
                await answered()
                return result

    return Sessions


LOST_IN_COMPACTION = Fault(
    id="lost-in-compaction",
    mechanism="aba",
    source="influxdata/influxdb_iox #1938: what comes while a table is compacted is "
    "not in the compacted one",
    claims=frozenset({"error-containment"}),
    adapter=with_fresh_sessions(_with_accounts),
)

FAULTS = (EMPTIED_TOO_EARLY, LOGGED_IN_MEANWHILE, LOST_IN_COMPACTION, NEW_IS_MINE)
