"""Marks the tests of whole folders as slow, and keeps the price of each test low."""

import gc
import os
import sys
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent
SLOW = {"behaviours", "cli", "measurement", "plugin", "strangers"}
"""Most tests in these folders start a process of their own or search for a while."""
HEAP = 100_000
"""Objects in the oldest generation that are too many for a collection of 10 ms."""


def pytest_configure() -> None:
    """Lets Python keep compiled modules, also where the environment forbids it.

    Without them a session of pytest, which rewrites the assertions of the package,
    costs 1.2 seconds of CPU instead of 0.4.
    """
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_itemcollected(item: pytest.Item) -> None:
    if TESTS in item.path.parents and item.path.relative_to(TESTS).parts[0] in SLOW:
        item.add_marker(pytest.mark.slow)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Names the xdist group of a test in its id, by which xdist chooses the worker.

    pytest-xdist 3.8 does so itself, but to no avail since pytest 9.2: the tests of a
    group ran in all workers, and each worker made the searches of all groups.
    """
    if not getattr(config.option, "loadgroup", False):
        return
    for item in items:
        group = "_".join(sorted(m.args[0] for m in item.iter_markers("xdist_group")))
        if group and not item.nodeid.endswith(f"@{group}"):
            item._id = type(item.id).parse(f"{item.nodeid}@{group}")
            assert item.nodeid.endswith(f"@{group}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Any:
    """Under `--dist loadgroup`, a module whose tests name no group is a group, too."""
    if "loadgroup" != config.option.dist:
        return None
    from xdist.scheduler import LoadGroupScheduling

    scheduler = LoadGroupScheduling(config, log)
    scheduler._split_scope = group_of
    return scheduler


def group_of(nodeid: str) -> str:
    """Returns the group at the end of an id, or else its module."""
    _, mark, group = nodeid.rpartition("@")
    return group if mark and "]" not in group else nodeid.partition("::")[0]


def pytest_collection_finish() -> None:
    """Keeps modules and tests out of the collector's sight.

    Worlds collect garbage by hand. In a process that has all tests, full collections
    took 45% of the CPU time of the tests that run worlds.
    """
    gc.collect()
    gc.freeze()


def pytest_runtest_setup() -> None:
    """Freezes the heap again after a search, which leaves it unfrozen."""
    # To count the frozen objects takes 30 ms, to list the others less than 1 ms.
    if len(gc.get_objects(generation=2)) > HEAP:
        gc.freeze()
