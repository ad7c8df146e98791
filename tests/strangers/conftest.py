"""One search of each engine, for all tests of a process."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from isolation_spec.search import verification
from isolation_spec.search.plan import SearchPlan
from isolation_spec.search.statistics import SearchStatistics
from isolation_spec.search.worker_pool import WorkerPool

KNOWN: dict[tuple[str, str, str, int], SearchStatistics] = {}
"""Adapter, code, profile and seed -> the search, which would end the same each time."""


def searched(plan: SearchPlan) -> tuple[str, str, str, int]:
    """The adapter with the text of its module, the profile and the seed."""
    adapter = type(plan.engine.make_adapter())
    text = Path(inspect.getfile(adapter)).read_text()
    return adapter.__qualname__, text, plan.profile.name, plan.seed


class SearchedOnce(WorkerPool):
    """Searches an engine, or recalls the search of the same code."""

    def run(self) -> SearchStatistics:
        key = searched(self.plan)
        if key not in KNOWN:
            KNOWN[key] = super().run()
        return KNOWN[key]


@pytest.fixture(scope="module")
def one_search() -> Iterator[None]:
    """Sessions and commands inside this process share the searches of an engine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verification, "WorkerPool", SearchedOnce)
        yield
