"""The plugin beside other plugins, strict settings and sessions without engines."""

from pathlib import Path

import pytest

from tests.plugin.session import (
    ALL,
    GREEN,
    PROFILES,
    SCOPE,
    STRICT,
    session_process,
    three_lines,
)

HYPOTHESIS = """
from hypothesis import settings

settings.register_profile("mine", max_examples=7, database=None)
settings.load_profile("mine")
mine = settings.default

def pytest_sessionfinish(session):
    assert settings.default is mine
"""
BESIDE = """
import asyncio

import pytest
from hypothesis import given, strategies

seen = []


@given(strategies.integers())
def test_of_hypothesis(number):
    seen.append(number)


def test_its_settings_are_the_users():
    assert len(seen) == 7


@pytest.mark.asyncio
async def test_of_asyncio():
    await asyncio.sleep(0)
"""


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_everything_is_strict(folder: Path, mode: str) -> None:
    """Warnings are errors, markers and settings strict, and the user's own Hypothesis
    profile and async tests are beside it."""
    (folder / "conftest.py").write_text(PROFILES + HYPOTHESIS)
    (folder / "test_engine.py").write_text(three_lines("TestMine", GREEN) + BESIDE)
    options = (*STRICT, "--strict-config", f"--asyncio-mode={mode}", *SCOPE)

    result = session_process(folder, *options)

    assert 0 == result.code
    assert {"passed": len(ALL) + 3} == result.counts, result.out


def test_without_anything_to_verify_nothing_is_imported(folder: Path) -> None:
    """In a session without engines, the plugin costs next to nothing."""
    heavy = {"hypothesis", "sqlalchemy", "websockets", "msgspec", "rich", "filelock"}
    (folder / "conftest.py").write_text(
        "import sys\n"
        "def pytest_sessionfinish(session):\n"
        f"    print('heavy:', sorted({heavy} & set(sys.modules)))\n"
        "    ours = [name for name in sys.modules if 'isolation_spec' in name]\n"
        "    print('ours:', len(ours))\n"
    )
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_nothing.py").write_text("def test_nothing(): pass")

    result = session_process(folder, "-s", "-q")

    assert {"passed": 1} == result.counts, result.out
    assert result.has_line("*heavy: []")
    assert result.has_line("ours: 3")
