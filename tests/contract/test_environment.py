"""Both worlds are environments: an adapter cannot tell them apart by their form."""

import inspect

import pytest

from isolation_spec.contract.environment import Environment
from isolation_spec.world import World
from isolation_spec.world.live.world import LiveWorld

METHODS = ("time", "new_id", "completion", "observe")


@pytest.mark.parametrize("world", [World, LiveWorld])
@pytest.mark.parametrize("method", METHODS)
def test_a_world_has_the_methods_of_an_environment(world: type, method: str) -> None:
    """Each method takes the same parameters in both worlds, and awaits alike."""
    promised, found = getattr(Environment, method), getattr(world, method)

    assert list(inspect.signature(promised).parameters) == list(
        inspect.signature(found).parameters
    )
    assert inspect.iscoroutinefunction(promised) == inspect.iscoroutinefunction(found)
