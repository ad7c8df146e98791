"""The live world: the same executor and claims, on stock asyncio and real resources."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ClassVar

import pytest

from isolation_spec.claims import judge
from isolation_spec.contract.adapter import Row
from isolation_spec.diagnosis.wording import summarize_violation
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.run import run
from isolation_spec.measurement.workloads import workload
from isolation_spec.model.history.entries import (
    CancellationDelivered,
    OperationEnded,
    ResourceAlive,
    RowStored,
)
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    Cancellation,
    OpenContext,
    RunAgent,
    Scenario,
    Sleep,
    Spawn,
    Think,
    User,
)
from isolation_spec.world.instrumentation import LiveResource
from isolation_spec.world.live.database import BadDatabase, check_database
from isolation_spec.world.live.world import Live, LiveWorld
from isolation_spec.world.loop import StepTracker

CAPABILITIES = ReferenceAdapter.capabilities


def violated(history: History) -> list[str]:
    judgements = judge(history, CAPABILITIES)
    users = history.scenario.users
    return [summarize_violation(v, users) for j in judgements for v in j.violations]


def kinds(found: Iterable[LiveResource]) -> set[str]:
    return {alive.kind for alive in found}


# The whole


def test_workload_holds_in_many_interleavings() -> None:
    """Of 20 live runs of the reference engine none violates a claim."""
    histories = [
        run(workload(), ReferenceAdapter, world=LiveWorld(str(seed)))
        for seed in range(20)
    ]

    assert [] == [found for history in histories for found in violated(history)]
    assert all(history.settled for history in histories)
    assert 1 < len({history.arrivals for history in histories})


def test_same_work_is_done_as_in_the_simulated_world() -> None:
    """Both worlds reach the same counts and judge by the same evidence."""
    simulated = run(workload(), ReferenceAdapter)
    live = run(workload(), ReferenceAdapter, world=LiveWorld())

    assert simulated.reached == live.reached
    assert {j.claim: j.verdict for j in judge(simulated, CAPABILITIES)} == {
        j.claim: j.verdict for j in judge(live, CAPABILITIES)
    }


def test_planted_leak_is_found() -> None:
    """A heartbeat that survives its user's cleanup is seen live, too."""
    engine = find_engine("reference+heartbeat-survives")
    history = run(workload(), engine.make_adapter, world=LiveWorld())

    assert {"task"} == {entry.kind for entry in history.of(ResourceAlive)}


def test_nothing_of_a_run_is_left_in_the_process() -> None:
    """After a run its descriptors, threads and files are gone."""
    run(workload(), ReferenceAdapter, world=LiveWorld())
    before = set(os.listdir("/proc/self/fd")), set(threading.enumerate())
    world = LiveWorld()
    file = world.database._url.database
    run(workload(), ReferenceAdapter, world=world)

    assert before == (set(os.listdir("/proc/self/fd")), set(threading.enumerate()))
    assert not os.path.exists(str(file))


def test_delays_come_from_the_seed() -> None:
    """About half of the delays are none, the others differ, and a seed repeats them."""
    delays = []
    for seed in ("1", "1", "2"):
        with LiveWorld(seed) as world:
            delays.append([world._delay() for _ in range(100)])

    assert delays[0] == delays[1] != delays[2]
    assert 25 < delays[0].count(0.0) < 75
    assert 25 < len(set(delays[0]))
    assert max(delays[0]) <= 0.002


# What is alive

Leak = Callable[[LiveWorld, list[Any]], Awaitable[None]]


async def leak_task(world: LiveWorld, held: list[Any]) -> None:
    held.append(asyncio.create_task(asyncio.Event().wait()))


async def leak_server(world: LiveWorld, held: list[Any]) -> None:
    held.append(await asyncio.start_server(lambda *_: None, world.host, 0))


async def leak_thread(world: LiveWorld, held: list[Any]) -> None:
    stop = threading.Event()
    held.append(stop)
    threading.Thread(target=stop.wait, daemon=True).start()


async def leak_lock(world: LiveWorld, held: list[Any]) -> None:
    connection = world.observe()
    connection.execute("BEGIN EXCLUSIVE")
    held.append(connection)


@pytest.mark.parametrize(
    ("leak", "kind"),
    [
        (leak_task, "task"),
        (leak_server, "file descriptor"),
        (leak_thread, "thread"),
        (leak_lock, "database lock"),
    ],
)
def test_what_is_left_is_seen(leak: Leak, kind: str) -> None:
    """Each kind of resource is alive when it is left, and was not before."""
    held: list[Any] = []

    async def main(world: LiveWorld) -> tuple[set[str], set[str]]:
        before = kinds(world.live_resources_at_end())
        await leak(world, held)
        return before, kinds(world.live_resources_at_end())

    with LiveWorld() as world:
        before, after = world.run(main(world))
        for one in held:
            next(
                getattr(one, n) for n in ("set", "close", "cancel") if hasattr(one, n)
            )()

    assert set() == before
    assert kind in after


def test_a_task_belongs_to_its_operation() -> None:
    """A task that an operation starts is attributed to it, on every Python."""
    owners: list[int | None] = []

    async def operation(world: LiveWorld) -> None:
        task = asyncio.create_task(asyncio.Event().wait())
        await asyncio.sleep(0)
        owners.extend(
            a.requester for a in world.live_resources() if "wait" in a.description
        )
        task.cancel()

    async def main(world: LiveWorld) -> None:
        await world.launch(operation(world), name="x", requester=7, tracker=None)

    with LiveWorld() as world:
        world.run(main(world))

    assert [7] == owners


