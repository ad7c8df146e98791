"""What an agent does, step by step.

Scripts are short: a race needs a window, not a long story, and every further step costs
each interleaving. One draw a step, so that shrinking removes whole steps.
"""

from __future__ import annotations

from hypothesis import strategies as st

from isolation_spec.scenario import (
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
    tools,
)

__all__ = ["COMMON", "KEYS", "scripts"]

KEYS = ("k", "k1", "K")
"""Keys of durable values: few, so that users meet on them; prefixes and case pairs."""

COMMON = "hello"
"""What all users ask alike: an answer that is kept for the question must not be kept
for all of them."""

_SIMPLE: tuple[Step, ...] = (
    Think(prompt=""),
    Think(prompt=COMMON),
    *(CallTool(tool=tool, argument="") for tool in tools if tool != "whoami"),
    CallTool(tool="whoami", argument=COMMON),
    WriteState(key="s", value=""),
    ReadState(),
    *(Remember(key=key, value="") for key in KEYS),
    *(Recall(key=key) for key in KEYS),
    Transact(items=(("k", ""),)),
    Transact(items=(("k", ""), ("k1", ""))),
    Transact(items=(("k", ""), ("k1", "")), fails=True),
    Emit(payload=""),
    Sleep(seconds=0.01),
    Sleep(seconds=5.0),
    Return(value=""),
    Fail(message=""),
)
_NESTED: tuple[Step, ...] = (
    Spawn(script=(Think(prompt=""),)),
    Spawn(script=(CallTool(tool="echo", argument=""), ReadState())),
    Spawn(script=(Fail(message=""),)),
)


def scripts(most: int = 5) -> st.SearchStrategy[tuple[Step, ...]]:
    """Scripts of at most so many steps, children included one level deep."""
    step = st.sampled_from(_SIMPLE + _NESTED)
    return st.lists(step, max_size=most).map(tuple)
