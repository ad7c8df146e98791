"""The ledger of a live world knows tasks, sessions, files, threads and locks."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from isolation_spec.world.instrumentation import LiveResource
from isolation_spec.world.live.world import LiveWorld


def kinds(found: Iterable[LiveResource]) -> set[str]:
    return {alive.kind for alive in found}


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
def test_left_resource_is_live(leak: Leak, kind: str) -> None:
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
