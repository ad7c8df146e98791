"""Chance beyond a replay is caught, and named at the first step that shows it."""

import asyncio
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from isolation_spec.claims import Verdict, Violation
from isolation_spec.claims.facts import RecordedText
from isolation_spec.engines.reference import UserExecutionEngine
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import own_engine
from isolation_spec.execution.determinism import (
    Divergence,
    Sample,
    divergence_between,
    divergence_of_rerun,
)
from isolation_spec.execution.run import run
from isolation_spec.measurement.workloads import workload
from isolation_spec.model.history.entries import Entry, OperationEnded
from isolation_spec.model.history.history import History
from isolation_spec.model.history.states import Outcome
from isolation_spec.model.scenario import (
    Emit,
    OpenContext,
    Read,
    RunAgent,
    Scenario,
    Think,
    User,
)
from isolation_spec.search.confirmation import confirm
from isolation_spec.search.events import FailureSaved, Listener
from isolation_spec.search.failure_store import FailureStore
from isolation_spec.search.plan import make_plan
from isolation_spec.search.statistics import Finding
from isolation_spec.search.verification import verify
from isolation_spec.search.worker import Share, search_share
from isolation_spec.strategies import profiles
from isolation_spec.strategies.profiles import Profile
from tests.strangers.notebook import NotebookAdapter

SCENARIO = Scenario(
    users=(User(label="alice", id="u1"), User(label="bob", id="u11")),
    operations=(
        OpenContext(id=1, user=0, context="x", thread="t"),
        RunAgent(
            id=2, user=0, context="x", script=(Think(prompt="p"), Emit(payload="e"))
        ),
        Read(id=3, user=0, context="x"),
        OpenContext(id=4, user=1, context="x", thread="t"),
        Read(id=5, user=1, context="x"),
    ),
)
CLOCK, ID = "the wall clock", "uuid4 or another random id"
ADDRESS, ORDER, THREAD = "an address", "the order of a set, or of id()", "a real thread"


class Showing(ReferenceAdapter):
    """The reference engine, whose reads have one value more."""

    async def read(self, user: str, context: UserExecutionEngine) -> Mapping[str, Any]:
        return {**await super().read(user, context), "more": await self.more()}

    async def more(self) -> Any:
        raise NotImplementedError


class Thing:
    """Hashes by its address, as objects do."""

    def __init__(self, name: str) -> None:
        self.name = name


def showing(value: Callable[[], Any]) -> type[Showing]:
    async def more(self: Showing) -> Any:
        return value()

    return type("Showing", (Showing,), {"more": more})


def by_address() -> str:
    return " ".join(thing.name for thing in {Thing(name) for name in "abcdefghij"})


def by_id() -> str:
    things = [Thing(name) for name in "abcdefghij"]
    return " ".join(thing.name for thing in sorted(things, key=id))


def joined_thread() -> str:
    """Does always the same, by the luck of the machine."""
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    return "done"


class Polling(Showing):
    """Waits for a real thread, and says how long it took."""

    async def more(self) -> str:
        thread = threading.Thread(target=time.sleep, args=(0.002,))
        thread.start()
        for turns in itertools.count():
            if not thread.is_alive():
                return f"after {turns} turns"
            await asyncio.sleep(0)
        raise AssertionError


PLANTED: dict[str, tuple[type[Showing], str]] = {
    "time.time": (showing(time.time), CLOCK),
    "time.time_ns": (showing(time.time_ns), CLOCK),
    "datetime": (showing(lambda: datetime.now(UTC).isoformat()), CLOCK),
    "perf_counter": (showing(time.perf_counter), "a clock or a random number"),
    "uuid4": (showing(lambda: str(uuid.uuid4())), ID),
    "uuid4 hex": (showing(lambda: f"run-{uuid.uuid4().hex}"), ID),
    "set": (showing(by_address), ORDER),
    "sorted by id": (showing(by_id), ORDER),
    "id": (showing(lambda: id(Thing("a"))), ADDRESS),
    "repr": (showing(lambda: repr(Thing("a"))), ADDRESS),
    "thread": (Polling, THREAD),
    "joined thread": (showing(joined_thread), THREAD),
}


def named(history: History, found: Divergence) -> str:
    entry = history.entries[found.step - 1]
    return f"{type(entry).__name__} of operation {entry.operation}"


