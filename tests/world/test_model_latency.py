"""A model answers some prompts late, in the simulated world and in the live one."""

from collections.abc import Callable
from typing import Any

import pytest

from isolation_spec.model.scenario import (
    SLOW,
    RunAgent,
    Scenario,
    Schedule,
    Spawn,
    Think,
    User,
)
from isolation_spec.world import World
from isolation_spec.world.live.world import LiveWorld
from isolation_spec.world.model_latency import ModelLatency
from isolation_spec.world.schedulers.base import Scheduler

SCENARIO = Scenario(
    users=(User(label="alice", id="u1"),),
    operations=(
        RunAgent(
            id=1,
            user=0,
            context="x",
            script=(
                Think(prompt="late", seconds=SLOW),
                Think(prompt="soon"),
                Think(prompt="", seconds=SLOW),
                Spawn(script=(Think(prompt="later", seconds=9.0),)),
            ),
        ),
    ),
)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("late", SLOW),
        ("soon; late", SLOW),
        ("later", 9.0),
        ("soon", 0),
        ("anything", 0),
        ("", 0),
    ],
)
def test_an_answer_takes_as_long_as_the_scenario_says(
    asked: str, seconds: float
) -> None:
    """Whatever holds a slow prompt is answered late; an empty one is in everything."""
    assert seconds == ModelLatency(SCENARIO).seconds(asked)


def world() -> World:
    return World(Scheduler(Schedule()))


@pytest.mark.parametrize(
    ("make", "least", "most"), [(world, SLOW, SLOW), (LiveWorld, 0.015, 2.0)]
)
def test_time_passes_until_a_late_answer(
    make: Callable[[], Any], least: float, most: float
) -> None:
    """Virtual seconds in the simulated world, a few real milliseconds in the live."""
    took = []
    with make() as one:
        one.prepare(SCENARIO)

        async def ask() -> None:
            for asked in ("late", "soon", ""):
                began = one.time()
                await one.completion(asked)
                took.append(one.time() - began)

        one.activate_choices()
        one.run(ask())

    late, *others = took
    assert least <= late <= most
    assert max(others) < least
