"""The catching power is measured from cold, kept, and added up as the text says."""

from pathlib import Path

import msgspec
import pytest

from isolation_spec.engines.faults import FAULTS, Fault, mechanism_of
from isolation_spec.measurement import mutation_score as module
from isolation_spec.measurement.mutation_score import (
    LIMIT,
    Score,
    Trial,
    find_faults,
    measure,
)

QUICKEST = ("broadcast-to-all", "heartbeat-survives")


def quickest() -> tuple[Fault, ...]:
    return find_faults(QUICKEST)


def catch(fault: str, seed: int, interleavings: int, *claims: str) -> Trial:
    return Trial(
        fault=fault,
        seed=seed,
        caught=interleavings <= LIMIT,
        claims=claims,
        interleavings=interleavings,
        seconds=interleavings / 100,
    )


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The searched faults, in order; each search is over at once."""
    found: list[str] = []

    def hunt(wanted: module.Wanted) -> Trial:
        found.append(f"{wanted.fault}/{wanted.seed}/{wanted.layer}")
        return msgspec.structs.replace(
            catch(wanted.fault, wanted.seed, 10 * (wanted.seed + 1), "teardown"),
            layer=wanted.layer,
        )

    monkeypatch.setattr(module, "_hunt", hunt)
    return found


def test_faults_are_caught_and_shrunk() -> None:
    """A real measurement of two faults: caught by the claims that they name."""
    scores = measure(quickest(), seeds=1, examples=60, jobs=1)

    assert QUICKEST == tuple(score.id for score in scores.faults)
    for one, fault in zip(scores.faults, quickest(), strict=True):
        assert (1, 1) == (one.seeds, one.caught)
        assert set(one.claims) & fault.claims
        assert 1 <= one.interleavings_median <= LIMIT
        assert one.operations >= 1
    assert (2, 2) == (scores.totals.pairs, scores.totals.caught)


def test_the_json_has_the_keys_that_others_read() -> None:
    """Names and kinds of the fields are a contract."""
    fields = {field.name: field.type for field in msgspec.structs.fields(Score)}

    assert {
        *("id", "mechanism", "claims", "seeds", "caught", "interleavings_median"),
        *("interleavings_p95", "seconds_median", "operations", "decisions"),
    } <= set(fields)
    assert int is fields["seeds"] is fields["caught"]
    assert {"faults", "totals"} == set(module.Scores.__struct_fields__)


def test_each_fault_is_searched_for_under_each_seed(searched: list[str]) -> None:
    """As many searches as faults times seeds, and one of a test that gathers."""
    layers: tuple[module.Baseline, ...] = ("search", "fifo", "gather")
    scores = measure(quickest(), seeds=3, examples=1, jobs=1, layers=layers)

    assert 2 * 3 + 2 * 3 + 2 == len(searched) == len(set(searched))
    assert {"fifo": 2, "gather": 2} == scores.totals.controls
    assert 6 == scores.totals.pairs


def test_a_kept_trial_is_not_repeated(searched: list[str], tmp_path: Path) -> None:
    """An interrupted measurement goes on where it was."""
    kept = tmp_path / "kept" / "faults.jsonl"
    first = measure(quickest(), seeds=2, examples=1, jobs=1, kept=kept)
    before = list(searched)
    with kept.open("ab") as file:
        file.write(b'{"name": "search/a')

    again = measure(quickest(), seeds=3, examples=1, jobs=1, kept=kept)

    assert 4 == len(before)
    assert [f"{fault}/2/search" for fault in QUICKEST] == searched[4:]
    assert first.faults[0].seeds + 1 == again.faults[0].seeds


def test_other_code_is_measured_afresh(
    searched: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trials of other sources are not reused."""
    kept = tmp_path / "faults.jsonl"
    measure(quickest(), seeds=1, examples=1, jobs=1, kept=kept)
    monkeypatch.setattr(module, "_sources", lambda: "others")

    measure(quickest(), seeds=1, examples=1, jobs=1, kept=kept)

    assert 4 == len(searched)


def test_totals_run_over_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A miss counts as the limit plus one, and percentiles are measured values."""
    numbers = [*range(1, 39), LIMIT + 1, LIMIT + 1]

    def hunt(wanted: module.Wanted) -> Trial:
        return catch(wanted.fault, wanted.seed, numbers[wanted.seed], "teardown")

    monkeypatch.setattr(module, "_hunt", hunt)
    totals = measure(quickest()[:1], seeds=40, examples=1, jobs=1).totals

    assert (40, 38, 38) == (totals.pairs, totals.caught, totals.caught_at_100)
    assert (20.5, 38.0) == (totals.interleavings_median, totals.interleavings_p95)


def test_a_claim_alone_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noninterference apart, as it catches most faults of the others."""
    claims = {
        QUICKEST[0]: ("event-routing", "noninterference"),
        QUICKEST[1]: ("noninterference",),
    }

    def hunt(wanted: module.Wanted) -> Trial:
        return catch(wanted.fault, wanted.seed, 1, *claims[wanted.fault])

    monkeypatch.setattr(module, "_hunt", hunt)
    alone = measure(quickest(), seeds=1, examples=1, jobs=1).totals.alone

    assert (QUICKEST[0],) == alone["event-routing"]
    assert (QUICKEST[1],) == alone["noninterference"]
    assert () == alone["teardown"]


def test_faults_are_found_by_name() -> None:
    """All without a name, else those that are named; an unknown one lists the known."""
    assert FAULTS == find_faults(())
    assert QUICKEST == tuple(fault.id for fault in find_faults(QUICKEST))
    with pytest.raises(KeyError, match="broadcast-to-all"):
        find_faults(("no-such-fault",))


def test_there_are_as_many_faults_as_a_specification_needs() -> None:
    """Sixty at least, of twelve mechanisms at least, each with its source."""
    assert 60 <= len(FAULTS)
    assert 12 <= len({mechanism_of(fault) for fault in FAULTS})
    assert all(fault.source for fault in FAULTS)
