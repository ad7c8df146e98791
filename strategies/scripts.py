"""The scripts of agents, step by step.

Scripts are short: a race needs a window, not a long script, and every further step
costs each interleaving.
"""

from __future__ import annotations

import random

from isolation_spec.model.scenario import (
    SLOW,
    CallTool,
    Emit,
    Fail,
    ReadState,
    Recall,
    Remember,
    Return,
    Sleep,
    Spawn,
    Step,
    Think,
    Transact,
    WriteState,
)

__all__ = ["COMMON", "KEYS", "script"]

KEYS = ("k", "k1", "K")
"""Keys of durable values: few, so that users meet on them; prefixes and case pairs."""

COMMON = "hello"
"""A question that all users ask: an engine that caches its answer must not do so for
all of them."""

_STEPS: tuple[tuple[int, tuple[Step, ...]], ...] = (
    (5, (Think(prompt=""), Think(prompt=COMMON))),
    (1, (Think(prompt="", seconds=SLOW),)),
    (3, tuple(CallTool(tool=tool, argument="") for tool in ("echo", "slow", "slow"))),
    (2, (CallTool(tool="whoami", argument=COMMON),)),
    (2, (CallTool(tool="personal", argument=""),)),
    (
        3,
        tuple(
            CallTool(tool=tool, argument="")
            for tool in ("failing", "forbidden", "unknown")
        ),
    ),
    (2, (WriteState(key="s", value=""),)),
    (2, (ReadState(),)),
    (
        3,
        (
            *(Remember(key=key, value="") for key in KEYS),
            Remember(key="k", value="", broken=True),
        ),
    ),
    (3, tuple(Recall(key=key) for key in KEYS)),
    (
        3,
        (
            Transact(items=(("k", ""),)),
            Transact(items=(("k", ""), ("k1", ""))),
            Transact(items=(("k", ""), ("k1", "")), fails=True),
        ),
    ),
    (2, (Emit(payload=""), Emit(payload=""), Emit(payload="", large=True))),
    (2, (Sleep(seconds=0.01), Sleep(seconds=5.0))),
    (
        3,
        (
            Spawn(script=(Think(prompt=""),)),
            Spawn(script=(CallTool(tool="echo", argument=""), ReadState())),
            Spawn(script=(Fail(message=""),)),
        ),
    ),
    (1, (Return(value=""),)),
    (1, (Fail(message=""),)),
)
"""(weight, steps of one kind).

A step that ends the run is rare, or no step would follow it. Thinking is the most
frequent, as other users act during an answer; a slow answer makes the run longer. Tests
assert that 200 scenarios hold each kind. The weights themselves were not measured."""


def script(chance: random.Random, most: int = 5) -> tuple[Step, ...]:
    """A script of one to `most` steps, children included one level deep.

    A seeded generator chooses the steps. As lists that Hypothesis draws, most scripts
    were empty or alike: in 660 runs only 68 had two users whose model answered.
    """
    weights = [weight for weight, _ in _STEPS]
    kinds = chance.choices(_STEPS, weights, k=max(1, chance.randint(0, most)))
    return tuple(chance.choice(steps) for _, steps in kinds)
