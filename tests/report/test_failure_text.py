"""The text of a saved failure: its explanation, its path and its command."""

from typing import Any

import msgspec
import pytest

from isolation_spec.diagnosis.explanation import Explanation
from isolation_spec.diagnosis.wording import summarize_violation
from isolation_spec.report.failure_text import (
    REPLAY,
    SAVED,
    failure_lines,
    failure_text,
)
from isolation_spec.search.events import FailureSaved
from tests.failure.failures import heartbeat_failure

EXPLANATION = Explanation(
    claim=("claim",),
    scenario=("scenario",),
    givens=("Let a be b.",),
    observation=("However, c.",),
    choices=("choices",),
)
SECTIONS = ("claim", "", "scenario", "", "Let a be b.", "However, c.", "", "choices")


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
        *SECTIONS,
        "",
        f"{SAVED}f.json",
        f"{REPLAY}isolation-spec replay f.json --engine mine:Adapter",
    ] == failure_lines(saved())


def test_without_an_explanation_the_violation_is_one_line() -> None:
    """A failure whose diagnosis could not be made is named all the same."""
    failure = heartbeat_failure()
    summary = summarize_violation(failure.violation, failure.scenario.users)

    assert summary == failure_lines(saved(explanation=None))[0]


@pytest.mark.parametrize(
    ("fields", "last"),
    [
        ({"world": "live"}, f"{SAVED}f.json"),
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


def test_a_failure_without_a_file_is_its_explanation() -> None:
    """A failure that could not be saved names neither path nor command."""
    lines = failure_lines(saved(path=""))

    assert list(SECTIONS) == lines[: len(SECTIONS)]
    assert not any(lines[len(SECTIONS) :])


def test_a_divergence_is_reported() -> None:
    """A failure that did not repeat says so, and where two replays differed."""
    lines = failure_lines(saved(confirmed=False, difference="step 3: a, b"))

    assert "Not deterministic: a replay in a fresh world differed." in lines
    assert "First step 3: a, b" in lines


def test_the_brief_form_leaves_out_scenario_and_choices() -> None:
    """Claim, contradiction and command stay for a reader who has seen the run."""
    lines = [line.text for line in failure_text(saved(), brief=True)]

    assert [
        *("claim", "", "In the scenario above:", "", "Let a be b.", "However, c.", ""),
        *failure_lines(saved())[-2:],
    ] == lines
