"""One scenario, one engine, one world: the same choices give the same history."""

import asyncio
import contextlib
import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2s
from pathlib import Path
from typing import Any

import aiosqlite
import msgspec
import pytest

import isolation_spec
from isolation_spec.contract.adapter import Adapter, Row
from isolation_spec.contract.capabilities import Capability
from isolation_spec.contract.environment import Environment
from isolation_spec.contract.errors import AdapterError
from isolation_spec.contract.scripted_agent import ScriptedAgent
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.run import run
from isolation_spec.model.history.entries import (
    AgentStepped,
    CancellationDelivered,
    ExceptionUnhandled,
    OperationEnded,
    OperationStarted,
    PhaseStarted,
    ResourceAlive,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    AdvanceTime,
    CallTool,
    Cancellation,
    CancelRun,
    CleanupEngine,
    CleanupUser,
    CollectGarbage,
    Connect,
    Demotion,
    Disconnect,
    Emit,
    Erase,
    Fail,
    OpenContext,
    Operation,
    Read,
    ReadState,
    Recall,
    Reconnect,
    RunAgent,
    Scenario,
    Schedule,
    Sleep,
    Spawn,
    Step,
    Think,
    Transact,
    User,
    Write,
    canary,
)
from isolation_spec.search.coverage import kind_of_operation
from isolation_spec.world.schedulers.base import Scheduler
from tests.quality.enumerator import PLAIN
from tests.quality.notation import parse

USERS = (User(label="alice", id="u1"), User(label="bob", id="u11"))


def scenario(*operations: Operation, schedule: Schedule | None = None) -> Scenario:
    return Scenario(users=USERS, operations=operations, schedule=schedule or Schedule())


def searching(seed: int, choices: int = 60) -> Scheduler:
    """A scheduler as the search makes them: classes by a salt, and change points."""
    chance = random.Random(seed)
    salt = chance.getrandbits(32)
    points = [chance.randint(1, choices) for _ in range(chance.choice((0, 2, 4)))]
    schedule = Schedule(burst=chance.choice((0, 0, 1, 2)), split=chance.random() < 0.25)

    def draw_class(chain: str) -> int:
        digest = blake2s(f"{salt}/{chain}".encode(), digest_size=2).digest()
        return digest[0] % 8 if digest[1] < 128 else 0

    return Scheduler(schedule, change_points=points, draw_class=draw_class)


