"""`isolation-spec faults`: measures which planted faults the specification catches."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isolation_spec.cli.errors import UsageError
from isolation_spec.cli.exit_code import ExitCode
from isolation_spec.cli.files import write_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    from isolation_spec.measurement.mutation_score import Baseline, Scores, Trial

__all__ = ["command"]

_MEASURED = Path(".isolation-spec/faults.jsonl")
_PLAIN_EVERY = 60.0
"""Seconds between two lines in a log."""


class _Progress:
    """Shows progress as one changing line, or as a line a minute outside a terminal."""

    def __init__(self, console: Console, live: Live) -> None:
        self.console = console
        self.live = live
        self.printed = time.monotonic()

    def __call__(self, trial: Trial, done: int, of: int) -> None:
        how = "caught" if trial.caught else "missed"
        line = f"{done} of {of}: {trial.fault}, seed {trial.seed}, {how}"
        if self.console.is_terminal:
            self.live.update(line, refresh=True)
        elif time.monotonic() - self.printed >= _PLAIN_EVERY:
            self.printed = time.monotonic()
            self.console.print(line)


@click.command("faults")
@click.option(
    "--only", multiple=True, metavar="ID", help="Measure only this fault; repeatable."
)
@click.option("--seeds", default=3, type=click.IntRange(1, 1000), show_default=True)
@click.option(
    "--examples",
    default=200,
    type=click.IntRange(1, 100_000),
    show_default=True,
    help="Workloads of one search; it ends at 1,000 interleavings.",
)
@click.option(
    "--jobs",
    default=0,
    type=click.IntRange(0, 64),
    help="Processes; 0: one per core.",
)
@click.option(
    "--controls",
    is_flag=True,
    help="Compare with random schedules, with plain order without cancellation, and "
    "with one asyncio.gather test.",
)
@click.option("--fresh", is_flag=True, help="Discard earlier measurements.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the scores to this file.",
)
def command(
    only: tuple[str, ...],
    seeds: int,
    examples: int,
    jobs: int,
    controls: bool,
    fresh: bool,
    json_file: Path | None,
) -> int:
    """Measure the specification: search for every planted fault.

    Every search starts cold. Measurements are saved in .isolation-spec, so that an
    interrupted command continues. Exit codes: 0 every search catches its fault, 1 some
    search does not.
    """
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from isolation_spec.measurement.mutation_score import find_faults, measure

    console = Console(highlight=False)
    if fresh:
        _MEASURED.unlink(missing_ok=True)
    layers: tuple[Baseline, ...] = ("search",)
    if controls:
        layers = ("search", "random", "fifo", "gather")
    try:
        faults = find_faults(only)
    except KeyError as error:
        raise UsageError(str(error.args[0])) from None
    with Live(Text(""), console=console, auto_refresh=False, transient=True) as live:
        scores = measure(
            faults,
            seeds=seeds,
            examples=examples,
            jobs=jobs or os.cpu_count() or 1,
            layers=layers,
            kept=_MEASURED,
            progressed=_Progress(console, live),
        )
    console.print(_table(scores))
    for line in _lines(scores):
        console.print(line)
    if json_file is not None:
        write_file(json_file, scores.to_json(), "the scores")
    totals = scores.totals
    return ExitCode.HOLDS if totals.caught == totals.pairs else ExitCode.VIOLATED


def _table(scores: Scores) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("fault")
    table.add_column("caught", justify="right")
    table.add_column("median", justify="right")
    table.add_column("p95", justify="right")
    table.add_column("size", justify="right")
    table.add_column("least", justify="right")
    table.add_column("shrunk in", justify="right")
    table.add_column("claims")
    for score in scores.faults:
        complete = score.caught == score.seeds
        table.add_row(
            score.id,
            f"{score.caught}/{score.seeds}",
            f"{score.interleavings_median:g}",
            f"{score.interleavings_p95:g}",
            "" if score.operations < 0 else f"{score.operations}+{score.decisions}",
            "" if score.least < 0 else f"{score.least}",
            "" if score.operations < 0 else f"{score.shrink_seconds:.1f} s",
            ", ".join(score.claims),
            style="" if complete else "red",
        )
    return table


def _lines(scores: Scores) -> Iterator[str]:
    totals = scores.totals
    yield ""
    yield (
        f"{totals.faults} faults of {totals.mechanisms} mechanisms: {totals.caught} of "
        f"{totals.pairs} searches caught their fault, {totals.caught_at_100} within "
        "100 interleavings"
    )
    yield (
        f"to the first catch: median {totals.interleavings_median:g} interleavings and "
        f"{totals.seconds_median:.2f} s, 95th percentile "
        f"{totals.interleavings_p95:g} and {totals.seconds_p95:.2f} s"
    )
    if totals.shrunk:
        yield (
            f"shrunk: {totals.shrunk_exactly} of {totals.shrunk} to the known minimum "
            f"of operations and decisions; {totals.ratio_mean:.2f} times that on "
            f"average, {totals.ratio_worst:.2f} at worst; median "
            f"{totals.shrink_seconds_median:.2f} s, at most "
            f"{totals.shrink_seconds_worst:.2f} s"
        )
    for claim, alone in totals.alone.items():
        yield f"caught by {claim} alone: {', '.join(alone) or 'none'}"
    for layer, caught in totals.controls.items():
        yield f"caught under {layer}: {caught} of {totals.faults} faults"
