"""Suspicions on disk, until control runs clear them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from isolation_spec.contract.capabilities import Capability
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.determinism import Sample
from isolation_spec.model.limits import Limit
from isolation_spec.search import workload_runner
from isolation_spec.search.plan import make_plan
from isolation_spec.search.statistics import SearchStatistics
from isolation_spec.search.suspicions import save_suspicions
from isolation_spec.search.worker import Share, search_share
from tests.execution.test_control_runs import _OneAtATime


class OneAtATime(_OneAtATime):
    """Refuses a second run of one user in any company, and declares no limit."""

    limits: ClassVar[Mapping[str, int | Limit]] = {}
    capabilities = _OneAtATime.capabilities - {Capability.LIMITS}


def test_a_suspicion_that_is_cleared_leaves_no_file_and_no_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone the user is refused, too: the search goes on as if it had seen nothing."""
    suspected: list[Path] = []

    def look(*args: Any) -> Any:
        found = save_suspicions(*args)
        suspected.extend(tmp_path.glob("*.unconfirmed.json"))
        return found

    monkeypatch.setattr(workload_runner, "save_suspicions", look)
    plan = make_plan(
        find_engine(f"{__name__}:OneAtATime"), "quick", examples=12, failures=tmp_path
    )
    statistics = search_share(Share(plan))

    assert suspected
    assert [] == statistics.findings == statistics.suspicions
    assert [] == list(tmp_path.iterdir())
    assert 12 == statistics.examples


def test_the_parent_hears_of_a_cleared_suspicion_before_the_run_is_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A repetition that ends its worker leaves no suspicion that was cleared."""
    heard: list[bool] = []
    left: list[bool] = []
    take = Sample.take

    def progressed(statistics: SearchStatistics) -> bool:
        heard.append(bool(statistics.suspicions))
        return True

    def take_after(self: Sample, *run: Any, **fields: Any) -> Any:
        left.extend(heard[-1:])
        return take(self, *run, **fields)

    monkeypatch.setattr(Sample, "take", take_after)
    engine = find_engine(f"{__name__}:OneAtATime")
    search_share(Share(make_plan(engine, "quick", examples=4)), progressed)

    assert any(heard)
    assert left
    assert not any(left)