@pytest.mark.parametrize("name", PLANTED)
def test_what_no_replay_controls_is_named(name: str) -> None:
    """The first step is the one that shows the value, with both sides and a hint."""
    adapter, hint = PLANTED[name]
    history = run(SCENARIO, adapter)
    found = divergence_of_rerun(history, adapter)

    assert found is not None
    shown = "ThreadStarted" if hint == THREAD else "OperationEnded"
    steps = {f"{shown} of operation {n}" for n in (2, 3, 5)}
    # Where a thread first shows, the machine decides.
    assert name == "thread" or named(history, found) in steps
    assert hint in found.hint
    assert hint in str(found)
    assert f"at step {found.step}, " in str(found)
    assert found.one in str(found)
    assert found.other in str(found)
    assert hint == THREAD or found.one != found.other


@pytest.mark.parametrize("name", ["set", "sorted by id"])
def test_an_order_by_address_is_rarely_the_same_twice(name: str) -> None:
    """The first history is alive in the second run: freed blocks do not come
    back in the order in which they were handed out."""
    adapter, _ = PLANTED[name]
    caught = [divergence_of_rerun(run(SCENARIO, adapter), adapter) for _ in range(10)]

    assert 9 <= sum(found is not None for found in caught)


def test_the_reference_engine_repeats_itself() -> None:
    """No difference, with every kind of operation in the workload."""
    for scenario in (SCENARIO, workload()):
        assert (
            divergence_of_rerun(run(scenario, ReferenceAdapter), ReferenceAdapter)
            is None
        )


# The first step


def history(*entries: Entry, order: tuple[str, ...] = ()) -> History:
    empty = run(Scenario(users=SCENARIO.users, operations=()), ReferenceAdapter)
    return msgspec.structs.replace(empty, entries=entries, order=order)


def ended(operation: int, value: str, turn: int = 1) -> OperationEnded:
    return OperationEnded(
        time=0.0,
        turn=turn,
        operation=operation,
        user=0,
        outcome=Outcome.RETURNED,
        value=value,
    )


def test_the_first_of_several_differences_is_named() -> None:
    """Later steps differ as a consequence, and are of no interest."""
    one = history(ended(1, "same"), ended(2, "left"), ended(3, "left"))
    other = history(ended(1, "same"), ended(2, "right"), ended(3, "right"))
    found = divergence_between(one, other)

    assert found is not None
    assert (2, "value 'left'", "value 'right'") == (found.step, found.one, found.other)
    assert "operation ended of alice's operation 2" == found.where


def test_long_values_are_shown_around_the_difference() -> None:
    """A window of the text is enough, wherever in it the difference is."""
    long = "x" * 5000
    found = divergence_between(
        history(ended(1, f"{long}a")), history(ended(1, f"{long}b"))
    )

    assert found is not None
    assert len(str(found)) < 300
    assert found.one.endswith("xa'")
    assert found.other.endswith("xb'")


def test_time_alone_may_differ() -> None:
    """The same things seen later are a difference, too."""
    found = divergence_between(
        history(ended(1, "v", turn=3)), history(ended(1, "v", turn=4))
    )

    assert found is not None
    assert ("turn '3'", "turn '4'") == (found.one, found.other)


def test_other_steps_are_told_apart() -> None:
    """Where the steps are of different operations, both are named; the same steps in
    another order are hinted at."""
    one, other = (
        history(ended(1, "v"), ended(2, "v")),
        history(ended(2, "v"), ended(1, "v")),
    )
    found = divergence_between(one, other)

    assert found is not None
    assert found.one.endswith("alice's operation 1")
    assert found.other.endswith("alice's operation 2")
    assert ORDER in found.hint


def test_a_run_that_ends_earlier_differs() -> None:
    """The step that is missing in one of them is named."""
    found = divergence_between(
        history(ended(1, "v")), history(ended(1, "v"), ended(2, "v"))
    )

    assert found is not None
    assert (2, "nothing more") == (found.step, found.one)


def test_arrivals_alone_may_differ() -> None:
    """Equal observations of another order of arrivals are no repetition."""
    one = history(ended(1, "v"), order=("1/start", "1/call", "2/start"))
    other = history(ended(1, "v"), order=("1/start", "2/start", "1/call"))
    found = divergence_between(one, other)

    assert found is not None
    assert (2, "1/call", "2/start") == (found.step, found.one, found.other)


def test_equal_histories_do_not_differ() -> None:
    """Equal runs have no divergence."""
    assert divergence_between(history(ended(1, "v")), history(ended(1, "v"))) is None