class Small(Adapter):
    """An adapter without an engine: it notes its calls; agents only wait and sleep."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def start(self, environment: Environment) -> None:
        self.environment = environment

    async def open_context(
        self, user: str, thread: str, metadata: dict[str, Any]
    ) -> Any:
        self.asked.append(f"open {user}")
        await self.environment.completion()
        return user

    async def run_agent(self, user: str, context: Any, agent: ScriptedAgent) -> Any:
        self.asked.append(f"run {user} {context} {agent.name}")
        return await agent.perform(self)  # type: ignore[arg-type]

    async def read(self, user: str, context: Any) -> Mapping[str, Any]:
        self.asked.append(f"read {context}")
        return {"all": context}

    async def write(self, user: str, context: Any, key: str, value: str) -> None:
        self.asked.append(f"write {context}")

    async def erase(self, user: str, context: Any) -> None:
        self.asked.append(f"erase {context}")

    async def cancel_run(self, user: str, context: Any, run: str) -> None:
        self.asked.append(f"cancel {user} {context} {run}")

    async def cleanup_context(self, user: str, context: Any) -> None:
        self.asked.append(f"cleanup {context}")

    async def cleanup_user(self, user: str) -> None:
        self.asked.append(f"cleanup user {user}")

    async def shutdown(self) -> None:
        self.asked.append("shutdown")

    # The services of its agents

    def identity(self) -> str | None:
        return None

    async def think(self, prompt: str) -> Any:
        await self.environment.completion()
        return prompt

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def outcomes(history: History) -> dict[int | None, str]:
    return {end.operation: end.outcome for end in history.of(OperationEnded)}


def places(history: History) -> dict[tuple[str, int | None], int]:
    """("started" or "ended", operation) -> index of the entry."""
    found = {}
    for index, entry in enumerate(history.entries):
        if isinstance(entry, OperationStarted):
            found["started", entry.operation] = index
        elif isinstance(entry, OperationEnded):
            found["ended", entry.operation] = index
    return found


def opened(number: int, user: int = 0, name: str = "x", **more: Any) -> OpenContext:
    return OpenContext(id=number, user=user, context=name, thread="t", **more)


def agent(number: int, *steps: Step, user: int = 0, **more: Any) -> RunAgent:
    return RunAgent(id=number, user=user, context="x", script=steps, **more)


THINK = Think(prompt="")


def rich(schedule: Schedule, cancel: Cancellation | None) -> Scenario:
    """Two users with a little of every feature of the reference engine."""
    operations: list[Operation] = []
    for user, label in enumerate(("alice", "bob")):
        first = 10 * user + 1
        secret = canary(label, first, 1)
        script = (
            Think(prompt=secret),
            CallTool(tool="slow", argument=secret),
            Transact(items=(("k", secret), ("k1", secret))),
            Spawn(script=(Emit(payload=secret), ReadState())),
            Sleep(seconds=0.01),
        )
        operations += [
            Connect(id=first, user=user, connection="c"),
            opened(first + 1, user),
            agent(first + 2, *script, user=user, background=True, cancel=cancel),
            agent(first + 3, Recall(key="k"), Fail(message=secret), user=user),
            Write(id=first + 4, user=user, context="x", key="K", value=secret),
            Reconnect(id=first + 5, user=user, connection="d", replaces="c"),
            Read(id=first + 6, user=user, context="x"),
            CancelRun(id=first + 7, user=user, run=first + 2),
        ]
    operations += [
        AdvanceTime(id=31, seconds=1.0, stalled=True),
        Erase(id=32, user=0, context="x"),
        Disconnect(id=33, user=1, connection="d", abrupt=True),
        CollectGarbage(id=34),
        CleanupUser(id=35, user=0),
    ]
    return scenario(*operations, schedule=schedule)


def rich_ones() -> list[Scenario]:
    classes = {"1/start": 3, "2/database": 5, "3/database": 1, "13/call": 2}
    demotion = Demotion(chain="13/call", consumed=1, rank=0)
    chosen = Schedule(classes=classes, demotions=(demotion,), burst=1)
    return [
        rich(Schedule(), None),
        rich(chosen, Cancellation(step=6)),
        rich(Schedule(split=True, burst=2), Cancellation(step=9, after_step=True)),
    ]


# Determinism

PROCESSES = int(os.environ.get("ISOLATION_SPEC_PROCESSES", "16"))
"""A set of two strings has another order in every second process, so 16 processes
overlook one in a run of 65,536. `.ci/run` starts 100."""
PROGRAM = """
import sys, msgspec
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.execution.run import run
from isolation_spec.model.scenario import Scenario
for line in sys.stdin.buffer:
    history = run(Scenario.from_json(line), ReferenceAdapter)
    print(history.digest(), history.arrivals, history.choices, len(history.entries))
