"""The page of a whole run: claims, evidence, coverage, and the time of findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

import msgspec

from isolation_spec.claims import CLAIMS, Verdict
from isolation_spec.diagnosis.wording import describe_reason
from isolation_spec.model.scenario import Operation
from isolation_spec.report.html import MOST_BYTES, render
from isolation_spec.report.run_folder import Catch, RunFolder
from isolation_spec.search.coverage import kind_of_operation
from isolation_spec.search.result import Result

__all__ = ["run_page"]

_SIZES = (2000, 500, 100, 20)
"""Lines of each table that are tried, the most first."""
_LONGEST = 300
_NEAR = 14.0
"""Percent of the width within which catches share one label, on the narrowest screen
too; a label's middle is further than half of that from both ends."""


class _Line(msgspec.Struct, frozen=True):
    """A row of a table: a name, a count, a share of the width, and a remark."""

    name: str
    count: int
    share: float
    remark: str


class _Place(msgspec.Struct, frozen=True):
    operation: str
    place: str
    seen: int
    cancelled: int


def run_page(run: RunFolder) -> str:
    """Returns the page of a run, of at most `MOST_BYTES` bytes; it counts omissions."""
    for most in _SIZES:
        text = _render(run, most)
        if len(text.encode()) <= MOST_BYTES:
            break
    return text


def _render(run: RunFolder, most: int) -> str:
    result = run.result
    places = list(_places(result))
    return render(
        "run.html.j2",
        styles=("base.css", "run.css"),
        engine=_short(result.engine),
        result=result,
        verdict=_verdict(result.verdict),
        claims=[_claim(result, claim) for claim in result.claims[:most]],
        reached=[
            (name.replace("_", " "), getattr(result.reached, name))
            for name in result.reached.__struct_fields__
        ],
        operations=list(_operations(result))[:most],
        never=list(_never(result)),
        places=places[:most],
        cancelled=sum(1 for place in places if place.cancelled),
        of_places=len(places),
        counted=bool(result.coverage.operations),
        remarks=[_short(remark) for remark in result.remarks[:most]],
        reasons=[_short(reason) for reason in result.reasons[:most]],
        failures=[_short(path) for path in result.failures[:most]],
        timed=run.timed,
        catches=run.catches[:most],
        chart=_chart(run),
    )


def _short(text: str) -> str:
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]} … {text[-half:]}"


def _verdict(verdict: Verdict) -> str:
    """Returns the name of the class that colours a verdict."""
    return verdict.value.replace(" ", "-")


def _claim(result: Result, claim: Any) -> dict[str, Any]:
    known = {one.id: one for one in CLAIMS}.get(claim.id)
    most = max((one.evidence for one in result.claims), default=0)
    return {
        "id": _short(claim.id),
        "verdict": claim.verdict,
        "colour": _verdict(claim.verdict),
        "evidence": claim.evidence,
        "share": _share(claim.evidence, most),
        "reason": _short(describe_reason(claim.id, claim.reason)),
        "statement": "" if known is None else known.statement,
        "situation": "" if known is None else known.situation,
    }


def _share(count: float, most: float) -> float:
    """Returns a percentage, at most 100."""
    return round(100 * min(1.0, max(0.0, count / most)), 2) if most > 0 else 0.0


def _operations(result: Result) -> Iterator[_Line]:
    """Yields the count and the outcomes of each kind of operation."""
    counts = result.coverage.operations
    totals = {kind: sum(ends.values()) for kind, ends in counts.items()}
    most = max(totals.values(), default=0)
    for kind in sorted(totals, key=lambda kind: (-totals[kind], kind)):
        ends = sorted(counts[kind].items(), key=lambda end: -end[1])
        remark = ", ".join(f"{outcome} {times:,}" for outcome, times in ends)
        yield _Line(
            _spaced(kind), totals[kind], _share(totals[kind], most), _short(remark)
        )


def _never(result: Result) -> Iterator[str]:
    """Yields the kinds of operation that no scenario of the run had."""
    for kind in get_args(Operation):
        name = kind_of_operation(kind)
        if name not in result.coverage.operations:
            yield _spaced(name)


def _places(result: Result) -> Iterator[_Place]:
    for kind, places in sorted(result.coverage.places.items()):
        for place, (seen, cancelled) in sorted(places.items()):
            yield _Place(_short(_spaced(kind)), _short(place), seen, cancelled)


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _chart(run: RunFolder) -> dict[str, Any]:
    """Returns interleavings over seconds as a line, and the findings on it.

    The line is in thousandths of the width and of the height, the rest in percent.
    """
    moments = [(one.seconds, one.interleavings) for one in run.progress]
    moments += [(one.seconds, one.interleavings) for one in run.catches]
    end = max([run.result.seconds, *(seconds for seconds, _ in moments)])
    most = max([run.result.interleavings, *(count for _, count in moments)])
    points = [(0.0, 0), *((one.seconds, one.interleavings) for one in run.progress)]
    line = " ".join(
        f"{10 * _share(seconds, end):.1f},{1000 - 10 * _share(count, most):.1f}"
        for seconds, count in points
    )
    return {"line": line, "end": end, "most": most, "marks": _marks(run.catches, end)}


def _marks(catches: Sequence[Catch], end: float) -> list[dict[str, Any]]:
    """Returns one label for findings that are close together, with a line for each."""
    marks: list[dict[str, Any]] = []
    for number, catch in enumerate(catches, 1):
        x = _share(catch.seconds, end)
        label = min(max(x, _NEAR / 2 + 1), 99 - _NEAR / 2)
        if marks and label - marks[-1]["label"] < _NEAR:
            marks[-1]["lines"].append(x)
            marks[-1]["text"] = f"{marks[-1]['first']}-{number}"
        else:
            marks.append(
                {"label": label, "text": str(number), "first": number, "lines": [x]}
            )
    return marks
