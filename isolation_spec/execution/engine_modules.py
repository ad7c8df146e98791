"""Finds the packages of an engine, and the modules that its runs import.

Frameworks import many modules when an engine starts or first answers. A worker that is
forked before pays for them again: 309 of 961 profile samples of a search of google-adk.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module

import msgspec

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

__all__ = ["EngineModules", "find_engine_modules", "import_modules"]

_ALICE = User(label="alice", id="alice")
_OPENING = Scenario(
    users=(_ALICE,),
    operations=(OpenContext(id=1, user=0, context="x", thread="t"),),
)
_EVERYTHING = Scenario(
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


class EngineModules(msgspec.Struct, frozen=True, tag=True):
    """The modules of an engine, as far as it has run.

    Attributes:
        packages: the names of the engine's packages, as a run knows them.
        imported: the names of all modules that its runs imported, in their order.
    """

    packages: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()


def find_engine_modules(make_adapter: AdapterFactory) -> Iterator[EngineModules]:
    """Yields the modules once a context was opened, and once everything was exercised.

    Raises:
        AdapterError: the adapter broke its contract.
    """
    before = set(sys.modules)
    capabilities = make_adapter().capabilities
    for scenario in (_OPENING, restrict_to_capabilities(_EVERYTHING, capabilities)):
        world = World(Scheduler(scenario.schedule))
        code = conduct_run(scenario, make_adapter, world).adapter.engine_code
        imported = tuple(name for name in sys.modules if name not in before)
        yield EngineModules(code.packages, imported)


def import_modules(names: Iterable[str]) -> None:
    """Imports those modules that can be imported.

    A module that cannot be imported here is imported by the runs that need it, as it
    would be without this call.
    """
    with quiet():
        for name in names:
            with contextlib.suppress(Exception, SystemExit):
                import_module(name)