"""


def in_fresh_process(seed: str, lines: bytes) -> str:
    root = Path(isolation_spec.__path__[0]).parent
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=lines,
        env=environment,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert b"" == done.stderr
    return done.stdout.decode()


@pytest.mark.slow
def test_same_history_in_fresh_processes() -> None:
    """Processes with random hash seeds see one history of the same choices."""
    lines = b"".join(one.to_json() + b"\n" for one in rich_ones())
    here = []
    for one in rich_ones():
        history = run(one, ReferenceAdapter)
        numbers = history.choices, len(history.entries)
        here.append(f"{history.digest()} {history.arrivals} {numbers[0]} {numbers[1]}")
    seeds = [str(random.Random(n).randrange(2**32)) for n in range(PROCESSES)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        printed = set(pool.map(lambda seed: in_fresh_process(seed, lines), seeds))

    assert {"\n".join(here) + "\n"} == printed
    assert len(here) == len(set(here))


@pytest.mark.slow
@pytest.mark.parametrize("one", rich_ones(), ids=["plain", "chosen", "split"])
def test_replay_of_a_search_run(one: Scenario) -> None:
    """Replaying the schedule that a search run followed gives the same history."""
    orders = set()
    for seed in range(12):
        found = run(one, ReferenceAdapter, scheduler=searching(seed))
        saved = msgspec.structs.replace(one, schedule=found.schedule).to_json()
        replayed = run(Scenario.from_json(saved), ReferenceAdapter)
        orders.add(found.arrivals)

        assert (found.digest(), found.arrivals) == (
            replayed.digest(),
            replayed.arrivals,
        )
        assert found.schedule.classes == replayed.schedule.classes
        assert set(found.schedule.demotions) == set(replayed.schedule.demotions)
        assert found.unused == replayed.unused

    assert len(orders) > 8


@pytest.mark.slow
def test_histories_differ_where_schedules_do() -> None:
    """The digest is no constant: other schedules give other histories."""
    found = {
        run(rich_ones()[0], ReferenceAdapter, scheduler=searching(seed)).digest()
        for seed in range(10)
    }

    assert len(found) > 3


def test_counting_steps_changes_nothing() -> None:
    """Counting the steps of every operation leaves the history as it is."""
    plain = run(rich_ones()[0], ReferenceAdapter)
    counted = run(rich_ones()[0], ReferenceAdapter, count_steps=True)

    assert plain.digest() == counted.digest()
    assert {} == plain.steps
    assert set(counted.steps) == {
        operation.id for operation in plain.scenario.operations
    }


def test_who_waited_for_another_is_known() -> None:
    """Behind one client for all, each but the first waited for another's call, and
    whose it was is known; with a client each nobody did, nor while an agent slept."""
    workload = parse("open run[echo, sleep] | open run[echo, sleep]", PLAIN)
    alone, behind = (
        run(workload, find_engine(name).make_adapter, count_steps=True)
        for name in ("reference", "reference+dead-next")
    )

    assert {} == alone.handed
    ((second, handed),) = behind.handed.items()
    assert "run_agent" == kind_of_operation(behind.operations()[second])
    assert {"isolation_spec.engines.faults.leaked_permits:57"} == {
        behind.steps[second][one.step - 1] for one in handed
    }
    runs = {o.id for o in workload.operations if isinstance(o, RunAgent)}
    assert runs - {second} == {one.giver for one in handed}


def test_what_was_under_way_while_a_task_waited_is_known() -> None:
    """A run waited for answers of its database and of its model."""
    workload = parse("open run[think]", PLAIN)
    history = run(workload, ReferenceAdapter, count_steps=True)
    (run_agent,) = (o for o in workload.operations if isinstance(o, RunAgent))

    waited = history.waited[run_agent.id]

    assert {"call", "database"} == {one.kind for one in waited}
    assert all(0 <= one.first < one.last for one in waited)
    assert 1 == sum(one.kind == "call" for one in waited)


def test_reference_engine_is_clean() -> None:
    """A rich scenario on the reference engine leaves nothing and reaches everything."""
    history = run(rich_ones()[0], ReferenceAdapter)

    assert [] == list(history.of(ResourceAlive))
    assert [] == list(history.of(ExceptionUnhandled))
    assert ("cancellations", "attacks") == history.reached.missing()
    assert history.settled
    assert history.overlapped


# Operations that cannot be asked

NEVER = [
    agent(1, THINK),
    Read(id=1, user=0, context="x"),
    Write(id=1, user=0, context="x", key="k", value="v"),
    Erase(id=1, user=0, context="x"),
    CleanupEngine(id=1, user=0, context="x"),
    CancelRun(id=1, user=0, run=7),
    Disconnect(id=1, user=0, connection="c"),
    Disconnect(id=1, user=0, connection="c", abrupt=True),
    Reconnect(id=1, user=0, connection="d", replaces="c"),
]


class SmallClient:
    close_code = 1000

    async def __aiter__(self) -> Any:
        for message in ():  # type: ignore[var-annotated]
            yield message

    async def close(self) -> None:
        """Nothing to close."""

    def abort(self) -> None:
        """Nothing to abort."""


@pytest.mark.parametrize("operation", NEVER, ids=lambda o: type(o).__name__)
def test_unavailable(operation: Operation) -> None:
    """An operation that names something never opened ends without a call."""

    class Connectable(Small):
        async def connect(self, user: str, **_: Any) -> Any:
            self.asked.append(f"connect {user}")
            return SmallClient()

    adapter = Connectable()
    history = run(scenario(operation), lambda: adapter)

    assert {1: "unavailable"} == outcomes(history)
    assert ["cleanup user u1", "cleanup user u11", "shutdown"] == adapter.asked


def test_names_are_those_of_the_user() -> None:
    """A context of one user is no context of another user of the same name."""
    adapter = Small()
    read = Read(id=2, user=1, context="x")
    wait = AdvanceTime(id=3, seconds=1.0)
    history = run(scenario(opened(1), wait, read), lambda: adapter)

    assert "unavailable" == outcomes(history)[2]
    assert "open u1" == adapter.asked[0]
    assert not [asked for asked in adapter.asked if asked.startswith("read")]


def test_opening_that_failed_opens_nothing() -> None:
    """An operation in a context whose opening failed is unavailable."""

    class Failing(Small):
        async def open_context(self, *_: Any) -> Any:
            message = "no room"
            raise OSError(message)

    read = Read(id=2, user=0, context="x")
    history = run(scenario(opened(1), read), Failing)

    assert {1: "failed", 2: "unavailable"} == outcomes(history)


# Cancellation


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("step", range(1, 6))
def test_cancellation_at_its_place(step: int, early: bool) -> None:
    """A cancellation is delivered around its step, or reported as without a place."""
    cancel = Cancellation(step=step, after_step=early)
    asked = scenario(opened(1), agent(2, THINK, THINK, THINK, cancel=cancel))
    history = run(asked, Small)
    delivered = [
        (entry.operation, entry.step, entry.after_step, entry.user)
        for entry in history.of(CancellationDelivered)
    ]
    # Three completions are four steps; after the last one there is nothing to cancel.
    reaches = step < 4 or (step == 4 and not early)
    thoughts = [
        entry
        for entry in history.of(AgentStepped)
        if (entry.step, entry.outcome) == ("think", "ok")
    ]

    assert ([(2, step, early, 0)] if reaches else []) == delivered
    assert (() if reaches else ("cancellation of 2",)) == history.unused
    assert int(reaches) == history.reached.cancellations
    if reaches:
        # Before the step, its awaited result is there but the agent never gets it.
        assert step - (1 if early else 2) == len(thoughts) or step == 1
        if (step, early) != (1, False):
            assert "cancelled" == outcomes(history)[2]
    else:
        assert {1: "returned", 2: "returned"} == outcomes(history)


def test_cancellation_before_the_first_step_is_seen_as_ended() -> None:
    """A task that is cancelled before it began still ends, and its user goes on."""
    cancel = Cancellation(step=1)
    read = Read(id=3, user=0, context="x")
    history = run(scenario(opened(1), agent(2, THINK, cancel=cancel), read), Small)

    assert ["before its first step"] == [
        entry.place for entry in history.of(CancellationDelivered)
    ]
    assert "returned" == outcomes(history)[3]
    assert history.settled


def test_place_of_a_cancellation_is_in_the_engine() -> None:
    """The place is the innermost line of the engine, here of the test's adapter."""
    cancel = Cancellation(step=1, after_step=True)
    history = run(scenario(opened(1, cancel=cancel)), Small)
    (entry,) = history.of(CancellationDelivered)
    module, line = entry.place.rsplit(":", 1)
    source = Path(__file__).read_text(encoding="utf-8").splitlines()

    assert Small.__module__ == module
    assert "await self.environment.completion()" == source[int(line) - 1].strip()


