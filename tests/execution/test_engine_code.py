"""The engine's own code is distinguished from libraries."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from isolation_spec.contract.errors import AdapterError
from isolation_spec.diagnosis.wording.entries import describe_paths
from isolation_spec.execution.engine_modules import find_engine_modules
from isolation_spec.execution.run import run
from isolation_spec.model.history.entries import CancellationDelivered, ObjectShared
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import (
    Cancellation,
    OpenContext,
    Read,
    RunAgent,
    Scenario,
    User,
)

NAMES = (
    "asyncio_agents",
    "engine",
    "random_bot",
    "sqlalchemy_agents",
    "websockets_hub",
)
CORE = """
from waiting_room import waiting

class Ledger:
    def __init__(self):
        self.lines = []

LEDGER = Ledger()

class Context:
    def __init__(self, user, environment):
        self.user, self.environment, self.ledger = user, environment, LEDGER

    async def run(self, agent, services):
        await waiting.wait(self.environment)
        return await agent.perform(services)
"""
WAITING = """
async def wait(environment):
    await environment.completion("x")
"""
ADAPTER = """
import isolation_spec
from {name} import core

class Services:
    def identity(self):
        return None

class Driver(isolation_spec.Adapter):
    async def start(self, environment):
        self.environment = environment

    async def open_context(self, user, thread, metadata):
        return core.Context(user, self.environment)

    async def run_agent(self, user, context, agent):
        return await context.run(agent, Services())

    async def read(self, user, context):
        return {{}}

    async def cleanup_context(self, user, context):
        pass

    async def cleanup_user(self, user):
        pass

    async def shutdown(self):
        pass
"""
SCENARIO = Scenario(
    users=(User(label="alice", id="a"), User(label="bob", id="b")),
    operations=(
        OpenContext(id=1, user=0, context="x", thread="t"),
        OpenContext(id=2, user=1, context="x", thread="t"),
        RunAgent(id=3, user=0, context="x", script=()),
        Read(id=4, user=0, context="x"),
    ),
)

Make = Callable[[str], Any]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Writes an engine as a package of that name, with its adapter apart, and imports
    the adapter's class."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str) -> Any:
        for package, module, text in (
            (name, "core", CORE),
            ("waiting_room", "waiting", WAITING),
        ):
            (tmp_path / package).mkdir()
            (tmp_path / package / "__init__.py").touch()
            (tmp_path / package / f"{module}.py").write_text(text)
        (tmp_path / "a_driver.py").write_text(ADAPTER.format(name=name))
        importlib.invalidate_caches()
        return importlib.import_module("a_driver").Driver

    yield write
    for module in set(sys.modules) - before:
        del sys.modules[module]


def places(history: History) -> tuple[str, ...]:
    """Where the run waited before its steps, without line numbers."""
    return tuple(place.partition(":")[0] for place in history.steps[3][1:])


@pytest.mark.parametrize("name", NAMES)
def test_an_object_that_two_contexts_hold_is_shared(make: Make, name: str) -> None:
    """An engine that is called like a library is searched for shared objects."""
    history = run(SCENARIO, make(name))

    assert any("ledger" in describe_paths(entry) for entry in history.of(ObjectShared))


@pytest.mark.parametrize("name", NAMES)
def test_an_await_is_shown_in_the_innermost_frame_of_the_engine(
    make: Make, name: str
) -> None:
    """An await in a library is shown where the engine called the library."""
    history = run(SCENARIO, make(name), count_steps=True)

    assert (f"{name}.core",) == places(history)


def test_a_declared_package_is_the_engines(make: Make) -> None:
    """A package that the adapter declares is the engine, and no other one is."""
    driver = make("engine")
    declared = type("Declared", (driver,), {"packages": ("waiting_room",)})
    history = run(SCENARIO, declared, count_steps=True)

    assert ("waiting_room.waiting",) == places(history)
    assert () == tuple(history.of(ObjectShared))


def test_the_packages_of_an_engine_are_found(make: Make) -> None:
    """The adapter's package and that of its contexts are the engine's."""
    driver = make("myapp")
    declared = type("Declared", (driver,), {"packages": ("myapp.core",)})

    assert ("a_driver", "myapp") == next(find_engine_modules(driver)).packages
    assert ("myapp.core",) == next(find_engine_modules(declared)).packages


def test_an_interrupt_of_the_engine_is_not_the_users(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file called `my_interrupts.py` is the engine's, and so is its interrupt."""
    # Only where SIGINT raises by default might an interrupt be the user's own.
    monkeypatch.setattr("signal.getsignal", lambda number: None)
    (tmp_path / "my_interrupts.py").write_text(
        "async def read(*_):\n    raise KeyboardInterrupt\n"
    )
    module = importlib.import_module("my_interrupts")
    raising = type("Raising", (make("myapp"),), {"read": module.read})

    with pytest.raises(AdapterError, match="KeyboardInterrupt"):
        run(SCENARIO, raising)


def test_a_cancellation_names_the_frame_of_the_engine(make: Make) -> None:
    """The place of a cancellation is the engine's, in any await of it."""
    cancel = Cancellation(step=1, after_step=True)
    operations = (
        *SCENARIO.operations[:2],
        RunAgent(id=3, user=0, context="x", script=(), cancel=cancel),
    )
    history = run(
        Scenario(users=SCENARIO.users, operations=operations),
        make("random_bot"),
    )

    assert ["random_bot.core"] == [
        entry.place.partition(":")[0] for entry in history.of(CancellationDelivered)
    ]
