"""The terminal's face: quiet when green, the story first when red."""

from __future__ import annotations

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from isolation_spec.claims import Verdict
from isolation_spec.explain import explain
from isolation_spec.report.events import (
    Event,
    FailureFound,
    FailureSaved,
    NotSaved,
    Progressed,
    SearchEnded,
    SearchStarted,
    Shrunk,
)
from isolation_spec.report.result import Result

__all__ = ["COLOURS", "Terminal"]

COLOURS = {
    Verdict.HOLDS: "green",
    Verdict.VIOLATED: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NOT_APPLICABLE: "dim",
}
"""The same colour for a verdict everywhere."""


class Terminal:
    """Listens to a search and shows it: one live line, then stories and a table."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live: Live | None = None
        self._line = ""

    def __call__(self, event: Event) -> None:
        """Shows one event."""
        match event:
            case SearchStarted():
                self._start(event)
            case Progressed():
                self._show(
                    f"{event.examples}/{event.of_examples} examples, "
                    f"{event.interleavings} interleavings"
                )
            case FailureFound():
                self._show(f"{event.violation.claim} violated, shrinking")
            case Shrunk():
                before, after = event.before[0], event.after[0]
                self._show(f"shrunk from {before} to {after} operations, replaying")
            case FailureSaved():
                self.stop()
                self._story(event)
            case NotSaved():
                self.stop()
                self._write("")
                self._write(f"Not saved in {event.path}: {event.problem}. All of it:")
                self.console.file.write(f"{event.data}\n")
            case SearchEnded():
                self.stop()
                self._end(event.result)

    def stop(self) -> None:
        """Ends the live line, if there is one."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _start(self, event: SearchStarted) -> None:
        self.console.print(
            f"isolation-spec verify {escape(event.engine)}  "
            f"profile {event.profile}, seed {event.seed}, "
            f"{event.processes} process{'es' * (event.processes != 1)}"
            + ", live"
            * (event.world == "live"),
            highlight=False,
        )
        if self.console.is_terminal:
            # No thread of rich's own: the workers are forked from this process.
            self._live = Live(
                Text(""), console=self.console, auto_refresh=False, transient=True
            )
            self._live.start()

    def _show(self, line: str) -> None:
        if self._live is not None and line != self._line:
            self._line = line
            self._live.update(Text(line), refresh=True)

    def _story(self, event: FailureSaved) -> None:
        write = self._write
        write("")
        for line in explain(event.scenario, event.violation):
            write(line)
        write("")
        if not event.path:
            return
        if event.world == "live":
            write("Found live: not replayable, and not shrunk.")
            write(f"Saved in {event.path}")
            return
        if not event.confirmed:
            write("Not deterministic: a replay in a fresh world differed.")
        write(f"Saved in {event.path}")
        write(f"Replay with: isolation-spec replay {event.path}")

    def _write(self, line: str) -> None:
        # A path or a command that is broken in two cannot be copied.
        whole = line.startswith(("Saved in ", "Replay with: ", "Not saved in "))
        self.console.print(line, highlight=False, markup=False, soft_wrap=whole)

    def _end(self, result: Result) -> None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("claim")
        table.add_column("verdict")
        table.add_column("evidence", justify="right")
        for claim in result.claims:
            colour = COLOURS[claim.verdict]
            table.add_row(
                claim.id, Text(claim.verdict, style=colour), f"{claim.evidence:,}"
            )
        self._write("")
        self.console.print(table)
        self._write("")
        self._write(_reached(result))
        if result.places:
            self._write(
                f"cancelled at {result.places_cancelled} of {result.places} places in "
                "the engine where operations waited"
            )
        for reason in result.reasons:
            self._write(f"inconclusive: {reason}")
        for path in result.stuck:
            self._write(f"Saved in {path}")
        for path in result.stuck[:1]:
            engine = f" --engine {result.engine}" if ":" in result.engine else ""
            self._write(f"Replay with: isolation-spec replay {path}{engine}")
        verdict = Text(result.verdict, style=COLOURS[result.verdict])
        text = (
            f": {result.interleavings:,} interleavings of {result.examples:,} examples "
            f"in {result.seconds:.1f} s, {result.peak_memory_mb:.0f} MB"
        )
        self.console.print(verdict + text, highlight=False)


def _reached(result: Result) -> str:
    counts = result.reached
    parts = [
        f"{getattr(counts, name):,} {name.replace('_', ' ')}"
        for name in counts.__struct_fields__
    ]
    return f"reached {', '.join(parts)}"
