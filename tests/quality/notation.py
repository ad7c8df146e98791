"""A notation for scenarios of two users on one line.

    open run[think, hello] | open run[sleep, hello] ; late 2/start

`|` divides the lanes of the two users, blanks divide operations. An operation works on
its user's last context or connection, and with the prefix `their-` on the other user's.
The suffix `&` starts a run in the background. The suffixes `!3` and `!3e` cancel an
operation before and after step 3; `!3e7` cancels it seven turns of the loop later.
After `;` follow the chains that the schedule holds back; with `@2` it holds a chain
back after its second arrival.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from isolation_spec.model.scenario import (
    SLOW,
    CallTool,
    Cancellation,
    CancelRun,
    CleanupEngine,
    CleanupUser,
    Connect,
    Demotion,
    Disconnect,
    Emit,
    Erase,
    Fail,
    Mutate,
    OpenContext,
    Operation,
    Read,
    ReadState,
    Recall,
    Reconnect,
    Remember,
    RunAgent,
    Scenario,
    Schedule,
    Sleep,
    Spawn,
    Step,
    Think,
    Transact,
    Write,
    WriteState,
    tools,
)
from isolation_spec.strategies.scripts import COMMON
from tests.quality.enumerator import Names, scenario_of

__all__ = ["parse"]

_STEPS: dict[str, Step] = {
    "think": Think(prompt=""),
    "slowly": Think(prompt="", seconds=SLOW),
    "hello": Think(prompt=COMMON),
    "whoami-hello": CallTool(tool="whoami", argument=COMMON),
    **{tool: CallTool(tool=tool, argument="") for tool in tools},
    "set": WriteState(key="s", value=""),
    "state": ReadState(),
    "remember": Remember(key="k", value=""),
    "recall": Recall(key="k"),
    "transact": Transact(items=(("k", ""),)),
    "break-off": Transact(items=(("k", ""),), fails=True),
    "broken": Remember(key="k", value="", broken=True),
    "emit": Emit(payload=""),
    "large": Emit(payload="", large=True),
    "sleep": Sleep(seconds=5.0),
    "spawn": Spawn(script=()),
    "spawn-failing": Spawn(script=(Fail(message=""),)),
    "fail": Fail(message=""),
}
_OPERATION = re.compile(
    r"(their-)?([a-z-]+)(?:\[(.*?)\])?(&)?(?:!(\d+)(?:(e)(\d*))?)?$"
)
_Named = dict[str, Any]
_KINDS: dict[str, Callable[[_Named, _Named, _Named], Operation]] = {
    "connect": lambda u, c, x: Connect(**c),
    "unread": lambda u, c, x: Connect(**c, unread=True),
    "forge": lambda u, c, x: Connect(**c, forged=True),
    "disconnect": lambda u, c, x: Disconnect(**u, connection=x["connection"]),
    "reconnect": lambda u, c, x: Reconnect(**u, connection="c9", replaces="c0"),
    "open": lambda u, c, x: OpenContext(**u, context=x["new"], thread="t"),
    "cancel": lambda u, c, x: CancelRun(**u, run=x["run"], victim=c["victim"]),
    "leave": lambda u, c, x: CleanupUser(**u),
    "read": lambda u, c, x: Read(**x["in"]),
    "write": lambda u, c, x: Write(**x["in"], key="k", value=""),
    "mutate": lambda u, c, x: Mutate(**x["in"], value=""),
    "erase": lambda u, c, x: Erase(**x["in"]),
    "close": lambda u, c, x: CleanupEngine(**x["in"]),
    "run": lambda u, c, x: RunAgent(
        **x["in"], script=x["script"], background=x["behind"]
    ),
}


def parse(line: str, names: Names) -> Scenario:
    """The scenario of a line, with these identities and threads of its users."""
    lines, _, decisions = line.partition(";")
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
            scenario = msgspec.structs.replace(scenario, schedule=Schedule(burst=1))
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
    opened = sum(isinstance(one, OpenContext) for one in lane)
    connected = sum(isinstance(one, Connect) for one in lane)
    cancel = (
        Cancellation(step=int(step), after_step=bool(early), turns=int(turns or 0))
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