def test_cancellation_for_a_finished_or_unlaunched_operation() -> None:
    """An operation that takes one step cannot be cancelled around its second one."""
    read = Read(id=2, user=0, context="x", cancel=Cancellation(step=2))
    history = run(scenario(opened(1), read), Small)

    assert ("cancellation of 2",) == history.unused
    assert 0 == history.reached.cancellations


# Order


def test_operations_of_a_user_happen_in_order() -> None:
    """Under any schedule an operation starts after the one before it has ended."""
    operations = [
        one
        for user in (0, 1)
        for one in (
            opened(10 * user + 1, user),
            agent(10 * user + 2, THINK, THINK, user=user),
            Read(id=10 * user + 3, user=user, context="x"),
        )
    ]
    orders = set()
    for seed in range(100):
        history = run(scenario(*operations), Small, scheduler=searching(seed, 10))
        at = places(history)
        orders.add(tuple(at))

        for first in (1, 2, 11, 12):
            assert at["ended", first] < at["started", first + 1]

    assert len(orders) > 10


def test_background_lets_the_next_go_ahead() -> None:
    """An operation in the background does not hold up the next one; others do."""
    sleep = Sleep(seconds=1.0)
    for background in (True, False):
        run_it = agent(2, sleep, background=background)
        read = Read(id=3, user=0, context="x")
        at = places(run(scenario(opened(1), run_it, read), Small))

        assert at["started", 2] < at["started", 3]
        assert background == (at["started", 3] < at["ended", 2])


