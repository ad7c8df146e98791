"""Failure files of version 1 still load, replay, export and explain.

The ten files, one for each claim, were written by the release that wrote version 1.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from isolation_spec.claims import CLAIMS
from isolation_spec.claims.facts import RecordedText
from isolation_spec.diagnosis.ablation import diagnose
from isolation_spec.diagnosis.explanation import explain
from isolation_spec.diagnosis.wording import describe_violation
from isolation_spec.engines.registry import find_engine
from isolation_spec.failure import (
    Outcome,
    export_test,
    load,
    replay_file,
    save,
)
from isolation_spec.failure.diagnosed_replay import diagnose_replay
from isolation_spec.report.failure_page import failure_page
from tests.failure.failures import refusal_of

FILES = sorted(Path(__file__).with_name("version_1").iterdir())

each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)


def written(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def test_each_claim_has_a_file() -> None:
    """There is one file of version 1 for each claim."""
    claims = sorted(written(file)["claim"] for file in FILES)

    assert sorted(claim.id for claim in CLAIMS) == claims
    assert {1} == {written(file)["version"] for file in FILES}


@each_file
def test_its_sentences_are_printed_word_for_word(file: Path) -> None:
    """The text of the violation is the text that was saved."""
    failure = load(file)
    saved = written(file)["violation"]

    text = describe_violation(failure.violation, failure.scenario.users)

    assert isinstance(failure.violation.fact, RecordedText)
    assert saved["let"] == list(text.let)
    assert (saved["then"], saved["however"]) == (text.then, text.however)


@each_file
def test_it_is_reproduced(file: Path) -> None:
    """The planted fault of the file violates the claim again."""
    assert Outcome.REPRODUCED is replay_file(file).outcome


@each_file
def test_it_is_exported(file: Path) -> None:
    """The exported test compiles, and its comments have the saved sentences."""
    failure = load(file)
    source = export_test(failure, failure.engine)
    comments = [line[2:] for line in source.splitlines() if line.startswith("# ")]

    compile(source, "test_it.py", "exec")
    assert (
        written(file)["violation"]["however"].split()
        == (
            " ".join(comments)
            .partition("However, ")[2]
            .removesuffix(": contradiction.")
        ).split()
    )


@each_file
def test_it_is_explained(file: Path) -> None:
    """Its explanation has the saved contradiction, and its page is drawn."""
    failure, replayed = load(file), replay_file(file)
    assert replayed.history is not None
    make_adapter = find_engine(failure.engine).make_adapter

    explanation = explain(diagnose(replayed.history, failure.violation, make_adapter))
    diagnosed = diagnose_replay(replayed, make_adapter)
    page = failure_page(failure, diagnosed.history, diagnosed.diagnosis)

    assert "However, " in explanation.observation[0]
    assert failure.claim in page


def test_it_is_saved_in_version_2(tmp_path: Path) -> None:
    """A file that is saved again is of version 2, and equal when it is loaded."""
    failure = load(FILES[0])

    path = save(failure, tmp_path)

    assert 2 == written(path)["version"]
    assert failure == load(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("let", "a"), ("however", 1), ("entry", -1), ("users", [64]), ("more", 1)],
)
def test_its_violation_is_checked(tmp_path: Path, field: str, value: object) -> None:
    """A violation that is not of the form of version 1 is refused."""
    data = written(FILES[0])
    data["violation"][field] = value

    assert field in refusal_of(tmp_path, data)


def test_a_fact_is_of_version_2(tmp_path: Path) -> None:
    """Version 1 does not know facts, nor version 2 sentences."""
    data = written(FILES[0])

    assert "`let`" in refusal_of(tmp_path, {**data, "version": 2})
