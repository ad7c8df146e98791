"""The result of a search as SARIF 2.1.0: a rule for each claim, a result for each
violation."""

from __future__ import annotations

import json
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from isolation_spec.claims import CLAIMS, Claim, Verdict
from isolation_spec.diagnosis.wording import describe_reason
from isolation_spec.report.failure_text import failure_lines
from isolation_spec.report.files import write_whole
from isolation_spec.search.events import (
    Event,
    FailureSaved,
    SearchEnded,
    SearchFailed,
    SearchStarted,
)
from isolation_spec.search.result import Result, not_reached

__all__ = ["SARIF"]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_RULES = {claim.id: index for index, claim in enumerate(CLAIMS)}


class SARIF:
    """Writes the file when the search is over.

    The location of a result is its failure file, which replays it. An inconclusive
    claim is a notification instead of a result, and the run is not called successful.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = ""
        self._saved: list[FailureSaved] = []

    def __call__(self, event: Event) -> None:
        """Collects the events, and writes at the end."""
        match event:
            case SearchStarted():
                self._engine = event.engine
            case FailureSaved():
                self._saved.append(event)
            case SearchEnded():
                result = event.result
                successful = result.verdict is not Verdict.INCONCLUSIVE
                self._write(successful, _notifications(result), _summary(result))
            case SearchFailed():
                summary = {"engine": self._engine}
                self._write(False, [_notification(event.reason, "error")], summary)

    def _write(
        self,
        successful: bool,
        notifications: list[dict[str, Any]],
        summary: dict[str, Any],
    ) -> None:
        run = {
            "tool": {
                "driver": {
                    "name": "isolation-spec",
                    "version": version("isolation-spec"),
                    "rules": [_rule(claim) for claim in CLAIMS],
                }
            },
            "invocations": [
                {
                    "executionSuccessful": successful,
                    "toolExecutionNotifications": notifications,
                }
            ],
            "results": [_result(saved) for saved in self._saved],
            "columnKind": "unicodeCodePoints",
            "properties": summary,
        }
        log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
        write_whole(self.path, json.dumps(log, indent=2).encode("ascii") + b"\n")


def _rule(claim: Claim) -> dict[str, Any]:
    return {
        "id": claim.id,
        "shortDescription": {"text": claim.statement},
        "fullDescription": {
            "text": f"{claim.statement} Put to the test when {claim.situation}."
        },
        "defaultConfiguration": {"level": "error"},
    }


def _result(saved: FailureSaved) -> dict[str, Any]:
    violation = saved.violation
    same = f"{violation.claim}/{violation.clause}"
    return {
        "ruleId": violation.claim,
        "ruleIndex": _RULES[violation.claim],
        "kind": "fail",
        "level": "error",
        "message": {"text": "\n".join(failure_lines(saved))},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(saved.path)},
                    "region": {"startLine": 1},
                }
            }
        ],
        "partialFingerprints": {
            "isolationClause/v1": sha256(same.encode()).hexdigest()
        },
        "properties": {
            "clause": violation.clause,
            "confirmed": saved.confirmed,
            "fact": msgspec.to_builtins(violation.fact),
            "users": violation.users,
        },
    }


def _uri(path: str) -> str:
    given = Path(path)
    return given.as_uri() if given.is_absolute() else quote(given.as_posix())


def _notifications(result: Result) -> list[dict[str, Any]]:
    found = [
        {
            **_notification(describe_reason(claim.id, claim.reason), "warning"),
            "associatedRule": {"id": claim.id, "index": _RULES[claim.id]},
        }
        for claim in result.claims
        if claim.verdict is Verdict.INCONCLUSIVE and not not_reached(result, claim)
    ]
    said = {
        f"{claim.id}: {describe_reason(claim.id, claim.reason)}"
        for claim in result.claims
    }
    found += [
        _notification(reason, "warning")
        for reason in result.reasons
        if reason not in said
    ]
    return found


def _notification(text: str, level: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": text}}


def _summary(result: Result) -> dict[str, Any]:
    return {
        "engine": result.engine,
        "world": result.world,
        "profile": result.profile,
        "seed": result.seed,
        "verdict": str(result.verdict),
        "examples": result.examples,
        "interleavings": result.interleavings,
    }