def test_operation_of_the_world_waits_for_those_before_it() -> None:
    """Time advances only when all operations before it in the list have started."""
    operations = (
        opened(1),
        opened(11, 1),
        agent(2, THINK, Sleep(seconds=2.0)),
        AdvanceTime(id=3, seconds=1.0),
        Read(id=12, user=1, context="x"),
        CollectGarbage(id=4),
    )
    orders = set()
    for seed in range(40):
        history = run(scenario(*operations), Small, scheduler=searching(seed, 6))
        at = places(history)
        orders.add(at["started", 3] < at["started", 12])

        assert max(at["started", n] for n in (1, 11, 2)) < at["started", 3]
        assert max(at["started", n] for n in (3, 12)) < at["started", 4]

    assert {True, False} == orders


def test_operations_of_different_users_overlap() -> None:
    """Two users at work at once are seen as overlapping; one after another are not."""
    together = scenario(opened(1), opened(11, 1))
    apart = scenario(opened(1), opened(2))

    assert run(together, Small).overlapped
    assert not run(apart, Small).overlapped


# Ends


class Hanging(Small):
    async def read(self, user: str, context: Any) -> Mapping[str, Any]:
        await asyncio.get_running_loop().create_future()
        raise AssertionError


class Deaf(Small):
    async def read(self, user: str, context: Any) -> Mapping[str, Any]:
        while True:
            try:
                await asyncio.sleep(50)
            except asyncio.CancelledError:
                continue


class Spinning(Small):
    async def read(self, user: str, context: Any) -> Mapping[str, Any]:
        while True:  # noqa: ASYNC110
            await asyncio.sleep(0)


@pytest.mark.parametrize("adapter", [Hanging, Deaf, Spinning])
def test_hanging_operation_is_unfinished(adapter: type[Small]) -> None:
    """An operation that never ends is given up, and the history says so."""
    read = Read(id=2, user=0, context="x")
    history = run(scenario(opened(1), read, opened(3, name="y")), adapter)

    assert {1: "returned", 2: "unfinished"} == outcomes(history)
    assert not history.settled


class HangsInCleanup(Small):
    async def cleanup_user(self, user: str) -> None:
        await asyncio.sleep(10_000)

    async def shutdown(self) -> None:
        await asyncio.sleep(10_000)


def test_hanging_cleanup_is_bounded() -> None:
    """Cleanup and shutdown that hang are given up, recorded, and the run goes on."""
    history = run(scenario(opened(1)), HangsInCleanup)
    phases = [entry.phase for entry in history.of(PhaseStarted)]
    messages = [entry.message for entry in history.of(ExceptionUnhandled)]

    assert ["operations", "cleanup", "teardown", "observed"] == phases
    assert 3 == len(messages)
    assert ["cleanup_user", "cleanup_user", "shutdown"] == [
        message.split()[0] for message in messages
    ]


class CancelsItself(Small):
    async def cleanup_user(self, user: str) -> None:
        raise asyncio.CancelledError

    async def shutdown(self) -> None:
        raise asyncio.CancelledError

    async def connect(self, user: str, **_: Any) -> Any:
        return SelfCancellingClient()