# In a search


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """`quick` has 12 workloads."""
    profile = Profile("quick", examples=12, steps=6, schedules=6)
    monkeypatch.setattr(profiles, "PROFILES", (profile,))


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["uuid4", "set", "joined thread"])
def test_a_verdict_on_it_is_inconclusive(name: str, tmp_path: Path) -> None:
    """Neither holds nor violated: the reason names the step and both observations."""
    showing, hint = PLANTED[name]
    more: Any = showing.more

    async def read(self: Any, user: str, context: Any) -> Mapping[str, Any]:
        shown = await NotebookAdapter.read(self, user, context)
        return {**shown, "more": await more(self)}

    # A small engine, which makes many solo runs cheap.
    adapter = type("Showing", (NotebookAdapter,), {"read": read})
    result = verify(own_engine(adapter), processes=0, folder=tmp_path)
    reasons = [reason for reason in result.reasons if "not deterministic" in reason]

    assert Verdict.INCONCLUSIVE == result.verdict
    assert any(": at step " in reason and hint in reason for reason in reasons)
    assert 0 < result.reruns


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_a_sample_of_passing_runs_is_repeated() -> None:
    """One of 47 is run once more, which counts as no run and no interleaving."""
    plan = make_plan(own_engine(NotebookAdapter), examples=12)
    statistics = search_share(Share(plan))

    assert [] == statistics.findings
    assert statistics.divergence is None
    assert (72, 2) == (statistics.runs, statistics.reruns)
    assert statistics.interleavings <= statistics.runs


def test_every_failing_run_is_repeated() -> None:
    """Whether or not its turn has come, and without an end to the sample."""
    history = run(SCENARIO, ReferenceAdapter)
    sample = Sample(ReferenceAdapter)
    for _ in range(3):
        assert sample.take(history, failed=True) is None

    assert 3 == sample.reruns
    assert sample.take(history, failed=False) is None
    assert 3 == sample.reruns


def test_one_difference_is_enough() -> None:
    """Passing runs are not repeated any more once one of them has differed."""
    adapter, _ = PLANTED["uuid4"]
    history = run(SCENARIO, adapter)
    sample = Sample(adapter)
    found = [sample.take(history, failed=False) for _ in range(120)]

    assert 1 == sum(one is not None for one in found) == sample.reruns
    assert sample.difference is not None


# Findings that do not repeat


VIOLATION = Violation(
    claim="context-ownership",
    clause="foreign-canary",
    fact=RecordedText(let=(), then="", however=""),
    entry=0,
    users=(0,),
)


def confirmed(adapter: type[ReferenceAdapter], folder: Path, listen: Listener) -> Any:
    found = Finding(scenario=SCENARIO, violation=VIOLATION)
    return confirm(own_engine(adapter), found, FailureStore(folder, listen))


def test_a_violation_that_does_not_repeat_says_where(tmp_path: Path) -> None:
    """It stays unconfirmed, with the first step that differs."""
    adapter, _ = PLANTED["uuid4"]
    saved = confirmed(adapter, tmp_path, lambda _: None)

    assert not saved.confirmed
    assert saved.path.endswith(".unconfirmed.json")
    assert ID in str(saved.divergence)


class Leaking(Showing):
    """Shows every value to everybody, and an id of chance with it."""

    written: list[str]

    async def start(self, environment: Any) -> None:
        self.written = []
        await super().start(environment)

    async def write(
        self, user: str, context: UserExecutionEngine, key: str, value: str
    ) -> None:
        self.written.append(value)
        await super().write(user, context, key, value)

    async def more(self) -> str:
        return f"{self.written} {uuid.uuid4()}"


@pytest.mark.slow
def test_a_violation_that_repeats_otherwise_says_where(tmp_path: Path) -> None:
    """Violated each time, yet no two runs are equal: the verdict is no verdict."""
    events: list[FailureSaved] = []

    def listen(event: Any) -> None:
        if isinstance(event, FailureSaved):
            events.append(event)

    engine = own_engine(Leaking)
    findings = search_share(Share(make_plan(engine, examples=60))).findings
    found = next(f for f in findings if f.violation.claim == "context-ownership")
    saved = confirm(engine, found, FailureStore(tmp_path, listen))

    assert found.divergence is not None
    assert not saved.confirmed
    assert ID in str(saved.divergence)
    (event,) = events
    assert str(saved.divergence) == event.difference
