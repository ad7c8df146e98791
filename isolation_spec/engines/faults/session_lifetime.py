"""What contexts share for as long as they have runs, under way among others'."""

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
from isolation_spec.engines.faults.tool_call_order import with_dispatcher
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
    """A user's shift is from their first run's beginning to the last one's end."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()

    @contextmanager
    def run_of(self, user: str) -> Iterator[None]:
        """One more run of the user is under way."""
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
        """The user has runs again."""

    def end(self, user: str) -> None:
        """The user has no more runs."""

    async def call(self, user: str, request: Request) -> Any:
        """Makes a request for the user and returns what was answered."""
        return await request()


def _in_shifts(make: Callable[[], _Shifts]) -> type[UserExecutionEngine]:
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
        _create_dispatcher = with_dispatcher(Dispatcher)._create_dispatcher

        async def _execute(self, run: Run) -> AgentExecutionResult:
            with shifts.run_of(run.context.user_id):
                return await super()._execute(run)

        async def _ask_model(self, run: Run, prompt: str) -> str:
            model = super()._ask_model
            answer: str = await shifts.call(
                run.context.user_id, lambda: model(run, prompt)
            )
            return answer

    return Engine


class _Parked(_Shifts):
    """One upstream session. Who is alone leaves it to whoever comes while they wait,
    and the last to leave closes it."""

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
    mechanism="session_lifetime",
    source="usestrix/strix #1012, pydantic-ai #2818: the last one out closes the "
    "session that all share, and does not count who waits for an answer",
    claims=frozenset({"error-containment", "tool-isolation"}),
    adapter=with_fresh_engine(lambda: _in_shifts(_Parked)),
)


class _Mark(_Shifts):
    """Calls and shifts are numbered; all up to the highest that is over are over."""

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
            message = "the answer belongs to what is over"
            raise TimeoutError(message)
        return answer


BEHIND_THE_MARK = Fault(
    id="behind-the-mark",
    mechanism="session_lifetime",
    source="consumers of Apache Kafka that commit out of order: what is done is kept "
    "as one highest number, though a later one may be done before an earlier one",
    claims=frozenset({"error-containment", "tool-isolation"}),
    adapter=with_fresh_engine(lambda: _in_shifts(_Mark)),
)


class _Places(_Shifts):
    """Each shift makes a new place for answers. The old one is given up after as many
    have left as waited there then; who still waits there has the newest instead."""

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
        for place, waiting in tuple(self._replaced.items()):
            if waiting > 1:
                self._replaced[place] = waiting - 1
            else:
                del self._replaced[place]

    async def call(self, user: str, request: Request) -> Any:
        place = self._newest
        self._waiting += 1
        try:
            answer = await request()
        finally:
            self._waiting -= 1
        if place != self._newest and place not in self._replaced:
            return self._answers.get(self._newest, answer)
        self._answers[place] = answer
        return answer


GIVEN_UP_EARLY = Fault(
    id="given-up-early",
    mechanism="session_lifetime",
    source="pydantic-ai #6411, #6428, with versions: that somebody has left is "
    "counted, and not who, so what another still reads is given up",
    claims=frozenset({"context-ownership", "event-routing", "tool-isolation"}),
    adapter=with_fresh_engine(lambda: _in_shifts(_Places)),
)


class _Redelivered(_Shifts):
    """Whoever ends a shift takes over what was begun before it and is not done."""

    def __init__(self) -> None:
        super().__init__()
        self._order = itertools.count()
        self._begun: dict[str, int] = {}
        self._calls: dict[int, tuple[Request, Context]] = {}
        self._again: dict[asyncio.Task[Any], None] = {}

    def begin(self, user: str) -> None:
        self._begun[user] = next(self._order)

    def end(self, user: str) -> None:
        begun = self._begun.pop(user)
        for number, (request, context) in self._calls.items():
            if number < begun:
                again = asyncio.get_running_loop().create_task(
                    _quietly(request), context=context
                )
                self._again[again] = None
                again.add_done_callback(self._again.pop)

    async def call(self, user: str, request: Request) -> Any:
        number = next(self._order)
        self._calls[number] = request, copy_context()
        try:
            return await request()
        finally:
            del self._calls[number]


async def _quietly(request: Request) -> None:
    with suppress(Exception):
        await request()


REDELIVERED = Fault(
    id="redelivered",
    mechanism="session_lifetime",
    source="visibility timeouts of Celery on Redis: what is still being done is taken "
    "for left behind, and is done once more",
    claims=frozenset({"tool-isolation"}),
    adapter=with_fresh_engine(lambda: _in_shifts(_Redelivered)),
)

FAULTS = (BEHIND_THE_MARK, CLOSED_WHILE_PARKED, GIVEN_UP_EARLY, REDELIVERED)
