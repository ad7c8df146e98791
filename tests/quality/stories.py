"""Scenarios as one line each: what two users do, and what is decided.

    open run[think, hello] | open run[sleep, hello] ; late 2/start

The lanes are divided by `|`, operations by blanks. An operation works on its user's
last context or connection; with `their-` before it, on the other user's. `&` after a
run: in the background; `!3` and `!3e` after any: cancelled before step 3, or after it,
and `!3e7` seven turns of the loop later.
After `;` the chains that are held back, with `@2` once they had two arrivals.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from isolation_spec import scenario as ask
from isolation_spec.scenario import Cancellation, Demotion, Operation, Scenario, Step
from strategies.scripts import COMMON
from tests.quality.enumerator import Names, scenario_of

__all__ = ["tell"]

_STEPS: dict[str, Step] = {
    "think": ask.Think(prompt=""),
    "slowly": ask.Think(prompt="", seconds=ask.SLOW),
    "hello": ask.Think(prompt=COMMON),
    "whoami-hello": ask.CallTool(tool="whoami", argument=COMMON),
    **{tool: ask.CallTool(tool=tool, argument="") for tool in ask.tools},
    "set": ask.WriteState(key="s", value=""),
    "state": ask.ReadState(),
    "remember": ask.Remember(key="k", value=""),
    "recall": ask.Recall(key="k"),
    "transact": ask.Transact(items=(("k", ""),)),
    "break-off": ask.Transact(items=(("k", ""),), fails=True),
    "broken": ask.Remember(key="k", value="", broken=True),
    "emit": ask.Emit(payload=""),
    "large": ask.Emit(payload="", large=True),
    "sleep": ask.Sleep(seconds=5.0),
    "spawn": ask.Spawn(script=()),
    "spawn-failing": ask.Spawn(script=(ask.Fail(message=""),)),
    "fail": ask.Fail(message=""),
}
_OPERATION = re.compile(
    r"(their-)?([a-z-]+)(?:\[(.*?)\])?(&)?(?:!(\d+)(?:(e)(\d*))?)?$"
)
_Named = dict[str, Any]
_KINDS: dict[str, Callable[[_Named, _Named, _Named], Operation]] = {
    "connect": lambda u, c, x: ask.Connect(**c),
    "unread": lambda u, c, x: ask.Connect(**c, unread=True),
    "forge": lambda u, c, x: ask.Connect(**c, forged=True),
    "disconnect": lambda u, c, x: ask.Disconnect(**u, connection=x["connection"]),
    "reconnect": lambda u, c, x: ask.Reconnect(**u, connection="c9", replaces="c0"),
    "open": lambda u, c, x: ask.OpenContext(**u, context=x["new"], thread="t"),
    "cancel": lambda u, c, x: ask.CancelRun(**u, run=x["run"], victim=c["victim"]),
    "leave": lambda u, c, x: ask.CleanupUser(**u),
    "read": lambda u, c, x: ask.Read(**x["in"]),
    "write": lambda u, c, x: ask.Write(**x["in"], key="k", value=""),
    "mutate": lambda u, c, x: ask.Mutate(**x["in"], value=""),
    "erase": lambda u, c, x: ask.Erase(**x["in"]),
    "close": lambda u, c, x: ask.CleanupEngine(**x["in"]),
    "run": lambda u, c, x: ask.RunAgent(
        **x["in"], script=x["script"], background=x["behind"]
    ),
}


def tell(story: str, names: Names) -> Scenario:
    """The scenario that the line tells, its users called by these names."""
    lines, _, decisions = story.partition(";")
    first, _, second = lines.partition("|")
    lanes = (_lane(first), _lane(second))
    scenario = scenario_of(lanes, names)
    classes: dict[str, int] = {}
    demotions: list[Demotion] = []
    for held in decisions.replace("late", " ").split():
        chain, _, consumed = held.partition("@")
        if consumed:
            rank = len(demotions)
            demotions.append(Demotion(chain=chain, consumed=int(consumed), rank=rank))
        elif chain == "burst":
            scenario = msgspec.structs.replace(scenario, schedule=ask.Schedule(burst=1))
        else:
            classes[chain] = 1
    schedule = msgspec.structs.replace(
        scenario.schedule, classes=classes, demotions=tuple(demotions)
    )
    return msgspec.structs.replace(scenario, schedule=schedule)


def _lane(text: str) -> tuple[Operation, ...]:
    lane: list[Operation] = []
    for word in re.sub(r",\s+", ",", text).split():
        lane.append(_operation(word, lane))
    return tuple(lane)


def _operation(word: str, lane: list[Operation]) -> Operation:
    match = _OPERATION.match(word)
    assert match is not None, word
    theirs, kind, script, behind, step, early, turns = match.groups()
    opened = sum(isinstance(one, ask.OpenContext) for one in lane)
    connected = sum(isinstance(one, ask.Connect) for one in lane)
    cancel = (
        Cancellation(step=int(step), early=bool(early), turns=int(turns or 0))
        if step
        else None
    )
    user: _Named = {"id": 0, "user": 0, "cancel": cancel}
    victim = 1 if theirs else None
    context = "x0" if theirs else f"x{max(0, opened - 1)}"
    about: _Named = {
        "new": f"x{opened}",
        "connection": f"c{connected - 1}",
        "in": {**user, "context": context, "victim": victim},
        "script": tuple(_STEPS[s] for s in (script or "").split(",") if s),
        "behind": bool(behind),
        "run": -2 if theirs else -1,
    }
    connect = {**user, "connection": f"c{connected}", "victim": victim}
    return _KINDS[kind](user, connect, about)