def test_settling_ends_as_soon_as_all_is_quiet() -> None:
    """Five virtual seconds of settling take a few real milliseconds, at most one s."""

    async def main(world: LiveWorld) -> tuple[float, float]:
        began = world.time()
        await world.settle(5.0)
        quiet = world.time()
        left = await world.settle(0.05, lambda: [LiveResource("task", "stuck", 1)])
        assert 1 == len(left)
        return quiet - began, world.time() - quiet

    with LiveWorld() as world:
        quiet, stuck = world.run(main(world))

    assert quiet < 0.5
    assert 0.05 <= stuck < 0.6


# Cancellation around a step


async def three_steps(log: list[str]) -> None:
    try:
        for step in ("first", "second", "third"):
            log.append(step)
            await asyncio.sleep(0)
        log.append("end")
    except asyncio.CancelledError:
        log.append("cancelled")
        raise


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
def test_cancellation_around_a_step(step: int, early: bool) -> None:
    """Late, the step itself is not done any more; early, it is the last one done."""
    log: list[str] = []
    hits: list[asyncio.Task[Any]] = []
    tracker = StepTracker(Cancellation(step=step, after_step=early), hits.append)

    async def main(world: LiveWorld) -> tuple[bool, int]:
        task = world.launch(three_steps(log), name="x", requester=1, tracker=tracker)
        await asyncio.wait([task])
        return world.stop_tracking(task), task.cancelling()

    with LiveWorld() as world:
        landed, requests = world.run(main(world))

    everything = ["first", "second", "third", "end"]
    done = everything[: step if early else step - 1]
    missed = step == 5 or (step == 4 and early)

    assert (everything if missed else [*done, *["cancelled"] * bool(done)]) == log
    assert (0 if missed else 1) == len(hits) == requests
    assert missed == landed


def test_cancellation_of_a_scenario_is_delivered() -> None:
    """An operation that is cancelled in the simulated world is so live, too."""
    users = (User(label="alice", id="u1"), User(label="bob", id="u2"))
    cancel = Cancellation(step=3)
    scenario = Scenario(
        users=users,
        operations=(
            OpenContext(id=1, user=0, context="x", thread="t"),
            RunAgent(
                id=2,
                user=0,
                context="x",
                script=(Think(prompt="p"), Think(prompt="q")),
                cancel=cancel,
            ),
        ),
    )
    history = run(scenario, ReferenceAdapter, world=LiveWorld())
    (delivered,) = history.of(CancellationDelivered)
    outcomes = {e.operation: e.outcome for e in history.of(OperationEnded)}

    assert (2, 3) == (delivered.operation, delivered.step)
    assert {1: "returned", 2: "cancelled"} == outcomes
    assert [] == violated(history)


# Time and scenarios


def test_waiting_is_cut_short() -> None:
    """Sleeps of agents and operations that advance time take at most 20 ms."""
    script = (Sleep(seconds=9.0), Spawn(script=(Sleep(seconds=9.0),)))
    scenario = Scenario(
        users=(User(label="alice", id="u1"),),
        operations=(RunAgent(id=1, user=0, context="x", script=script),),
    )

    async def main(world: LiveWorld) -> float:
        began = world.time()
        await world.advance(300.0, stalled=True)
        return world.time() - began

    with LiveWorld() as world:
        (operation,) = world.prepare(scenario).operations
        took = world.run(main(world))

    assert isinstance(operation, RunAgent)
    assert (Sleep(seconds=0.02), Spawn(script=(Sleep(seconds=0.02),))) == (
        operation.script
    )
    assert took < 0.5


def test_no_virtual_time_passes() -> None:
    """Every entry has the time 0, so that no claim concludes anything from time."""
    history = run(workload(), ReferenceAdapter, world=LiveWorld())

    assert {0.0} == {entry.time for entry in history.entries}


# Databases


def test_each_run_has_a_fresh_file() -> None:
    """Of a SQLite URL only the driver counts; two runs share nothing."""
    worlds = [Live("sqlite+aiosqlite:///mine.db").world("0") for _ in range(2)]
    files = [world.database_url for world in worlds]
    for world in worlds:
        with world:
            observer = world.observe()
            assert isinstance(observer, sqlite3.Connection)
            observer.close()

    assert 2 == len(set(files))
    assert not os.path.exists("mine.db")


class Keeping(ReferenceAdapter):
    """Its observer sees the rows of all runs so far, as that of a kept database."""

    rows: ClassVar[dict[Row, None]] = {}

    def observe(self) -> Iterable[Row]:
        self.rows.update(dict.fromkeys(super().observe()))
        return tuple(self.rows)


def test_a_kept_database_shows_nothing_of_earlier_runs() -> None:
    """On a database that is used as it is, users and rows of every run are its own."""
    histories: list[History] = []
    for seed in range(2):
        world = LiveWorld(str(seed))
        world.persistent = True
        histories.append(run(workload(), Keeping, world=world))
    first, second = ({user.id for user in h.scenario.users} for h in histories)
    stored = [[row.owner for row in history.of(RowStored)] for history in histories]

    assert not first & second
    assert [sorted(first), sorted(second)] == [sorted(owners) for owners in stored]
    assert [] == violated(histories[0]) + violated(histories[1])


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "nonsense"),
        ("foo+bar://x", "foo"),
        ("sqlite:///x", "not one of asyncio"),
        ("postgresql+asyncpg://u:secret@localhost/x", "asyncpg"),
    ],
)
def test_bad_database_is_refused_in_a_sentence(url: str, words: str) -> None:
    """What is wrong with a URL is said in one line."""
    with pytest.raises(BadDatabase) as refused:
        check_database(url)

    assert words in str(refused.value)
    assert 1 == len(str(refused.value).splitlines())
