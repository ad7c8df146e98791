"""The result of a search as JUnit XML: one test case for each claim."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from isolation_spec.claims import Verdict, find_claim
from isolation_spec.diagnosis.wording import describe_reason, describe_violation
from isolation_spec.report.failure_text import failure_lines
from isolation_spec.report.files import write_whole
from isolation_spec.search.events import (
    Event,
    FailureSaved,
    SearchEnded,
    SearchFailed,
    SearchStarted,
)
from isolation_spec.search.result import ClaimResult, Result, not_reached

__all__ = ["JUnit"]

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, escaped or not."""


class JUnit:
    """Writes the file when the search is over.

    A violated claim is a failure with the explanation as its text, and an inconclusive
    claim an error. A claim that does not apply, or that the search did not reach before
    it stopped, is skipped. An inconclusive result without such an error adds a test
    case, so that no file is green when the result is not.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = ""
        self._saved: dict[str, FailureSaved] = {}

    def __call__(self, event: Event) -> None:
        """Collects the events, and writes at the end."""
        match event:
            case SearchStarted():
                self._engine = event.engine
            case FailureSaved():
                self._saved[event.violation.claim] = event
            case SearchEnded():
                cases = [self._case(event.result, one) for one in event.result.claims]
                cases += self._rest(event.result, cases)
                self._write(cases, event.result)
            case SearchFailed():
                self._write([self._error("search", event.reason)], None)

    def _case(self, result: Result, claim: ClaimResult) -> ElementTree.Element:
        case = self._named(claim.id)
        _properties(
            case,
            verdict=claim.verdict,
            evidence=claim.evidence,
            statement=find_claim(claim.id).statement,
        )
        saved = self._saved.get(claim.id)
        reason = describe_reason(claim.id, claim.reason)
        if claim.verdict is Verdict.VIOLATED:
            kind = find_claim(claim.id).exception.__name__
            text = "violated"
            failure = ElementTree.SubElement(case, "failure", type=kind)
            if saved is not None:
                users = saved.scenario.users
                text = f"However, {describe_violation(saved.violation, users).however}"
                failure.text = _legal("\n".join(failure_lines(saved)))
            failure.set("message", _legal(text))
        elif claim.verdict is Verdict.NOT_APPLICABLE:
            ElementTree.SubElement(case, "skipped", message=_legal(reason))
        elif not_reached(result, claim):
            ElementTree.SubElement(case, "skipped", message="not reached")
        elif claim.verdict is Verdict.INCONCLUSIVE:
            message = _legal(reason)
            ElementTree.SubElement(case, "error", type="inconclusive", message=message)
        return case

    def _rest(
        self, result: Result, cases: list[ElementTree.Element]
    ) -> list[ElementTree.Element]:
        red = any(case.find(kind) is not None for case in cases for kind in _RED)
        if red or result.verdict is Verdict.HOLDS:
            return []
        return [self._error("verdict", "; ".join(result.reasons))]

    def _named(self, name: str) -> ElementTree.Element:
        classname = _legal(f"isolation-spec.{self._engine}")
        return ElementTree.Element("testcase", classname=classname, name=name)

    def _error(self, name: str, message: str) -> ElementTree.Element:
        case = self._named(name)
        ElementTree.SubElement(
            case, "error", type="inconclusive", message=_legal(message)
        )
        return case

    def _write(self, cases: list[ElementTree.Element], result: Result | None) -> None:
        counts = {
            kind: str(sum(case.find(tag) is not None for case in cases))
            for kind, tag in _COUNTED.items()
        }
        seconds = f"{result.seconds if result else 0:.3f}"
        totals = {"tests": str(len(cases)), **counts, "time": seconds}
        suites = ElementTree.Element("testsuites", {"name": "isolation-spec", **totals})
        name = _legal(f"isolation-spec {self._engine}")
        suite = ElementTree.SubElement(suites, "testsuite", {"name": name, **totals})
        if result is not None:
            _properties(suite, **{name: getattr(result, name) for name in _SUITE})
        suite.extend(cases)
        ElementTree.indent(suites)
        data = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
        write_whole(self.path, data + b"\n")


_RED = ("failure", "error")
_COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}
_SUITE = (
    "engine",
    "world",
    "profile",
    "seed",
    "verdict",
    "examples",
    "interleavings",
    "max_time",
    "time_up",
    "interrupted",
)


def _properties(parent: ElementTree.Element, **values: object) -> None:
    properties = ElementTree.SubElement(parent, "properties")
    for name, value in values.items():
        ElementTree.SubElement(
            properties, "property", name=name, value=_legal(str(value))
        )


def _legal(text: str) -> str:
    """Returns the text with Python's escapes for characters that XML cannot hold."""
    return _ILLEGAL.sub(lambda found: ascii(found[0])[1:-1], text)
