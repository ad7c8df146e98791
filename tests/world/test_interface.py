"""Both worlds have the interface that the execution of a run uses."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from isolation_spec.model.scenario import Schedule
from isolation_spec.world import World
from isolation_spec.world.interface import WorldInterface
from isolation_spec.world.live.world import LiveWorld
from isolation_spec.world.schedulers.base import Scheduler


def simulated() -> World:
    return World(Scheduler(Schedule()))


each_world = pytest.mark.parametrize("make", [simulated, LiveWorld])


def methods() -> list[str]:
    members = vars(WorldInterface).items()
    public = [n for n, m in members if inspect.isfunction(m) and not n.startswith("_")]
    return ["__enter__", "__exit__", *public]


@each_world
@pytest.mark.parametrize("name", methods())
def test_every_method_has_the_same_parameters(
    make: Callable[[], Any], name: str
) -> None:
    """A method of a world takes the parameters of the interface, in their order."""
    declared = inspect.signature(getattr(WorldInterface, name)).parameters
    with make() as world:
        actual = inspect.signature(getattr(type(world), name)).parameters

    assert list(declared) == list(actual)


@each_world
def test_every_attribute_is_set(make: Callable[[], Any]) -> None:
    """A new world has every attribute of the interface."""
    with make() as world:
        names = inspect.get_annotations(WorldInterface)
        missing = [name for name in names if not hasattr(world, name)]

    assert [] == missing


@each_world
def test_a_world_runs_a_program_to_its_end(make: Callable[[], Any]) -> None:
    """`run` returns the result, and the moments of a history never go back."""

    async def main(world: WorldInterface) -> list[tuple[float, int]]:
        moments = [world.moment()]
        await world.completion()
        moments.append(world.moment())
        await world.advance(0.01, stalled=True)
        return [*moments, world.moment()]

    with make() as world:
        world.activate_choices()
        moments = world.run(main(world))

    assert sorted(moments) == moments
    assert moments[0][1] < moments[-1][1]
