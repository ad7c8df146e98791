"""Every method of an adapter may break in every manner, and the search goes on."""

import asyncio
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.errors import AdapterError
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import own_engine
from isolation_spec.execution.hang import load_hang
from isolation_spec.execution.isolation.subprocess import Parent
from isolation_spec.execution.run import run
from isolation_spec.model.scenario import (
    CancelRun,
    CleanupEngine,
    CleanupUser,
    Connect,
    Erase,
    OpenContext,
    Read,
    RunAgent,
    Scenario,
    Sleep,
    User,
    Write,
)
from isolation_spec.search.plan import make_plan
from isolation_spec.search.verification import verify
from tests.execution.isolation.test_subprocess import Digest, run_apart

pytestmark = pytest.mark.slow

METHODS = tuple(
    name
    for name, method in vars(Adapter).items()
    if inspect.isfunction(method) and not name.startswith("_")
)
RUN = RunAgent(id=4, user=0, context="x", script=(Sleep(seconds=1.0),), background=True)
SCENARIO = Scenario(
    users=(User(label="alice", id="a"), User(label="bob", id="b")),
    operations=(
        OpenContext(id=1, user=0, context="x", thread="t"),
        OpenContext(id=2, user=1, context="y", thread="t"),
        Connect(id=3, user=0, connection="c"),
        RUN,
        CancelRun(id=5, user=0, run=4),
        Write(id=6, user=0, context="x", key="k", value="v"),
        Read(id=7, user=0, context="x"),
        Erase(id=8, user=0, context="x"),
        CleanupEngine(id=9, user=0, context="x"),
        CleanupUser(id=10, user=1),
    ),
)
"""Exercises each method of an adapter."""


def raising(error: type[BaseException]) -> Callable[[], Any]:
    def misbehave() -> Any:
        raise error

    return misbehave


def close_loop() -> Any:
    asyncio.get_running_loop().close()


def spin() -> Any:
    while True:
        pass


class Strange:
    """An object of no type that a contract names."""


MANNERS: dict[str, Callable[[], Any]] = {
    "raises": raising(ValueError),
    "CancelledError": raising(asyncio.CancelledError),
    "SystemExit": raising(SystemExit),
    "KeyboardInterrupt": raising(KeyboardInterrupt),
    "StopIteration": raising(StopIteration),
    "GeneratorExit": raising(GeneratorExit),
    "wrong type": Strange,
    "loop closed": close_loop,
}


def broken(method: str, misbehave: Callable[[], Any]) -> type[ReferenceAdapter]:
    """The reference adapter with one method that misbehaves, `Broken.METHOD`."""

    async def answer(self: Any, *arguments: Any, **named: Any) -> Any:
        if method == "start":
            await ReferenceAdapter.start(self, *arguments)
        return misbehave()

    def answer_at_once(self: Any, *arguments: Any, **named: Any) -> Any:
        return misbehave()

    is_async = inspect.iscoroutinefunction(getattr(Adapter, method))
    function = answer if is_async else answer_at_once
    function.__name__ = method
    return type("Broken", (ReferenceAdapter,), {method: function})


def outcome_of(adapter: type[ReferenceAdapter]) -> str:
    """The error that ends the run, or "the run ended"."""
    try:
        history = run(SCENARIO, adapter)
    except AdapterError as error:
        return str(error)
    assert history.entries
    return "the run ended"


@pytest.mark.parametrize("manner", MANNERS)
def test_a_method_that_breaks_is_named_or_its_run_is_judged(manner: str) -> None:
    """In a process of its own no method, however it breaks, ends the work."""
    received: list[Digest] = []

    def work(parent: Parent[Digest]) -> None:
        for method in METHODS:
            outcome = outcome_of(broken(method, MANNERS[manner]))
            parent.send(Digest(f"{method}: {outcome}"))

    hang = run_apart(work, received.append, adapter="Broken")

    assert None is hang
    unnamed = [
        one.text
        for method, one in zip(METHODS, received, strict=True)
        if not one.text.endswith("the run ended") and f"Broken.{method}" not in one.text
    ]
    assert [] == unnamed


@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_never_returns_is_named(method: str) -> None:
    """A busy loop in any method is a hang that names the method."""

    def work(parent: Parent[Digest]) -> None:
        outcome_of(broken(method, spin))

    hang = run_apart(work, list[Digest]().append, adapter="Broken", allowed=0.3)

    assert hang is not None
    assert f"Broken.{method}" == hang.method


class Seldom(ReferenceAdapter):
    """Exits in two reads of its process."""

    reads = 0

    async def read(self, user: str, context: Any) -> Any:
        type(self).reads += 1
        if type(self).reads in (100, 300):
            sys.exit(3)
        return await super().read(user, context)


def test_the_search_goes_on_after_a_broken_run(tmp_path: Path) -> None:
    """The method is named, the scenario is saved, and all other workloads are run."""
    result = verify(own_engine(Seldom), processes=1, folder=tmp_path)

    (reason, *_) = result.reasons
    assert "Seldom.read" in reason
    assert "SystemExit" in reason
    reports = [load_hang(Path(path)) for path in result.stuck]
    assert {"broke"} == {one.how for one in reports}
    assert all(one.scenario is not None for one in reports)
    assert make_plan(own_engine(Seldom)).profile.examples == result.examples
