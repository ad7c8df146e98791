"""The timeline page of one failure: its steps, its users and its contradiction."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from isolation_spec.claims import find_claim
from isolation_spec.diagnosis.diagnosis import Diagnosis, Difference, PassingRun
from isolation_spec.diagnosis.wording import (
    describe_difference,
    describe_operation,
    describe_violation,
)
from isolation_spec.failure import Failure
from isolation_spec.model.history.history import History
from isolation_spec.report.html import MOST_BYTES, render, script_data
from isolation_spec.report.timeline.layout import make_timeline
from isolation_spec.report.timeline.shapes import Timeline
from isolation_spec.report.timeline.words import Part, parts_of

__all__ = ["failure_page"]

_MINOR = ("agent_stepped", "session_moved", "gauge_read", "operation_ended")
_SIZES = ((400, 400), (250, 300), (150, 200), (90, 120), (50, 80), (25, 50), (10, 20))
"""Numbers of timeline rows and scenario lines to try, the largest first."""
_LONGEST_LINE = 400


def failure_page(
    failure: Failure,
    history: History,
    diagnosis: Diagnosis | None,
    *,
    engine: str = "",
    outcome: str = "REPRODUCED",
    note: str = "",
    file: str = "",
    values: bool = False,
) -> str:
    """Returns the page of one run, of at most `MOST_BYTES` bytes.

    A run that is too long is cut to the surroundings of the failing step, and the page
    counts the omissions. Without a diagnosis the run did not violate the claim.
    """
    page = _Page(failure, history, diagnosis, engine, outcome, note, file, values)
    for rows, lines in _SIZES:
        text = page.render(rows, lines)
        if len(text.encode()) <= MOST_BYTES:
            break
    return text


class _Page:
    """A page under construction."""

    def __init__(
        self,
        failure: Failure,
        history: History,
        diagnosis: Diagnosis | None,
        engine: str,
        outcome: str,
        note: str,
        file: str,
        values: bool,
    ) -> None:
        self.failure = failure
        self.history = history
        self.diagnosis = diagnosis
        self.violation = failure.violation if diagnosis is None else diagnosis.violation
        self.contradiction = describe_violation(self.violation, history.scenario.users)
        self.values = values
        self.head = {
            "claim": failure.claim,
            "statement": find_claim(failure.claim).statement,
            "engine": _short(engine or failure.engine),
            "outcome": outcome,
            "note": _short(note),
            "file": file,
            "violated": diagnosis is not None,
            "versions": [(n, _short(v)) for n, v in failure.versions.items()][:10],
            "minor": _MINOR,
            "let": [_say(given) for given in self.contradiction.let[:20]],
            "then": _say(self.contradiction.then),
        }

    def render(self, rows: int, lines: int) -> str:
        """Returns the page with at most so many rows and lines."""
        diagnosis = self.diagnosis
        beside = None if diagnosis is None else diagnosis.passing_run
        failing = make_timeline(
            self.history,
            violation=None if diagnosis is None else self.violation,
            provenance=() if diagnosis is None else diagnosis.provenance,
            parting=None if beside is None else beside.step,
            most=rows,
            values=self.values,
        )
        passing = beside and make_timeline(
            beside.history, parting=beside.step, most=rows, values=self.values
        )
        drawn = {"failing": failing, "passing": passing}
        text, cut = self._scenario(lines)
        return render(
            "page.html.j2",
            styles=("base.css", "page.css"),
            script="page.js",
            **self.head,
            however=_say(self.contradiction.however, failing.values),
            **drawn,
            values=[_short(value) for value in failing.values],
            hops=0 if diagnosis is None else len(diagnosis.provenance),
            without=self._without(beside),
            decisions=list(self._choices()),
            scenario=text,
            cuts=[*_cuts(failing), *cut],
            data=script_data(
                {name: _drawing(one) for name, one in drawn.items() if one}
            ),
        )

    def _without(self, passing_run: PassingRun | None) -> str:
        if passing_run is None:
            return ""
        return self._described(passing_run.without)

    def _described(self, difference: Difference) -> str:
        return _short(describe_difference(self.history.scenario, difference))

    def _choices(self) -> Iterator[dict[str, str]]:
        choices = () if self.diagnosis is None else self.diagnosis.choices
        for one in choices[:60]:
            if not one.tried:
                verdict = "not tried"
            elif one.needed:
                verdict = "the claim holds: it is needed"
            else:
                verdict = "violated all the same"
            yield {"text": self._described(one.choice), "verdict": verdict}

    def _scenario(self, most: int) -> tuple[str, list[str]]:
        """Returns the scenario as text, with the given number of lines around the
        failure."""
        lines = [_short(line, _LONGEST_LINE) for line in self._lines()]
        if len(lines) <= most:
            return "\n".join(lines), []
        entries = self.history.entries[self.violation.entry :]
        number = entries[0].operation if entries else None
        places = {o.id: i for i, o in enumerate(self.history.scenario.operations)}
        first = places.get(number or -1, len(lines) // 2) - most // 2
        first = min(max(0, first), len(lines) - most)
        shown = [
            f"… {first:,} lines are left out",
            *lines[first : first + most],
            f"… {len(lines) - first - most:,} lines are left out",
        ]
        cut = (
            f"The scenario has {len(lines):,} lines; those around the failing step "
            "are shown."
        )
        return "\n".join(shown), [cut]

    def _lines(self) -> Iterator[str]:
        scenario = self.history.scenario
        for user in scenario.users:
            if user.id != user.label:
                yield f"To the engine {user.label} is {user.id!a}."
        for operation in scenario.operations:
            label = self.history.label(operation.user)
            victim = operation.victim
            whose = "" if victim is None else f", naming {self.history.label(victim)}'s"
            words = describe_operation(operation)
            yield f"{operation.id:>3}  {label:<6} {words}{whose}"


def _say(text: str, values: Collection[str] = ()) -> tuple[Part, ...]:
    return parts_of(text, None, values)


def _short(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"


def _cuts(timeline: Timeline) -> Iterator[str]:
    if timeline.left_out:
        yield (
            f"The run has {timeline.entries:,} entries; this page shows those around "
            f"the failing step, and leaves out {timeline.left_out:,}."
        )
    if timeline.lanes_left_out:
        yield (
            f"{timeline.lanes_left_out} further users have no lane: those of the "
            "violation concerns come first."
        )


def _drawing(timeline: Timeline) -> dict[str, Any]:
    """Returns the data for the script; the rows stand in the page itself."""
    names = ("lanes", "bars", "ticks", "arrows", "path")
    return {name: getattr(timeline, name) for name in names}
