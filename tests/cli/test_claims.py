"""`isolation-spec claims`: the specification, for people and for machines."""

import json
import re
from pathlib import Path

import pytest

from isolation_spec.claims import CLAIMS, Claim
from isolation_spec.contract.capabilities import Capability
from isolation_spec.engines.faults import FAULTS
from tests.cli.command import assert_refused, isolation_spec


def test_the_list_shows_every_claim_in_full(tmp_path: Path) -> None:
    """Each claim has a paragraph of id, statement, situation and needs, in order."""
    done = isolation_spec("claims", folder=tmp_path)
    paragraphs = done.out.split("\n\n")
    text = [" ".join(paragraph.split()) for paragraph in paragraphs]

    assert (0, "") == (done.code, done.err)
    assert [
        f"{claim.id} {claim.statement} tested when {claim.situation} "
        f"needs {', '.join(sorted(claim.needs)) or 'nothing'}"
        for claim in CLAIMS
    ] == text


def test_the_list_fits_80_columns(tmp_path: Path) -> None:
    """No line is longer than 80 characters or ends in a space."""
    lines = isolation_spec("claims", folder=tmp_path).out.splitlines()

    assert [] == [line for line in lines if len(line) > 80 or line != line.rstrip()]


def test_json_holds_the_same(tmp_path: Path) -> None:
    """The JSON is an array of objects with these five keys, in the same order."""
    done = isolation_spec("claims", "--json", folder=tmp_path)

    assert [
        {
            "id": claim.id,
            "statement": claim.statement,
            "situation": claim.situation,
            "clauses": dict(claim.clauses),
            "needs": sorted(claim.needs),
        }
        for claim in CLAIMS
    ] == json.loads(done.out)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_claim_is_explained(tmp_path: Path, claim: Claim) -> None:
    """Its clauses, and the faults by which to see it at work, in 80 columns."""
    done = isolation_spec("claims", "--explain", claim.id, folder=tmp_path)
    text = " ".join(done.out.split())

    assert (0, "") == (done.code, done.err)
    assert [] == [line for line in done.out.splitlines() if len(line) > 80]
    for clause, sentence in claim.clauses.items():
        assert f"{clause} {sentence}" in text
    for fault in FAULTS:
        assert (claim.id in fault.claims) is (fault.id in re.split(r"[ ,]+", text))


def test_an_unknown_claim_is_refused(tmp_path: Path) -> None:
    """The error names the existing claims."""
    done = isolation_spec("claims", "--explain", "privacy", folder=tmp_path)

    assert_refused(done, "privacy", "context-ownership")


def test_each_need_is_a_capability() -> None:
    """Every need of a claim is a capability that an adapter can declare."""
    assert {need for claim in CLAIMS for need in claim.needs} <= set(Capability)
