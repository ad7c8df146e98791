"""One search of each correct engine, for all tests of a process."""

import pytest

from isolation_spec.search import verification
from isolation_spec.search.statistics import SearchStatistics
from isolation_spec.search.worker_pool import WorkerPool

KNOWN: dict[tuple[str, str, int], SearchStatistics] = {}
"""(engine, profile, seed) -> its search, which would end the same each time."""


class SearchedOnce(WorkerPool):
    """Searches an engine, or recalls the search of that name."""

    def run(self) -> SearchStatistics:
        key = self.plan.engine.name, self.plan.profile.name, self.plan.seed
        if key not in KNOWN:
            KNOWN[key] = super().run()
        return KNOWN[key]


@pytest.fixture
def one_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions and commands inside this process share the searches of an engine."""
    monkeypatch.setattr(verification, "WorkerPool", SearchedOnce)
