"""State that lives from a user's first run to the last, while others use it."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import Context, copy_context
from typing import Any

from isolation_spec.engines.faults.builders import with_fresh_engine
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import (
    AgentExecutionResult,
    ToolDispatcher,
    UserExecutionContext,
    UserExecutionEngine,
)
from isolation_spec.engines.reference.runs import Run

__all__ = ["FAULTS"]


Request = Callable[[], Awaitable[Any]]


class _Shifts:
    """Tracks shifts: a user's shift lasts from the start of their first run in flight
    to the end of their last."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()

    @contextmanager
    def count_run(self, user: str) -> Iterator[None]:
        """Counts a run of the user for the length of a block."""
        self.runs[user] += 1
        if self.runs[user] == 1:
            self.begin(user)
        try:
            yield
        finally:
            self.runs[user] -= 1
            if not self.runs[user]:
                del self.runs[user]
                self.end(user)

    def begin(self, user: str) -> None:
        """The user's shift begins."""

    def end(self, user: str) -> None:
        """The user's shift ends."""

    async def call(self, user: str, request: Request) -> Any:
        """Makes a request for the user and returns its answer."""
        return await request()


def _with_shifts(make: Callable[[], _Shifts]) -> type[UserExecutionEngine]:
    shifts = make()

    class Dispatcher(ToolDispatcher):
        async def _run_tool(
            self, context: UserExecutionContext, name: str, arguments: Mapping[str, Any]
        ) -> Any:
            tool = super()._run_tool
            return await shifts.call(
                context.user_id, lambda: tool(context, name, arguments)
            )

    class Engine(UserExecutionEngine):
        dispatcher_class = Dispatcher

        async def _execute(self, run: Run) -> AgentExecutionResult:
            with shifts.count_run(run.context.user_id):
                return await super()._execute(run)

        async def _call_model(self, run: Run, prompt: str) -> str:
            model = super()._call_model
            answer: str = await shifts.call(
                run.context.user_id, lambda: model(run, prompt)
            )
            return answer

    return Engine


class _SharedSession(_Shifts):
    """One upstream session, closed by the last user to leave.

    A lone user is not counted while it waits for an answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self._session: object | None = None
        self._parked: Counter[str] = Counter()

    def begin(self, user: str) -> None:
        self._session = self._session or object()

    def end(self, user: str) -> None:
        if not self.runs and not self._parked[user]:
            self._session = None

    async def call(self, user: str, request: Request) -> Any:
        if set(self.runs) != {user}:
            return await request()
        session, runs = self._session, self.runs.pop(user)
        self._parked[user] += 1
        try:
            answer = await request()
        finally:
            self.runs[user] += runs
            self._parked[user] -= 1
        if self._session is not session:
            message = "the upstream session was closed"
            raise ConnectionError(message)
        return answer


CLOSED_WHILE_PARKED = Fault(
    id="closed-while-parked",
    source="usestrix/strix #1012, pydantic-ai #2818: the last user out closes the "
    "shared session, and does not count a user that waits for an answer",
    claims=frozenset({"error-containment", "tool-isolation"}),
    adapter=with_fresh_engine(lambda: _with_shifts(_SharedSession)),
)


class _HighWaterMark(_Shifts):
    """Numbers calls and shifts; every number below the highest finished one counts as
    finished."""

    def __init__(self) -> None:
        super().__init__()
        self._last = self._over = 0
        self._numbers: dict[str, int] = {}

    def begin(self, user: str) -> None:
        self._last += 1
        self._numbers[user] = self._last

    def end(self, user: str) -> None:
        self._over = max(self._over, self._numbers.pop(user))

    async def call(self, user: str, request: Request) -> Any:
        self._last += 1
        number = self._last
        answer = await request()
        if number < self._over:
            message = "the answer belongs to a finished call"
            raise TimeoutError(message)
        return answer


BEHIND_THE_MARK = Fault(
    id="behind-the-mark",
    source="consumers of Apache Kafka that commit out of order: progress is stored as "
    "one highest number, although a later item may be done before an earlier one",
    claims=frozenset({"error-containment", "tool-isolation"}),
    adapter=with_fresh_engine(lambda: _with_shifts(_HighWaterMark)),
)


class _Versions(_Shifts):
    """Each shift makes a new version of the answers.

    A version is dropped after as many users have left as waited for it when it was
    replaced; a caller that still waits for it gets the newest version instead.
    """

    def __init__(self) -> None:
        super().__init__()
        self._newest = 0
        self._waiting = 0
        self._replaced: dict[int, int] = {}
        self._answers: dict[int, Any] = {}

    def begin(self, user: str) -> None:
        if self._waiting:
            self._replaced[self._newest] = self._waiting
        self._newest += 1

    def end(self, user: str) -> None:
        for version, waiting in tuple(self._replaced.items()):
            if waiting > 1:
                self._replaced[version] = waiting - 1
            else:
                del self._replaced[version]

    async def call(self, user: str, request: Request) -> Any:
        version = self._newest
        self._waiting += 1
        try:
            answer = await request()
        finally:
            self._waiting -= 1
        if version != self._newest and version not in self._replaced:
            return self._answers.get(self._newest, answer)
        self._answers[version] = answer
        return answer


GIVEN_UP_EARLY = Fault(
    id="given-up-early",
    source="pydantic-ai #6411, #6428, with versions: departures are counted "
    "without their user, so a version that another user still reads is dropped",
    claims=frozenset({"context-ownership", "event-routing", "tool-isolation"}),
    adapter=with_fresh_engine(lambda: _with_shifts(_Versions)),
)


class _RepeatedCalls(_Shifts):
    """The end of a shift repeats the unfinished calls that began before the shift."""

    def __init__(self) -> None:
        super().__init__()
        self._order = itertools.count()
        self._begun: dict[str, int] = {}
        self._calls: dict[int, tuple[Request, Context]] = {}
        self._repeats: dict[asyncio.Task[Any], None] = {}

    def begin(self, user: str) -> None:
        self._begun[user] = next(self._order)

    def end(self, user: str) -> None:
        begun = self._begun.pop(user)
        for number, (request, context) in self._calls.items():
            if number < begun:
                repeat = asyncio.get_running_loop().create_task(
                    _suppress_errors(request), context=context
                )
                self._repeats[repeat] = None
                repeat.add_done_callback(self._repeats.pop)

    async def call(self, user: str, request: Request) -> Any:
        number = next(self._order)
        self._calls[number] = request, copy_context()
        try:
            return await request()
        finally:
            del self._calls[number]


async def _suppress_errors(request: Request) -> None:
    with suppress(Exception):
        await request()


REDELIVERED = Fault(
    id="redelivered",
    source="visibility timeouts of Celery on Redis: work in progress is taken for "
    "abandoned, and is done again",
    claims=frozenset({"tool-isolation"}),
    adapter=with_fresh_engine(lambda: _with_shifts(_RepeatedCalls)),
)

FAULTS = (BEHIND_THE_MARK, CLOSED_WHILE_PARKED, GIVEN_UP_EARLY, REDELIVERED)
