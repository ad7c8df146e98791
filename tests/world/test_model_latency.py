"""A model answers some prompts late, in the simulated world and in the live one."""

import asyncio

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
    """A text with a slow prompt is answered late; an empty prompt has no effect."""
    assert seconds == ModelLatency(SCENARIO).seconds(asked)


def world() -> World:
    return World(Scheduler(Schedule()))


def test_late_answers_take_virtual_seconds() -> None:
    """In the simulated world a late answer takes its seconds, and others none."""
    took = []
    with world() as one:
        one.prepare(SCENARIO)

        async def ask() -> None:
            for prompt in ("late", "soon", ""):
                began = one.time()
                await one.completion(prompt)
                took.append(one.time() - began)

        one.activate_choices()
        one.run(ask())

    assert [SLOW, 0.0, 0.0] == took


def test_late_answers_take_milliseconds_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the live world a late answer sleeps 20 ms, and others 2 ms at most."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    with LiveWorld() as one:
        one.prepare(SCENARIO)

        async def ask() -> None:
            for prompt in ("late", "soon", ""):
                await one.completion(prompt)

        with monkeypatch.context() as patches:
            patches.setattr(asyncio, "sleep", sleep)
            one.run(ask())

    late, *others = slept
    assert 0.02 == late
    assert max(others) <= 0.002
