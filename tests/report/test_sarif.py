"""SARIF 2.1.0: a rule a claim, a result a violation, and the failure file its place."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from isolation_spec.claims import CLAIMS
from isolation_spec.diagnosis.wording import describe_reason
from isolation_spec.report.sarif import SARIF
from isolation_spec.search.events import Event
from tests.report.events import (
    BROKE,
    GREEN,
    NOT_REACHED,
    RED,
    SEARCHES,
    UNREACHED,
    saved,
)

REQUIRED = {
    "run": {"tool"},
    "driver": {"name"},
    "rule": {"id"},
    "result": {"message"},
    "invocation": {"executionSuccessful"},
    "notification": {"message"},
}
KNOWN = {
    "run": {"tool", "invocations", "results", "columnKind", "properties"},
    "driver": {"name", "version", "rules"},
    "rule": {
        "id",
        "shortDescription",
        "fullDescription",
        "defaultConfiguration",
    },
    "result": {
        "ruleId",
        "ruleIndex",
        "kind",
        "level",
        "message",
        "locations",
        "partialFingerprints",
        "properties",
    },
    "invocation": {"executionSuccessful", "toolExecutionNotifications"},
    "notification": {"level", "message", "associatedRule"},
}
"""Properties of the standard; no object of it allows others."""


def written(folder: Path, events: tuple[Event, ...]) -> dict[str, Any]:
    """The one run of the file."""
    listener = SARIF(folder / "results.sarif")
    for event in events:
        listener(event)
    log = json.loads(listener.path.read_bytes())

    assert {"$schema", "version", "runs"} == set(log)
    assert "2.1.0" == log["version"]
    (run,) = log["runs"]
    return dict(run)


def parts(run: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    driver = run["tool"]["driver"]
    (invocation,) = run["invocations"]
    return [
        ("run", run),
        ("driver", driver),
        ("invocation", invocation),
        *(("rule", rule) for rule in driver["rules"]),
        *(("result", result) for result in run["results"]),
        *(("notification", n) for n in invocation["toolExecutionNotifications"]),
    ]


@pytest.mark.parametrize("search", SEARCHES)
def test_the_file_has_the_form_of_the_standard(tmp_path: Path, search: str) -> None:
    """Each object has the required keys and no unknown one."""
    for kind, found in parts(written(tmp_path, SEARCHES[search])):
        assert REQUIRED[kind] <= set(found), kind
        assert set(found) <= KNOWN[kind], kind


def test_each_claim_is_a_rule(tmp_path: Path) -> None:
    """Rules are the claims, in order, with their sentence."""
    rules = written(tmp_path, GREEN)["tool"]["driver"]["rules"]

    assert [(claim.id, claim.statement) for claim in CLAIMS] == [
        (rule["id"], rule["shortDescription"]["text"]) for rule in rules
    ]


def test_a_green_search_has_no_result(tmp_path: Path) -> None:
    """A green search has no result and no notification, and is successful."""
    run = written(tmp_path, GREEN)

    assert [] == run["results"]
    assert [{"executionSuccessful": True, "toolExecutionNotifications": []}] == run[
        "invocations"
    ]


def test_a_violation_is_a_result_at_its_failure_file(tmp_path: Path) -> None:
    """It names its rule twice alike, holds the explanation, and points to the file."""
    run = written(tmp_path, RED)
    (result,) = run["results"]
    (location,) = result["locations"]
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]

    assert "teardown" == result["ruleId"] == rule["id"]
    assert ("fail", "error") == (result["kind"], result["level"])
    assert "However, a task was still alive" in result["message"]["text"]
    assert (
        ".isolation-spec/failures/a%20b.json"
        == (location["physicalLocation"]["artifactLocation"]["uri"])
    )


def test_a_result_without_a_story_tells_its_sentence(tmp_path: Path) -> None:
    """Without an explanation, claim, clause and observation stand in its
    place."""
    bare = msgspec.structs.replace(saved("a.json"), explanation=None)
    (result,) = written(tmp_path, (RED[0], bare, RED[-1]))["results"]
    first, *rest = result["message"]["text"].splitlines()

    assert first.startswith("teardown (alive-task): a task was still alive")
    assert not any(line.startswith("Let ") for line in rest)
    assert "Replay with: isolation-spec replay a.json" in rest


def test_a_result_has_the_fields_of_its_fact(tmp_path: Path) -> None:
    """A machine reads users, kinds and names from fields, not from sentences."""
    (result,) = written(tmp_path, RED)["results"]
    properties = result["properties"]

    assert "alive-task" == properties["clause"]
    assert "resource_left_alive" == properties["fact"]["fact"]
    assert ("task", 0) == (properties["fact"]["kind"], properties["fact"]["user"])
    assert [] == properties["users"]


def test_an_absolute_path_is_a_file_uri(tmp_path: Path) -> None:
    """A failure file outside of the working folder is found, too."""
    path = tmp_path / "f.json"
    run = written(tmp_path, (RED[0], saved(str(path)), RED[-1]))
    (result,) = run["results"]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]

    assert path.as_uri() == place["uri"]


def test_the_same_violation_has_the_same_fingerprint(tmp_path: Path) -> None:
    """It depends on claim and clause, not on the name of the failure file."""
    first, other = (
        written(tmp_path, (RED[0], saved(path), RED[-1]))["results"][0]
        for path in ("one.json", "other.json")
    )

    assert first["partialFingerprints"] == other["partialFingerprints"]


def test_what_is_inconclusive_is_a_notification(tmp_path: Path) -> None:
    """Each reason is reported once, and the run is not called successful."""
    (invocation,) = written(tmp_path, UNREACHED)["invocations"]
    notifications = invocation["toolExecutionNotifications"]
    texts = [one["message"]["text"] for one in notifications]

    assert not invocation["executionSuccessful"]
    unreached = describe_reason("exact-limits", NOT_REACHED)
    assert [unreached, "never reached: cancellations"] == texts


def test_a_search_that_broke_is_an_error(tmp_path: Path) -> None:
    """Its reason is a notification of level error."""
    (invocation,) = written(tmp_path, BROKE)["invocations"]
    (notification,) = invocation["toolExecutionNotifications"]

    assert not invocation["executionSuccessful"]
    assert "error" == notification["level"]
    assert notification["message"]["text"].startswith("Mine.start raised evil")
