"""Runs an engine for the first time: its packages, and the modules that it imports.

Frameworks import many modules when an engine first answers. A worker that is forked
before pays for them again: 309 of 961 profile samples of a search of google-adk.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable
from importlib import import_module

from isolation_spec.contract.capability_filter import restrict_to_capabilities
from isolation_spec.execution.containment import quiet
from isolation_spec.execution.run import AdapterFactory, conduct_run
from isolation_spec.model.scenario import (
    CallTool,
    CleanupEngine,
    CleanupUser,
    Connect,
    Emit,
    Erase,
    OpenContext,
    Read,
    ReadState,
    Recall,
    Remember,
    Return,
    RunAgent,
    Scenario,
    Spawn,
    Think,
    Transact,
    User,
    Write,
    WriteState,
)
from isolation_spec.world import World
from isolation_spec.world.schedulers.base import Scheduler

__all__ = ["engine_packages", "first_run", "import_modules"]

_ALICE = User(label="alice", id="alice")
_OPENING = Scenario(
    users=(_ALICE,),
    operations=(OpenContext(id=1, user=0, context="x", thread="t"),),
)
_FIRST = Scenario(
    users=(_ALICE,),
    operations=(
        Connect(id=1, user=0, connection="c"),
        OpenContext(id=2, user=0, context="x", thread="t"),
        RunAgent(
            id=3,
            user=0,
            context="x",
            script=(
                Think(prompt="hello"),
                CallTool(tool="echo", argument="hello"),
                WriteState(key="k", value="v"),
                ReadState(),
                Remember(key="k", value="v"),
                Recall(key="k"),
                Transact(items=(("k", "v"),)),
                Emit(payload="hello"),
                Spawn(script=(Think(prompt="hello"),)),
                Return(value="done"),
            ),
        ),
        Write(id=4, user=0, context="x", key="k", value="v"),
        Read(id=5, user=0, context="x"),
        Erase(id=6, user=0, context="x"),
        CleanupEngine(id=7, user=0, context="x"),
        CleanupUser(id=8, user=0),
    ),
)
"""One user who exercises each capability once."""


def engine_packages(make_adapter: AdapterFactory) -> tuple[str, ...]:
    """The names of the engine's packages, as a run knows them that opens one context.

    Raises:
        AdapterError: the adapter broke its contract.
    """
    world = World(Scheduler(_OPENING.schedule))
    return conduct_run(_OPENING, make_adapter, world).adapter.engine_code.packages


def first_run(make_adapter: AdapterFactory) -> tuple[str, ...]:
    """Runs every capability once; the names of the modules imported, in their order.

    Raises:
        AdapterError: the adapter broke its contract.
    """
    before = set(sys.modules)
    scenario = restrict_to_capabilities(_FIRST, make_adapter().capabilities)
    conduct_run(scenario, make_adapter, World(Scheduler(scenario.schedule)))
    return tuple(name for name in sys.modules if name not in before)


def import_modules(
    names: Iterable[str], load: Callable[[str], object] = import_module
) -> None:
    """Imports those modules that can be imported.

    A module that cannot be imported here is imported by the runs that need it, as it
    would be without this call.
    """
    with quiet():
        for name in names:
            with contextlib.suppress(Exception):
                load(name)
