"""`isolation-spec claims`: the specification, for people and for machines."""

import json
from pathlib import Path

from isolation_spec.adapter import Capability
from isolation_spec.claims import CLAIMS
from tests.cli.command import isolation_spec


def test_the_list_shows_every_claim_in_full(tmp_path: Path) -> None:
    """Each claim has a paragraph of id, statement, situation and needs, in order."""
    done = isolation_spec("claims", folder=tmp_path)
    paragraphs = done.out.split("\n\n")
    said = [" ".join(paragraph.split()) for paragraph in paragraphs]

    assert (0, "") == (done.code, done.err)
    assert [
        f"{claim.id} {claim.statement} tested when {claim.situation} "
        f"needs {', '.join(sorted(claim.needs)) or 'nothing'}"
        for claim in CLAIMS
    ] == said


def test_the_list_fits_80_columns(tmp_path: Path) -> None:
    """No line is longer than 80 characters, and none ends in a space."""
    lines = isolation_spec("claims", folder=tmp_path).out.splitlines()

    assert [] == [line for line in lines if len(line) > 80 or line != line.rstrip()]


def test_json_holds_the_same(tmp_path: Path) -> None:
    """The JSON is an array of objects with these four keys, in the same order."""
    done = isolation_spec("claims", "--json", folder=tmp_path)

    assert [
        {
            "id": claim.id,
            "statement": claim.statement,
            "situation": claim.situation,
            "needs": sorted(claim.needs),
        }
        for claim in CLAIMS
    ] == json.loads(done.out)


def test_each_need_is_a_capability() -> None:
    """What a claim needs is something that an adapter can declare."""
    assert {need for claim in CLAIMS for need in claim.needs} <= set(Capability)
