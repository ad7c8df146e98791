"""Worlds for programs without an engine, and schedules as the search draws them."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from hashlib import blake2s
from typing import Any

import pytest

from isolation_spec.model.scenario import Schedule
from isolation_spec.world import World
from isolation_spec.world.schedulers.base import Scheduler

Main = Callable[[World], Awaitable[Any]]


def spct(seed: int, choices: int = 40) -> Scheduler:
    """SPCT as `strategies/schedules.py` draws it; seed 0 is the order of asyncio."""
    if not seed:
        return Scheduler(Schedule())
    chance = random.Random(seed)
    schedule = Schedule(
        burst=chance.choice((0, 0, 0, 1, 2)), split=chance.random() < 0.25
    )
    points = [chance.randint(1, choices) for _ in range(chance.choice((2, 2, 4)))]
    salt, share = chance.getrandbits(32), chance.choice((0.25, 0.5, 1.0))

    def draw_class(chain: str) -> int:
        digest = blake2s(f"{salt}/{chain}".encode(), digest_size=4).digest()
        return digest[0] % 8 if digest[1] / 256 < share else 0

    return Scheduler(schedule, change_points=points, draw_class=draw_class)


def run_in_world(main: Main, scheduler: Scheduler | None = None) -> Any:
    """The result of a program in a fresh world whose choices count at once."""
    scheduler = scheduler or Scheduler(Schedule())
    scheduler.active = True
    with World(scheduler) as world:
        return world.run(main(world))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def play() -> Callable[..., Any]:
    """Runs `async def main(world)` in a fresh world, under a scheduler if given."""
    return run_in_world


@pytest.fixture(scope="session")
def schedulers() -> Callable[..., Iterator[Scheduler]]:
    """So many schedulers with different choices, the one of plain asyncio first."""
    return lambda count, choices=40: (spct(seed, choices) for seed in range(count))


@pytest.fixture(params=["world", "stock asyncio"])
def anywhere(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Runs `async def program(rest)` in both; `rest` waits until all is quiet."""

    def run(program: Callable[..., Any]) -> Any:
        if request.param == "world":
            return run_in_world(lambda world: program(lambda: asyncio.sleep(1)))
        return asyncio.run(program(lambda: asyncio.sleep(0.01)))

    return run
