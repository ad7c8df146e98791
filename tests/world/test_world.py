"""The simulated world depends on its choices alone, and leaves nothing behind."""

import asyncio
import gc
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from isolation_spec.model.scenario import Demotion, Schedule
from isolation_spec.world import World
from isolation_spec.world.loop import CURRENT_OPERATION, WorldExhausted
from isolation_spec.world.schedulers.base import Scheduler


def test_ids_are_counted_for_each_operation(play: Any) -> None:
    """The ids of one operation do not depend on the ids of another."""

    async def main(world: World) -> list[str]:
        ids = [world.new_id("run")]
        for operation in (3, 4, 3):
            CURRENT_OPERATION.set(operation)
            ids.append(world.new_id("run"))
        return [*ids, world.new_id("thread")]

    assert ["run-0.1", "run-3.1", "run-4.1", "run-3.2", "thread-3.1"] == play(main)


def test_chance_is_the_same_in_every_world() -> None:
    """Two worlds draw the same numbers."""
    drawn = []
    for _ in range(2):
        with World(Scheduler(Schedule())) as world:
            drawn.append(world.random.random())

    assert drawn[0] == drawn[1]


def test_the_collector_rests_inside_a_world() -> None:
    """A collection inside a run would finalise garbage of an earlier one."""
    assert gc.isenabled()
    with World(Scheduler(Schedule())):
        assert not gc.isenabled()

    assert gc.isenabled()


def test_choices_count_once_they_are_activated(play: Any) -> None:
    """A change point is not spent on the start of an engine."""
    scheduler = Scheduler(Schedule(), change_points=(1,))

    async def main(world: World) -> list[int]:
        counts = []
        for activate in (nothing, world.activate_choices):
            world.scheduler.active = False
            activate()
            await asyncio.gather(*(completion(world, n) for n in (1, 2)))
            counts.append(scheduler.choices)
        return counts

    assert [0, 1] == play(main, scheduler)


def nothing() -> None:
    """Stands for the state before an action."""


async def completion(world: World, operation: int) -> None:
    CURRENT_OPERATION.set(operation)
    await world.completion()


def test_the_choices_of_a_run_are_recorded(play: Any) -> None:
    """Used and unused choices, the arrivals and their digest are those of the run."""
    schedule = Schedule(
        classes={"1/call": 1}, demotions=(Demotion(chain="9/call", consumed=0, rank=0),)
    )

    async def main(world: World) -> Any:
        await asyncio.gather(*(completion(world, n) for n in (1, 2)))
        return world.choices()

    choices = play(main, Scheduler(schedule))

    assert ("2/call", "1/call") == choices.order
    assert {"1/call": 1} == choices.schedule.classes
    assert ("demotion of 9/call",) == choices.unused
    assert 1 == choices.made


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_tasks_that_start_others_end_with_their_world(depth: int) -> None:
    """A cancelled task may start another one, which is cancelled as well."""
    log: list[str] = []

    async def stubborn(left: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            log.append("cancelled")
            if left > 1:
                tasks.append(asyncio.ensure_future(stubborn(left - 1)))

    tasks: list[asyncio.Future[None]] = []

    async def main() -> None:
        tasks.append(asyncio.ensure_future(stubborn(depth)))
        await asyncio.sleep(0)

    with World(Scheduler(Schedule())) as world:
        world.run(main())

    assert world.loop.is_closed()
    assert depth == len(log)
    assert all(task.done() for task in tasks)


def test_a_world_without_end_is_given_up(play: Any) -> None:
    """A run that waits for ever raises WorldExhausted, and its world still closes."""
    worlds: list[World] = []

    async def main(world: World) -> None:
        worlds.append(world)
        await asyncio.Event().wait()

    with pytest.raises(WorldExhausted):
        play(main)

    assert worlds[0].loop.is_closed()


def test_windows_hold_back_bytes_until_they_open(play: Any) -> None:
    """Only the clients of the operation are held back."""

    class Log(asyncio.Protocol):
        def __init__(self, received: list[bytes]) -> None:
            self.received = received

        def data_received(self, data: bytes) -> None:
            self.received.append(data)

    class Greet(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            transport.write(b"hello")

    async def main(world: World) -> list[tuple[list[bytes], list[bytes]]]:
        server = await world.loop.create_server(Greet, port=80)
        received: dict[int, list[bytes]] = {1: [], 2: []}
        clients = []
        for operation in received:
            CURRENT_OPERATION.set(operation)
            client, _ = await world.loop.create_connection(
                make(Log, received[operation]), port=80
            )
            world.close_windows(1)
            clients.append(client)
        states = []
        for act in (nothing, world.open_windows):
            act()
            await asyncio.sleep(1)
            states.append((list(received[1]), list(received[2])))
        for client in clients:
            client.close()
        server.close()
        return states

    assert [([], [b"hello"]), ([b"hello"], [b"hello"])] == play(main)


def make(kind: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: kind(*arguments)


def test_worlds_do_not_share_counters() -> None:
    """Ports, tasks and ids begin anew in every world."""

    async def main(world: World) -> tuple[Any, ...]:
        server = await world.loop.create_server(asyncio.Protocol)
        port = server.sockets[0].getsockname()[1]
        server.close()
        return port, world.loop.create_task(asyncio.sleep(0)).number, world.new_id("a")

    results = []
    for _ in range(2):
        with World(Scheduler(Schedule())) as world:
            results.append(world.run(main(world)))

    assert [results[0]] == [key for key, _ in itertools.groupby(results)]
