"""Shows a search on a terminal: quiet when green, the explanation first when red."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from isolation_spec.claims import Verdict
from isolation_spec.failure.replay_command import replay_command
from isolation_spec.model.scenario import Scenario
from isolation_spec.report.failure_text import (
    REPLAY,
    SAVED,
    Role,
    failure_text,
)
from isolation_spec.search.events import (
    Event,
    FailureFound,
    FailureSaved,
    NotSaved,
    Progressed,
    SearchEnded,
    SearchFailed,
    SearchStarted,
    Shrinking,
    Shrunk,
    WorkerCrashed,
)
from isolation_spec.search.result import ClaimResult, Result, not_reached

__all__ = ["COLOURS", "Terminal"]

COLOURS = {
    Verdict.HOLDS: "green",
    Verdict.VIOLATED: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NOT_APPLICABLE: "dim",
}
"""The same colour for a verdict everywhere."""
_STYLES = {
    Role.CLAIM: COLOURS[Verdict.VIOLATED],
    Role.OBSERVATION: "bold",
    Role.COMMAND: "bold",
}
_WHOLE = (Role.PATH, Role.COMMAND)
"""A path or a command that is broken in two cannot be copied."""
_PLAIN_EVERY = 60.0
"""Seconds between two lines without a live line: CI services take a log that stays
silent for minutes for a job that hangs."""


class Terminal:
    """Listens to a search and shows it: one live line, then explanations and a table.

    Args:
        console: decides about width and colours.
        live: whether a line shows progress; by default on a terminal that can erase it.
        quiet: print only violations and the verdict.
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        console: Console,
        *,
        live: bool | None = None,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.console = console
        self.quiet = quiet
        self._wants_live = _can_be_live(console) if live is None else live
        self._live: Live | None = None
        self._clock = clock
        self._started = self._printed = clock()
        self._max_time = 0.0
        self._above: Scenario | None = None

    def __call__(self, event: Event) -> None:
        """Shows one event."""
        match event:
            case SearchStarted():
                self._start(event)
            case WorkerCrashed():
                self._report_crash(event)
            case Progressed():
                self._progress(event)
            case FailureFound():
                self._show(f"{event.violation.claim} violated, shrinking")
            case Shrinking(size=(operations, decisions)):
                self._show(
                    f"{event.claim}: {operations} operations, {decisions} decisions "
                    f"left after {event.runs} runs"
                )
            case Shrunk():
                before, after = event.before[0], event.after[0]
                self._show(f"shrunk from {before} to {after} operations, replaying")
            case FailureSaved():
                self.stop()
                self._explain(event)
            case NotSaved():
                self.stop()
                self._write("")
                problem = f"Not saved in {event.path}: {event.problem}. All of it:"
                self._write(problem, whole=True)
                self.console.file.write(f"{event.data}\n")
            case SearchEnded():
                self.stop()
                self._end(event.result)
            case SearchFailed():
                self.stop()

    def stop(self) -> None:
        """Ends the live line."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    # While it runs

    def _start(self, event: SearchStarted) -> None:
        self._started = self._printed = self._clock()
        self._max_time = event.max_time
        if self.quiet:
            return
        command = f"isolation-spec verify {event.engine}"
        rest = _spent(event)
        if len(command) + 2 + len(rest) > self.console.width:
            self._write(command)
            self._write(rest)
        else:
            self._write(f"{command}  {rest}")
        if event.packages:
            self._write(f"engine: {', '.join(event.packages)}")
        if self._wants_live:
            # No thread of rich's own: the workers are forked from this process.
            self._live = Live(
                Text(""), console=self.console, auto_refresh=False, transient=True
            )
            self._live.start()

    def _progress(self, event: Progressed) -> None:
        seconds = self._clock() - self._started
        of_examples = f"/{event.of_examples:,}" * (event.of_examples > 0)
        of_seconds = f"/{self._max_time:.0f}" * (self._max_time > 0)
        line = (
            f"{event.examples:,}{of_examples} examples, "
            f"{event.interleavings:,} interleavings, {seconds:.0f}{of_seconds} s"
        )
        self._show(line)
        silent = self._live is None and not self.quiet
        if silent and self._clock() - self._printed >= _PLAIN_EVERY:
            self._printed = self._clock()
            self._write(line)

    def _show(self, line: str) -> None:
        if self._live is not None:
            text = Text(line, no_wrap=True, overflow="ellipsis")
            self._live.update(text, refresh=True)

    # Findings

    def _report_crash(self, event: WorkerCrashed) -> None:
        run = f"isolation-spec verify {event.engine} --workload {event.path}"
        self._write("A worker ended within a run; its workload is saved.", "yellow")
        self._write(f"{SAVED}{event.path}", whole=True)
        self._write(f"Run it again with: {run}", whole=True)

    def _explain(self, event: FailureSaved) -> None:
        if not self.quiet:
            self._write("")
        brief = event.scenario == self._above
        self._above = event.scenario
        for text, role in failure_text(event, brief=brief):
            self._write(text, _STYLES.get(role, ""), whole=role in _WHOLE)

    def _write(self, line: str, style: str = "", *, whole: bool = False) -> None:
        self._write_text(Text(line, style=style), whole=whole)

    def _write_text(self, text: Text, *, whole: bool = False) -> None:
        width = self.console.width
        for line in [text] if whole else text.wrap(self.console, width):
            line.rstrip()
            self.console.print(line, highlight=False, soft_wrap=True)

    # At the end

    def _end(self, result: Result) -> None:
        if not self.quiet:
            self._counts(result)
        for remark in () if self.quiet else result.remarks:
            self._write(f"remark: {remark}")
        for reason in result.reasons:
            self._write(f"inconclusive: {reason}")
        for path in result.stuck:
            self._write(f"{SAVED}{path}", whole=True)
        for path in result.stuck[:1]:
            command = replay_command(path, result.engine)
            self._write(f"{REPLAY}{command}", whole=True)
        if result.verdict is Verdict.INCONCLUSIVE and not self.quiet:
            self._write(f"Repeat with: {_command(result)}", whole=True)
        verdict = Text(result.verdict, style=COLOURS[result.verdict])
        text = (
            f": {result.interleavings:,} interleavings of {result.examples:,} examples "
            f"in {result.seconds:.1f} s, {result.peak_memory_mb:.0f} MB"
        )
        if result.time_up:
            text += f"; time was up after {result.max_time:g} s"
        self._write_text(verdict + text)

    def _counts(self, result: Result) -> None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("claim")
        table.add_column("verdict")
        table.add_column("evidence", justify="right")
        for claim in result.claims:
            dim = "dim" if not_reached(result, claim) else ""
            evidence = Text(f"{claim.evidence:,}", style=dim)
            table.add_row(Text(claim.id, style=dim), _verdict(result, claim), evidence)
        self._write("")
        self.console.print(table)
        self._write("")
        self._write(_reached(result))
        if result.places:
            self._write(
                f"cancelled at {result.places_cancelled} of {result.places} places in "
                "the engine where operations waited"
            )
        if result.exhausted:
            scopes = f"small scope{'s' * (result.exhausted != 1)}"
            self._write(
                f"every order of arrivals of {result.exhausted:,} {scopes} was run"
            )
        if result.pct is not None:
            self._write(str(result.pct))


def _can_be_live(console: Console) -> bool:
    # Not `console.is_terminal`: FORCE_COLOR makes that true of a log, too.
    return console.file.isatty() and not console.is_dumb_terminal


def _spent(event: SearchStarted) -> str:
    """Returns the spending of a search, for the header."""
    parts = [
        f"profile {event.profile}",
        f"seed {event.seed}",
        f"{event.processes} process{'es' * (event.processes != 1)}",
    ]
    if event.max_time:
        parts.append(f"at most {event.max_time:g} s")
    if event.world == "live":
        parts.append("live")
    return ", ".join(parts)


def _command(result: Result) -> str:
    live = " --live" * (result.world == "live")
    time_box = f" --max-time {result.max_time:g}" * result.time_up
    return (
        f"isolation-spec verify {result.engine} --profile {result.profile} "
        f"--seed {result.seed}{time_box}{live}"
    )


def _verdict(result: Result, claim: ClaimResult) -> Text:
    if not_reached(result, claim):
        return Text("not reached", style="dim")
    return Text(claim.verdict, style=COLOURS[claim.verdict])


def _reached(result: Result) -> str:
    counts = result.reached
    parts = [
        f"{getattr(counts, name):,} {name.replace('_', ' ')}"
        for name in counts.__struct_fields__
    ]
    return f"reached {', '.join(parts)}"
