"""The process that forks the workers has the modules of the engine, and no state."""

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from isolation_spec.contract.environment import Environment
from isolation_spec.contract.scripted_agent import ScriptedAgent
from isolation_spec.engines.registry import own_engine
from isolation_spec.search.plan import make_plan
from isolation_spec.search.warm_up import warm_up
from tests.strangers.notebook import NotebookAdapter

DATABASE, PROVIDERS = "slow_framework.database", "slow_framework.providers"


class Lazy(NotebookAdapter):
    """An engine that imports modules when it starts and when it first runs an agent."""

    async def start(self, environment: Environment) -> None:
        import_module(DATABASE)
        await super().start(environment)

    async def run_agent(self, user: str, context: Any, agent: ScriptedAgent) -> Any:
        import_module(PROVIDERS).CACHE.append(agent.name)
        return await super().run_agent(user, context, agent)


class Unable(Lazy):
    """An engine that imports the first module, and cannot start."""

    async def start(self, environment: Environment) -> None:
        await super().start(environment)
        raise RuntimeError


@pytest.fixture(autouse=True)
def providers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of the second module of a framework, which no test has imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "slow_framework"
    package.mkdir()
    for name in ("__init__", "database", "providers"):
        (package / f"{name}.py").write_text("CACHE = []\n")
    yield package / "providers.py"
    for name in ("slow_framework", DATABASE, PROVIDERS):
        sys.modules.pop(name, None)


def test_modules_of_start_and_runs_are_imported_once() -> None:
    """The parent imports them before it forks, and inherits no state of the runs."""
    packages = warm_up(make_plan(own_engine(Lazy), processes=1))

    assert ("tests",) == packages
    assert DATABASE in sys.modules
    assert PROVIDERS in sys.modules
    assert [] == sys.modules[PROVIDERS].CACHE


@pytest.mark.parametrize("error", ["RuntimeError", "SystemExit"])
def test_a_module_that_breaks_here_breaks_no_search(
    providers: Path, error: str
) -> None:
    """A module whose import raises or exits is left to the runs that import it."""
    here = f"import os\nif os.getpid() == {os.getpid()}:\n    raise {error}\n"
    providers.write_text(f"CACHE = []\n{here}")

    assert ("tests",) == warm_up(make_plan(own_engine(Lazy), processes=1))
    assert DATABASE in sys.modules
    assert PROVIDERS not in sys.modules


def test_an_engine_that_cannot_start_is_left_to_the_search() -> None:
    """The packages are then those of the adapter, and no module is imported."""
    assert ("tests",) == warm_up(make_plan(own_engine(Unable), processes=1))
    assert DATABASE not in sys.modules