class SelfCancellingClient:
    close_code = None

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> str:
        raise StopAsyncIteration

    async def close(self) -> None:
        raise asyncio.CancelledError

    def abort(self) -> None:
        pass


def test_a_cancellation_that_an_engine_raises_in_cleanup_is_recorded() -> None:
    """A `CancelledError` out of a cleanup is named like any other exception, and the
    run goes on."""
    history = run(scenario(Connect(id=1, user=0, connection="c")), CancelsItself)
    messages = [entry.message for entry in history.of(ExceptionUnhandled)]
    names = ("close of a connection", "cleanup_user", "cleanup_user", "shutdown")

    assert history.settled
    assert [
        f"{name} raised CancelledError, but nothing cancelled it" for name in names
    ] == messages


class CancelsInCleanup(Small):
    async def cleanup_context(self, user: str, context: Any) -> None:
        raise asyncio.CancelledError


def test_a_cancellation_that_an_engine_raises_ends_its_operation() -> None:
    """An operation that ends by a `CancelledError` of the engine is cancelled."""
    history = run(
        scenario(opened(1), CleanupEngine(id=2, user=0, context="x")),
        CancelsInCleanup,
    )

    assert {1: "returned", 2: "cancelled"} == outcomes(history)
    assert history.settled


class CancelsInStart(Small):
    async def start(self, environment: Environment) -> None:
        raise asyncio.CancelledError


class CancelsInGauges(Small):
    def gauges(self, user: str | None) -> Mapping[str, float]:
        raise asyncio.CancelledError


class CancelsItsCaller(Small):
    async def cleanup_user(self, user: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("adapter", "method"),
    [
        (CancelsInStart, "start"),
        (CancelsInGauges, "gauges"),
        (CancelsItsCaller, "cleanup_user"),
    ],
)
def test_a_cancellation_that_ends_a_run_names_its_method(
    adapter: type[Small], method: str
) -> None:
    """Where a run cannot go on, the adapter is refused instead of its process lost."""
    named = rf"^{adapter.__name__}\.{method} .* raised CancelledError"
    with pytest.raises(AdapterError, match=named):
        run(scenario(opened(1)), adapter)


