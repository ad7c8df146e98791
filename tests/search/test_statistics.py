"""Statistics of several processes add up."""

from collections.abc import Iterable
from typing import Any

from isolation_spec.claims import Judgement, Verdict
from isolation_spec.claims.remarks import ObjectHeldByTwo
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import own_engine
from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.search.plan import make_plan
from isolation_spec.search.statistics import SearchStatistics
from isolation_spec.search.worker import Share, search_share


def judgement(claim: str, verdict: Verdict, evidence: int = 0) -> Judgement:
    return Judgement(claim=claim, verdict=verdict, evidence=evidence)


def test_evidence_is_counted_by_claim() -> None:
    """Each judgement adds its evidence to its claim's."""
    tally = SearchStatistics()

    for evidence in (2, 3):
        tally.count(judgement("teardown", Verdict.HOLDS, evidence))
    tally.count(judgement("exact-limits", Verdict.NOT_APPLICABLE))

    assert 5 == tally.evidence["teardown"]
    assert {"exact-limits"} == tally.not_applicable


def test_counts_of_two_processes_add_up() -> None:
    """Numbers are added, sets united, and a stop of either is one of both."""
    one = SearchStatistics(
        examples=1, runs=4, not_applicable={"teardown"}, evidence={"teardown": 2}
    )
    other = SearchStatistics(
        examples=2,
        runs=8,
        not_applicable={"exact-limits"},
        evidence={"teardown": 1, "exact-limits": 1},
        reached=ActivityCounters(users=3),
        time_up=True,
    )

    one.add(other)

    assert (3, 12, True) == (one.examples, one.runs, one.time_up)
    assert {"teardown", "exact-limits"} == one.not_applicable
    assert {"teardown": 3, "exact-limits": 1} == one.evidence
    assert 3 == one.reached.users


def test_fresh_statistics_share_nothing() -> None:
    """Counting in one leaves the next one at zero."""
    SearchStatistics().count(judgement("teardown", Verdict.HOLDS, 1))

    assert {} == SearchStatistics().evidence


def test_a_remark_is_made_once() -> None:
    """Another run, or another process, has nothing to add to it."""
    one, other = SearchStatistics(), SearchStatistics()
    first, second = ObjectHeldByTwo("A.x", "A.x"), ObjectHeldByTwo("A.y", "A.x")

    one.add_remarks([first, first])
    other.add_remarks([second, first])
    one.add(other)

    assert [first, second] == one.remarks


class _Undeclared(ReferenceAdapter):
    """Declares no object that contexts share on purpose."""

    def shared(self) -> Iterable[Any]:
        return ()


def test_objects_that_contexts_share_by_right_are_remarks_alone() -> None:
    """A factory and its tables are held by all contexts, and no value flows."""
    engine = own_engine(_Undeclared)

    statistics = search_share(Share(make_plan(engine, examples=2)))

    assert [] == statistics.findings
    assert statistics.remarks
