"""The lines that say where a failure is saved and how it is replayed."""

from typing import Any

import msgspec
import pytest

from isolation_spec.diagnosis.explanation import Explanation
from isolation_spec.diagnosis.wording import summarize_violation
from isolation_spec.report.failure_text import (
    REPLAY,
    SAVED,
    Line,
    Role,
    failure_lines,
    failure_text,
)
from isolation_spec.search.events import FailureSaved
from tests.failure.failures import heartbeat_failure

EXPLANATION = Explanation(
    claim=("claim",),
    scenario=("scenario",),
    givens=("let", "then"),
    observation=("however",),
    choices=("choices",),
)


def saved(**fields: Any) -> FailureSaved:
    failure = heartbeat_failure()
    event = FailureSaved(
        scenario=failure.scenario,
        violation=failure.violation,
        path="f.json",
        confirmed=True,
        engine="mine:Adapter",
        explanation=EXPLANATION,
    )
    return msgspec.structs.replace(event, **fields)


def test_a_failure_ends_with_the_command_that_replays_it() -> None:
    """After the explanation come the path and the command, as the last line."""
    assert [
        *EXPLANATION.lines(),
        "",
        f"{SAVED}f.json",
        f"{REPLAY}isolation-spec replay f.json --engine mine:Adapter",
    ] == failure_lines(saved())


def test_without_an_explanation_the_violation_is_one_line() -> None:
    """A failure whose diagnosis could not be made is named all the same."""
    failure = heartbeat_failure()
    summary = summarize_violation(failure.violation, failure.scenario.users)

    assert Line(summary, Role.CLAIM) == failure_text(saved(explanation=None))[0]


@pytest.mark.parametrize(
    ("fields", "last"),
    [
        ({"world": "live"}, f"{SAVED}f.json"),
        ({"path": ""}, ""),
        ({"world": "live", "path": ""}, "Found live: not replayable, and not shrunk."),
    ],
)
def test_only_a_failure_that_can_be_replayed_has_the_command(
    fields: dict[str, Any], last: str
) -> None:
    """Without a file, or found live, there is nothing to replay."""
    lines = failure_lines(saved(**fields))

    assert last == lines[-1]
    assert not any(line.startswith(REPLAY) for line in lines)


def test_a_divergence_is_reported() -> None:
    """A failure that did not repeat says so, and where two replays differed."""
    lines = failure_lines(saved(confirmed=False, difference="step 3: a, b"))

    assert "Not deterministic: a replay in a fresh world differed." in lines
    assert "First step 3: a, b" in lines


def test_the_brief_form_leaves_out_scenario_and_choices() -> None:
    """Claim, contradiction and command stay for a reader who has seen the run."""
    lines = [line.text for line in failure_text(saved(), brief=True)]

    assert ["claim", "", "In the scenario above:", ""] == lines[:4]
    assert ["let", "then", "however", ""] == lines[4:8]
    assert [f"{SAVED}f.json", failure_lines(saved())[-1]] == lines[8:]


def test_each_line_has_its_role() -> None:
    """A terminal learns the claim, the observation and the command from roles."""
    roles = {line.text: line.role for line in failure_text(saved())}

    assert Role.CLAIM is roles["claim"]
    assert Role.OBSERVATION is roles["however"]
    assert Role.PATH is roles[f"{SAVED}f.json"]
    assert Role.COMMAND is roles[failure_lines(saved())[-1]]
    assert {Role.OTHER} == {roles[text] for text in ("scenario", "let", "choices", "")}
