"""The live world: the same claims on stock asyncio, with real sockets and threads."""

import asyncio
import os
import threading

import pytest

from isolation_spec.claims import judge
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.run import run
from isolation_spec.measurement.workloads import workload
from isolation_spec.model.history.entries import (
    CancellationDelivered,
    OperationEnded,
    ResourceAlive,
)
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
from isolation_spec.world.live import world as live_world
from isolation_spec.world.live.world import LiveWorld
from tests.world.live.judging import violations_of

CAPABILITIES = ReferenceAdapter.capabilities


def test_workload_holds_in_many_interleavings(patient: None) -> None:
    """No claim is violations_of in 20 live runs of the reference engine."""
    histories = [
        run(workload(), ReferenceAdapter, world=LiveWorld(str(seed)))
        for seed in range(20)
    ]

    assert [] == [found for history in histories for found in violations_of(history)]
    assert all(history.settled for history in histories)
    assert 1 < len({history.arrivals for history in histories})


def test_same_work_is_done_as_in_the_simulated_world(patient: None) -> None:
    """Both worlds reach the same counts and judge by the same evidence."""
    simulated = run(workload(), ReferenceAdapter)
    live = run(workload(), ReferenceAdapter, world=LiveWorld())

    assert simulated.reached == live.reached
    assert {j.claim: j.verdict for j in judge(simulated, CAPABILITIES)} == {
        j.claim: j.verdict for j in judge(live, CAPABILITIES)
    }


@pytest.mark.slow
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
    """About half of the delays are zero, the others differ, and a seed repeats them."""
    delays = []
    for seed in ("1", "1", "2"):
        with LiveWorld(seed) as world:
            delays.append([world._delay() for _ in range(100)])

    assert delays[0] == delays[1] != delays[2]
    assert 25 < delays[0].count(0.0) < 75
    assert 25 < len(set(delays[0]))
    assert max(delays[0]) <= 0.002


def test_settling_ends_once_the_loop_is_quiet(patient: None) -> None:
    """Settling takes a few turns where no resource is left, not the whole time."""

    async def main(world: LiveWorld) -> int:
        before = world.selector.turns
        assert () == await world.settle(5.0)
        return world.selector.turns - before

    with LiveWorld() as world:
        assert world.run(main(world)) < 10


def test_settling_gives_up_on_a_live_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resource that stays alive is returned after the longest settling time."""
    monkeypatch.setattr(live_world, "_LONGEST_SETTLING", 0.05)
    stuck = LiveResource("task", "stuck", 1)

    async def main(world: LiveWorld) -> tuple[tuple[LiveResource, ...], float]:
        began = world.time()
        async with asyncio.timeout(60):
            left = await world.settle(3600.0, lambda: [stuck])
        return left, world.time() - began

    with LiveWorld() as world:
        left, seconds = world.run(main(world))

    assert (stuck,) == left
    assert seconds >= 0.05


def test_cancellation_of_a_scenario_is_delivered(patient: None) -> None:
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
    assert [] == violations_of(history)


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
