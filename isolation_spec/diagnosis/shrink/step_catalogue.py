"""One script step of each kind that an agent can perform."""

from __future__ import annotations

from isolation_spec.model.scenario import (
    SLOW,
    CallTool,
    Emit,
    Fail,
    ReadState,
    Recall,
    Remember,
    Return,
    Spawn,
    Step,
    Think,
    Transact,
    WriteState,
    canary,
    tools,
)

__all__ = ["EVERY_STEP"]

_VALUE = canary("a", 0, 1)
"""A placeholder: synthesis replaces it by a canary of the user whose step it is."""

EVERY_STEP: tuple[Step, ...] = (
    Think(prompt=_VALUE),
    Think(prompt=_VALUE, seconds=SLOW),
    *(CallTool(tool=tool, argument=_VALUE) for tool in tools),
    WriteState(key="s", value=_VALUE),
    ReadState(),
    Remember(key="k", value=_VALUE),
    Remember(key="k", value=_VALUE, broken=True),
    Recall(key="k"),
    Transact(items=(("k", _VALUE),)),
    Transact(items=(("k", _VALUE),), fails=True),
    Emit(payload=_VALUE),
    Spawn(script=()),
    Spawn(script=(Fail(message=_VALUE),)),
    Return(value=_VALUE),
    Fail(message=_VALUE),
)
"""One step of each kind, with every tool and with each way in which a step fails."""
