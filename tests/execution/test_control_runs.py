"""Control runs: a user who fares no better alone accuses no other user."""

import asyncio
import itertools
from contextvars import ContextVar
from typing import Any

import pytest

from isolation_spec.claims import Verdict, find_claim, judge
from isolation_spec.claims.remarks import IdentityOfDeparted, remarks_on
from isolation_spec.contract.environment import Environment
from isolation_spec.contract.scripted_agent import ScriptedAgent
from isolation_spec.engines.reference import LimitError, UserExecutionEngine
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.execution.control_runs import EngineRuns, judge_run, own_part
from isolation_spec.execution.run import run
from isolation_spec.model.scenario import (
    Cancellation,
    Read,
    Recall,
    RunAgent,
    Scenario,
    Schedule,
    Sleep,
)
from tests.builders import ALICE, BOB, make_scenario, open_context, run_agent

CLAIM = find_claim("error-containment")


def sleeping(number: int, user: int, *, background: bool = False) -> RunAgent:
    script = (Sleep(seconds=1.0),)
    return RunAgent(
        id=number, user=user, context="x", script=script, background=background
    )


SCENARIO = make_scenario(
    open_context(1, ALICE),
    open_context(2, BOB),
    sleeping(3, ALICE, background=True),
    sleeping(4, BOB),
    sleeping(5, ALICE),
)
"""Alice has two runs at once while bob has one."""


class _OneAtATime(ReferenceAdapter):
    """Refuses a run while another one is under way, in the same place."""

    def place(self, user: str) -> str:
        return user

    async def run_agent(self, user: str, context: Any, agent: ScriptedAgent) -> Any:
        busy = self.__dict__.setdefault("busy", set())
        place = self.place(user)
        if place in busy:
            raise LimitError("one run at a time")
        busy.add(place)
        try:
            return await super().run_agent(user, context, agent)
        finally:
            busy.discard(place)


class _OneForAll(_OneAtATime):
    """Has one place for the runs of all users."""

    def place(self, user: str) -> str:
        return "all"


@pytest.mark.parametrize(
    ("adapter", "accused"), [(_OneAtATime, [5]), (_OneForAll, [4, 5])]
)
def test_every_refusal_is_suspected(adapter: Any, accused: list[int]) -> None:
    """Without control runs, both engines seem to refuse for another user's sake."""
    (judgement,) = judge(run(SCENARIO, adapter), adapter.capabilities, (CLAIM,))

    facts = [violation.fact for violation in judgement.violations]
    assert accused == sorted(getattr(fact, "operation", 0) for fact in facts)


def test_a_refusal_that_a_user_meets_alone_too_is_excused() -> None:
    """An engine may refuse a second run of one user; alone it is refused as well."""
    (judgement,) = judge_run(
        run(SCENARIO, _OneAtATime),
        _OneAtATime,
        _OneAtATime.capabilities,
        (CLAIM,),
    )

    assert () == judgement.violations


def test_a_refusal_for_the_sake_of_another_stays() -> None:
    """Alone bob has the place that alice held, so the refusal is her doing."""
    history = run(SCENARIO, _OneForAll)

    (judgement,) = judge_run(history, _OneForAll, _OneForAll.capabilities, (CLAIM,))

    assert [(BOB,)] == [violation.users for violation in judgement.violations]


def test_another_user_may_slow_a_run_down_until_the_next_one_is_refused() -> None:
    """Alone the run in the background is over in time; beside bob's it is not."""
    scenario = make_scenario(
        open_context(3, ALICE),
        RunAgent(
            id=4, user=ALICE, context="x", script=(Recall(key="K"),), background=True
        ),
        open_context(6, BOB),
        run_agent(7, user=BOB, cancel=Cancellation(step=1, after_step=True)),
        Read(id=25, user=ALICE, context="x"),
        run_agent(28),
        schedule=Schedule(burst=1),
    )
    history = run(scenario, _OneAtATime)

    (suspected,) = judge(history, _OneAtATime.capabilities, (CLAIM,))
    (judgement,) = judge_run(history, _OneAtATime, _OneAtATime.capabilities, (CLAIM,))

    assert [28] == [getattr(v.fact, "operation", 0) for v in suspected.violations]
    assert () == judgement.violations


