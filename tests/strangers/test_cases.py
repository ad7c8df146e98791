"""Engines of strangers: correct ones are not accused, and known bugs are found."""

from pathlib import Path

import pytest

from isolation_spec.engines.registry import find_engine
from isolation_spec.search.plan import make_plan
from isolation_spec.search.statistics import SearchStatistics
from isolation_spec.search.worker import Share, search_share

pytestmark = pytest.mark.slow

CASES = "tests.strangers.cases"
CORRECT = ("gateway:Fixed", "gateway:FixedShared", "rooms:Fixed", "sessions:Fixed")
FAULTY = {"gateway:SlotDecrement": 6, "gateway:SlotLate": 6}
"""Configuration -> workloads within which seed 0 finds its bug."""
EXAMPLES = 40


def search(name: str, examples: int) -> SearchStatistics:
    engine = find_engine(f"{CASES}.{name}")
    return search_share(Share(make_plan(engine, examples=examples)))


@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_engine_is_not_accused(name: str) -> None:
    """No claim is violated, and a run stays what it was when it is repeated."""
    statistics = search(name, EXAMPLES)

    assert [] == statistics.findings
    assert None is statistics.divergence
    assert EXAMPLES == statistics.examples


@pytest.mark.parametrize("name", FAULTY)
def test_a_slot_that_is_not_given_back_is_found(name: str) -> None:
    """The engine refuses a run below the limit that its adapter declares."""
    (finding,) = search(name, FAULTY[name]).findings

    assert ("exact-limits", "refused-run") == (
        finding.violation.claim,
        finding.violation.clause,
    )


def test_every_configuration_is_in_the_table() -> None:
    """The table of the cases says of each engine how it stands."""
    folder = Path(__file__).with_name("cases")
    table = (folder / "README.md").read_text()

    assert all(f"`{name}`" in table for name in (*CORRECT, *FAULTY))
    assert 10 == table.count("\n| `")
