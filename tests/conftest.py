"""Marks the tests of whole folders as slow."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SLOW = {"behaviours", "cli", "measurement", "plugin", "strangers"}
"""Most tests in these folders start a process of their own or search for a while."""


def pytest_itemcollected(item: pytest.Item) -> None:
    if TESTS in item.path.parents and item.path.relative_to(TESTS).parts[0] in SLOW:
        item.add_marker(pytest.mark.slow)
