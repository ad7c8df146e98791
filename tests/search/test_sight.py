"""Values that cannot be seen are never green."""

import io
from typing import Any

import pytest

from isolation_spec.claims import Verdict
from isolation_spec.diagnosis.wording import describe_reason
from isolation_spec.engines.registry import find_engine
from isolation_spec.search import verification
from isolation_spec.search.plan import make_plan
from isolation_spec.search.statistics import SearchStatistics
from isolation_spec.search.worker import Share, search_share
from tests.strangers.notebook import NotebookAdapter, Session

ON_VALUES = {"context-ownership", "stored-writes", "noninterference"}


class Buffered(NotebookAdapter):
    """Reads give the user's notes, and a buffer in which anything may stand."""

    async def read(self, user: str, context: Session) -> Any:
        notes = await super().read(user, context)
        return {**notes, "buffer": io.StringIO("everybody's notes")}


class Functional(NotebookAdapter):
    """Reads give the user's notes, and a function of a library."""

    async def read(self, user: str, context: Session) -> Any:
        return {**await super().read(user, context), "open": io.open}


def searched(adapter: type[NotebookAdapter]) -> SearchStatistics:
    engine = find_engine(f"{__name__}:{adapter.__name__}")
    return search_share(Share(make_plan(engine, "quick", examples=6)))


def verdicts(statistics: SearchStatistics) -> dict[str, Verdict]:
    results = verification._claim_results(statistics, set())
    return {one.id: one.verdict for one in results if one.id in ON_VALUES}


def test_a_kind_of_operation_that_is_never_seen_whole_is_inconclusive() -> None:
    """Each claim on values says which kind it is, and what cannot be seen."""
    statistics = searched(Buffered)
    (reason,) = {
        describe_reason(one.id, one.reason)
        for one in verification._claim_results(statistics, set())
        if one.id in ON_VALUES
    }

    assert dict.fromkeys(ON_VALUES, Verdict.INCONCLUSIVE) == verdicts(statistics)
    types = "(StringIO: native)"
    assert reason.startswith(f"every value of mutate {types}, read {types} has a part")


@pytest.mark.parametrize("adapter", [NotebookAdapter, Functional])
def test_values_that_are_seen_hold(adapter: type[NotebookAdapter]) -> None:
    """A function is code, and its closure is seen; an error leads to no frames."""
    statistics = searched(adapter)

    assert not any(sight.opaque for sight in statistics.sight.values())
    assert Verdict.HOLDS is verdicts(statistics)["context-ownership"]
    assert statistics.sight["read"].values


def test_a_few_opaque_values_are_a_remark() -> None:
    """From more than one in a hundred on, the result says how many there are."""
    statistics = searched(Buffered)
    sight = statistics.sight["read"]
    kinds = [getattr(one, "kind", "") for one in verification._remarks(statistics)]
    sight.values = 100 * sight.opaque
    fewer = [getattr(one, "kind", "") for one in verification._remarks(statistics)]

    assert ["mutate", "read"] == sorted(kinds)
    assert ["mutate"] == fewer
