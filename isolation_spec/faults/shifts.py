"""What contexts share for as long as they have runs, under way among others'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from isolation_spec.engine import (
    AgentExecutionResult,
    ToolDispatcher,
    UserExecutionContext,
    UserExecutionEngine,
)
from isolation_spec.engine.runs import Run
from isolation_spec.faults.dispatching import with_dispatcher
from isolation_spec.faults.fault import Fault
from isolation_spec.faults.parts import with_fresh_engine

__all__ = ["FAULTS"]


Keep = Callable[[str], str]


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

    @contextmanager
    def asking(self, user: str) -> Iterator[Keep]:
        """The user waits for an answer; yields what is done with it."""
        yield str


def _in_shifts(make: Callable[[], _Shifts]) -> type[UserExecutionEngine]:
    shifts = make()

    class Dispatcher(ToolDispatcher):
        async def _run_tool(
            self, context: UserExecutionContext, name: str, arguments: Mapping[str, Any]
        ) -> Any:
            with shifts.asking(context.user_id) as keep:
                return keep(await super()._run_tool(context, name, arguments))

    class Engine(UserExecutionEngine):
        _create_dispatcher = with_dispatcher(Dispatcher)._create_dispatcher

        async def _execute(self, run: Run) -> AgentExecutionResult:
            with shifts.run_of(run.context.user_id):
                return await super()._execute(run)

        async def _ask_model(self, run: Run, prompt: str) -> str:
            with shifts.asking(run.context.user_id) as keep:
                return keep(await super()._ask_model(run, prompt))

    return Engine


class _Parked(_Shifts):
    """One upstream session. Who is alone leaves it to whoever comes while they wait,
    and the last to leave closes it."""

    def __init__(self) -> None:
        super().__init__()
        self._session: object | None = None
        self._parked_by = ""

    def begin(self, user: str) -> None:
        self._session = self._session or object()

    def end(self, user: str) -> None:
        if not self.runs and user != self._parked_by:
            self._session = None

    @contextmanager
    def asking(self, user: str) -> Iterator[Keep]:
        if set(self.runs) != {user}:
            yield str
            return
        session, self._parked_by = self._session, user
        runs = self.runs.pop(user)
        try:
            yield str
        finally:
            self.runs[user] += runs
            self._parked_by = ""
        if self._session is not session:
            message = "the upstream session was closed"
            raise ConnectionError(message)


CLOSED_WHILE_PARKED = Fault(
    id="closed-while-parked",
    mechanism="shifts",
    source="usestrix/strix #1012, pydantic-ai #2818: the last one out closes the "
    "session that all share, and does not count who waits for an answer",
    claims=frozenset({"error-containment", "tool-isolation"}),
    adapter=with_fresh_engine(lambda: _in_shifts(_Parked)),
)


class _Mark(_Shifts):
    """Questions and shifts are numbered; all up to the last one that is over are."""

    def __init__(self) -> None:
        super().__init__()
        self._last = self._over = 0
        self._numbers: dict[str, int] = {}

    def begin(self, user: str) -> None:
        self._last += 1
        self._numbers[user] = self._last

    def end(self, user: str) -> None:
        self._over = max(self._over, self._numbers.pop(user))

    @contextmanager
    def asking(self, user: str) -> Iterator[Keep]:
        self._last += 1
        number = self._last
        yield str
        if number < self._over:
            message = "the answer belongs to what is over"
            raise TimeoutError(message)


BEHIND_THE_MARK = Fault(
    id="behind-the-mark",
    mechanism="shifts",
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
        self._answers: dict[int, str] = {}

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

    @contextmanager
    def asking(self, user: str) -> Iterator[Keep]:
        place = self._newest

        def keep(answer: str) -> str:
            if place == self._newest or place in self._replaced:
                self._answers[place] = answer
                return answer
            return self._answers.get(self._newest, answer)

        self._waiting += 1
        try:
            yield keep
        finally:
            self._waiting -= 1


GIVEN_UP_EARLY = Fault(
    id="given-up-early",
    mechanism="shifts",
    source="pydantic-ai #6411, #6428, with versions: that somebody has left is "
    "counted, and not who, so what another still reads is given up",
    claims=frozenset({"context-ownership", "event-routing", "tool-isolation"}),
    adapter=with_fresh_engine(lambda: _in_shifts(_Places)),
)

FAULTS = (BEHIND_THE_MARK, CLOSED_WHILE_PARKED, GIVEN_UP_EARLY)