class NeverShutDown(Small):
    async def shutdown(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(10_000)
        for _ in itertools.count():
            await asyncio.sleep(0)

    def observe(self) -> tuple[Row, ...]:
        self.asked.append("observe")
        return ()


def test_a_run_that_its_world_ends_does_not_go_on() -> None:
    """The cancellation by which a world ends a run is not taken for the engine's."""
    adapter = NeverShutDown()
    history = run(scenario(opened(1)), lambda: adapter)

    assert not history.settled
    assert "observe" not in adapter.asked


def test_who_has_left_is_not_cleaned_up_again() -> None:
    """In the end the remaining users are cleaned up."""
    adapter = Small()
    run(scenario(opened(1), CleanupUser(id=2, user=0)), lambda: adapter)

    asked = [call for call in adapter.asked if "cleanup" in call]
    assert ["cleanup user u1", "cleanup user u11"] == asked


class DeafInShutdown(Small):
    async def shutdown(self) -> None:
        while True:
            try:
                await asyncio.sleep(50)
            except asyncio.CancelledError:
                continue


def test_run_that_never_rests_is_given_up() -> None:
    """A shutdown that cannot even be cancelled ends the run, which is said."""
    history = run(scenario(opened(1)), DeafInShutdown)
    messages = [entry.message for entry in history.of(ExceptionUnhandled)]

    assert not history.settled
    assert ["no rest after 100000 turns"] == messages


def breaking(method: str) -> type[Small]:
    """An adapter class `Broken` whose method raises."""

    async def broken(self: Any, *arguments: Any) -> Any:
        message = "out of order"
        raise LookupError(message)

    return type("Broken", (Small,), {method: broken})


def test_start_that_raises_breaks_the_contract() -> None:
    """An adapter that cannot start is no finding: the error names the method."""
    with pytest.raises(AdapterError, match=r"Broken\.start.*LookupError.*out of order"):
        run(scenario(opened(1)), breaking("start"))


def test_missing_method_breaks_the_contract() -> None:
    """A method that the adapter has not implemented ends the run with its name."""

    class Boasting(Small):
        capabilities = frozenset({Capability.CONNECTIONS})

    connect = Connect(id=1, user=0, connection="c")
    with pytest.raises(AdapterError, match=r"Boasting\.connect is not implemented"):
        run(scenario(connect), Boasting)


@pytest.mark.parametrize("method", ["observe", "gauges"])
def test_broken_observer_breaks_the_contract(method: str) -> None:
    """An observer or a gauge that raises is an adapter's fault and named as such."""

    def broken(self: Any, *arguments: Any) -> Any:
        message = "out of order"
        raise LookupError(message)

    adapter = type("Broken", (Small,), {method: broken})
    with pytest.raises(AdapterError, match=rf"Broken\.{method}"):
        run(scenario(opened(1)), adapter)


def test_left_lock_does_not_keep_the_run_from_its_end() -> None:
    """An engine that leaves a write open gives a history that says so, not a crash."""

    class Leaving(Small):
        async def open_context(self, *_: Any) -> Any:
            url = self.environment.database_url
            path = url.removeprefix("sqlite+aiosqlite:///").removesuffix("&uri=true")
            self.connection = await aiosqlite.connect(path, uri=True)
            await self.connection.execute("CREATE TABLE t (a TEXT)")
            await self.connection.commit()
            await self.connection.execute("INSERT INTO t VALUES ('x')")
            return "context"

        def observe(self) -> Iterable[Row]:
            observer = self.environment.observe()
            try:
                found = observer.execute("SELECT a FROM t").fetchall()
            finally:
                observer.close()
            return [Row("u1", "t", "k", a) for (a,) in found]

    history = run(scenario(opened(1)), Leaving)
    alive = {entry.kind for entry in history.of(ResourceAlive)}

    assert {"database lock", "driver connection"} == alive


def test_outcomes() -> None:
    """Returned, refused, failed and cancelled are distinct, each with its text."""

    class Refused(Exception):
        pass

    class Various(Small):
        refusals = (Refused,)

        async def write(self, user: str, context: Any, key: str, value: str) -> None:
            kinds: Mapping[str, Callable[..., BaseException]] = {
                "refuse": Refused,
                "fail": OSError,
                "cancel": asyncio.CancelledError,
            }
            raise kinds[key](value)

    writes = [
        Write(id=number, user=0, context="x", key=key, value=f"why {key}")
        for number, key in enumerate(("refuse", "fail", "cancel"), 2)
    ]
    read = Read(id=5, user=0, context="x")
    history = run(scenario(opened(1), *writes, read), Various)
    found = {
        end.operation: (end.outcome, end.value, end.error)
        for end in history.of(OperationEnded)
    }

    assert ("refused", "", "Refused why refuse") == (*found[2][:2], found[2][2].strip())
    assert ("failed", "", "OSError why fail") == (*found[3][:2], found[3][2].strip())
    assert ("cancelled", "", "") == found[4]
    assert ("returned", "all u1", "") == found[5]


def test_leftovers_are_recorded_for_their_operation() -> None:
    """A task that outlives the cleanup of its user is named, then again in the end."""

    class Leaky(Small):
        async def read(self, user: str, context: Any) -> Mapping[str, Any]:
            self.task = asyncio.ensure_future(asyncio.sleep(10_000))
            asyncio.get_running_loop().call_soon(self._explode)
            return {}

        def _explode(self) -> None:
            message = "from a callback"
            raise ValueError(message)

    read = Read(id=2, user=0, context="x")
    history = run(scenario(opened(1), read), Leaky)
    alive = [(e.kind, e.operation, e.user) for e in history.of(ResourceAlive)]
    unhandled = [e.message for e in history.of(ExceptionUnhandled)]

    assert [("task", 2, 0), ("timer", 2, 0)] * 2 == alive
    assert 1 == len(unhandled)
    assert "from a callback" in unhandled[0]


def test_history_is_pure_data() -> None:
    """A history survives being written as JSON and read back."""
    history = run(rich_ones()[1], ReferenceAdapter)
    data = msgspec.json.encode(history)

    assert history == msgspec.json.decode(data, type=History)
    assert json.loads(data)["arrivals"] == history.arrivals
