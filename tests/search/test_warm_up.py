"""The process that forks the workers has the modules of the engine, and no state."""

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isolation_spec.engines.registry import Engine, own_engine
from isolation_spec.search.plan import make_plan
from isolation_spec.search.warm_up import warm_up

LAZY = "slow_framework.providers"
ADAPTER = """
from isolation_spec import Adapter

class Services:
    def identity(self):
        return None

    async def think(self, prompt):
        import slow_framework.providers as providers
        providers.CACHE.append(prompt)
        return prompt

    async def sleep(self, seconds):
        pass

class Lazy(Adapter):
    async def start(self, environment):
        pass

    async def open_context(self, user, thread, metadata):
        return object()

    async def run_agent(self, user, context, agent):
        return await agent.perform(Services())

    async def read(self, user, context):
        return {}

    async def cleanup_context(self, user, context):
        pass

    async def cleanup_user(self, user):
        pass

    async def shutdown(self):
        pass
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine that imports a module when its model is first prompted."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "slow_framework"
    package.mkdir()
    (package / "__init__.py").write_text(ADAPTER)
    (package / "providers.py").write_text("CACHE = []\n")
    yield own_engine(importlib.import_module("slow_framework").Lazy)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_module_that_runs_import_is_imported_once(engine: Engine) -> None:
    """The parent imports it before it forks, and inherits no state of the first run."""
    packages = warm_up(make_plan(engine, processes=1))
    module: Any = sys.modules.get(LAZY)

    assert ("slow_framework",) == packages
    assert module is not None
    assert [] == module.CACHE


def test_a_module_that_breaks_here_breaks_no_search(
    engine: Engine, tmp_path: Path
) -> None:
    """A module whose import raises is left to the runs that import it."""
    (tmp_path / "slow_framework" / "providers.py").write_text(
        "import os\nCACHE = []\n"
        f"if os.getpid() == {os.getpid()}:\n"
        "    raise RuntimeError('imported in the parent')\n"
    )

    assert ("slow_framework",) == warm_up(make_plan(engine, processes=1))
    assert LAZY not in sys.modules


def test_an_engine_that_cannot_start_is_left_to_the_search(engine: Engine) -> None:
    """The packages are then those of the adapter, and no module is imported."""

    class Broken(engine.make_adapter):  # type: ignore[name-defined, misc]
        async def start(self, environment: object) -> None:
            raise RuntimeError

    assert ("tests", "slow_framework") == warm_up(
        make_plan(own_engine(Broken), processes=1)
    )
    assert LAZY not in sys.modules
