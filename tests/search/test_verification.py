"""A verification from its start to its result, in this process."""

from pathlib import Path
from typing import Any

import pytest

from isolation_spec.claims import CLAIMS, Verdict
from isolation_spec.engines.registry import find_engine
from isolation_spec.failure import load
from isolation_spec.search.events import Event, SearchEnded, SearchStarted
from isolation_spec.search.plan import SearchPlan
from isolation_spec.search.result import Result
from isolation_spec.search.statistics import SearchStatistics
from isolation_spec.search.verification import verify

FAULTY = "reference+heartbeat-survives"


def verified(folder: Path, engine: str, **options: Any) -> tuple[Result, list[Event]]:
    events: list[Event] = []
    result = verify(
        find_engine(engine),
        processes=0,
        folder=folder,
        listen=events.append,
        **options,
    )
    return result, events


@pytest.mark.slow
def test_a_violation_is_saved_and_ends_the_search(tmp_path: Path) -> None:
    """One confirmed file is left, and the last event has the result."""
    result, events = verified(tmp_path, FAULTY)

    assert Verdict.VIOLATED is result.verdict
    assert ["teardown"] == [
        claim.id for claim in result.claims if claim.verdict is Verdict.VIOLATED
    ]
    (path,) = result.failures
    assert load(Path(path)).confirmed
    assert isinstance(events[0], SearchStarted)
    assert SearchEnded(result=result) == events[-1]


def test_a_search_without_time_is_not_green(tmp_path: Path) -> None:
    """Each claim stands in the result, and the reasons say that nothing was run."""
    result, _ = verified(tmp_path, "reference", max_time=1e-9)

    assert Verdict.INCONCLUSIVE is result.verdict
    assert [claim.id for claim in CLAIMS] == [claim.id for claim in result.claims]
    assert result.reasons
    assert result.time_up


def test_a_suspicion_without_time_for_its_control_runs_accuses_no_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file stays, and the reasons say that it was not judged."""
    monkeypatch.setattr(
        SearchPlan,
        "is_time_up",
        lambda _, share=1.0: share == 1.0 and any(tmp_path.iterdir()),
    )

    result, _ = verified(tmp_path, FAULTY)

    assert Verdict.INCONCLUSIVE is result.verdict
    assert () == result.failures
    assert any(
        "time was up before the control runs of" in one for one in result.reasons
    )
    assert list(tmp_path.glob("*.unconfirmed.json"))


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["quick", "fuzz"])
def test_a_search_cut_before_half_of_its_work_is_not_green(
    profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every claim was put to the test, and still the search says how far it came."""
    searched = iter(range(100))
    monkeypatch.setattr(
        SearchPlan,
        "is_time_up",
        lambda _, share=1.0: share < 1 and next(searched, None) is None,
    )
    fuzz = {"fuzz": tmp_path / "fuzz", "seed": 0}

    result, _ = verified(tmp_path / "failures", "reference", profile=profile, **fuzz)

    assert {Verdict.HOLDS} == {claim.verdict for claim in result.claims}
    assert Verdict.INCONCLUSIVE is result.verdict
    (reason,) = result.reasons
    assert reason.startswith(f"holds so far: {result.examples} workloads of {profile}")
    assert reason.endswith("a verdict needs 64")


@pytest.mark.slow
def test_a_cut_search_with_a_violation_does_not_hold_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time that is up in the run of the finding is no reason beside the violation."""
    add_finding = SearchStatistics.add_finding

    def add_in_time(self: SearchStatistics, *finding: Any) -> None:
        add_finding(self, *finding)
        self.time_up = True

    monkeypatch.setattr(SearchStatistics, "add_finding", add_in_time)
    result, _ = verified(tmp_path, FAULTY)

    assert Verdict.VIOLATED is result.verdict
    assert result.time_up
    assert () == result.reasons


def test_an_unknown_profile_is_refused(tmp_path: Path) -> None:
    """Nothing is started for a profile that does not exist."""
    with pytest.raises(KeyError):
        verified(tmp_path, "reference", profile="quickest")