def test_the_part_of_a_user_overlaps_as_before() -> None:
    """A run in the background stays there, unlike in a solo run that is compared."""
    own: Scenario = own_part(SCENARIO, ALICE)

    assert [(1, False), (3, True), (5, False)] == [
        (operation.id, getattr(operation, "background", False))
        for operation in own.operations
    ]


class _Watched(ReferenceAdapter):
    """Starts a task with the first context, which watches over all."""

    most = 1

    async def start(self, environment: Environment) -> None:
        self.watchers: list[asyncio.Task[None]] = []
        await super().start(environment)

    async def open_context(
        self, user: str, thread: str, metadata: dict[str, Any]
    ) -> UserExecutionEngine:
        if len(self.watchers) < self.most:
            self.watchers.append(asyncio.ensure_future(self._watch()))
        return await super().open_context(user, thread, metadata)

    async def _watch(self) -> None:
        for _ in itertools.count():
            await asyncio.sleep(1.0)

    async def shutdown(self) -> None:
        for watcher in self.watchers:
            watcher.cancel()
            await asyncio.wait((watcher,))
        await super().shutdown()


class _WatchedTwice(_Watched):
    """Starts a second task with the second context, and no third one."""

    most = 2


class _WatchedEach(_Watched):
    """Starts a task with each context, and ends them all at the shutdown."""

    most = 99


@pytest.mark.parametrize(
    ("adapter", "verdict", "clauses"),
    [
        (_Watched, Verdict.HOLDS, set()),
        (_WatchedTwice, Verdict.INCONCLUSIVE, set()),
        (_WatchedEach, Verdict.VIOLATED, {"alive-task"}),
    ],
)
def test_a_leak_grows_and_a_singleton_does_not(
    adapter: Any, verdict: Verdict, clauses: set[str]
) -> None:
    """The first user starts it; 1, 2 and 4 further users show whose it is."""
    history = run(make_scenario(open_context(1, ALICE)), adapter)
    teardown = find_claim("teardown")

    (judgement,) = judge_run(history, adapter, adapter.capabilities, (teardown,))

    found = {violation.clause for violation in judgement.violations}
    assert (verdict, clauses) == (judgement.verdict, found - {"alive-timer"})
    assert (verdict is Verdict.HOLDS) == (judgement.evidence == 1)


class _Named(_Watched):
    """Says that its watcher works for the user with whose request it began."""

    acting_for: ContextVar[str | None] = ContextVar("acting_for", default=None)

    async def open_context(
        self, user: str, thread: str, metadata: dict[str, Any]
    ) -> UserExecutionEngine:
        self.acting_for.set(user)
        return await super().open_context(user, thread, metadata)

    def identity(self) -> str | None:
        return self.acting_for.get()


def test_a_singleton_is_asked_for_its_identity() -> None:
    """It works for the first user still, though the user was cleaned up."""
    scenario = make_scenario(open_context(1, ALICE), open_context(2, BOB))

    remarks = dict.fromkeys(remarks_on(run(scenario, _Named)))

    (name,) = {one.name for one in remarks if isinstance(one, IdentityOfDeparted)} - {
        "_set_result_unless_cancelled"
    }
    assert "_Watched._watch" == name


def test_control_runs_are_made_once() -> None:
    """A second violation of the same user costs no further run."""
    made: list[int] = []
    history = run(SCENARIO, ReferenceAdapter)
    controls = EngineRuns(history, ReferenceAdapter, lambda: made.append(1))

    first, again = (list(controls.alone(ALICE)) for _ in range(2))

    assert 2 == len(made)
    assert list(map(id, first)) == list(map(id, again))
