"""`isolation-spec bench`: how fast a search is on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isolation_spec.cli import ExitCode, Refused

if TYPE_CHECKING:
    from rich.table import Table

    from isolation_spec.bench import Benchmark

__all__ = ["command"]


@click.command("bench")
@click.option("--quick", is_flag=True, help="500 interleavings instead of 10,000.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the figures to this file.",
)
def command(quick: bool, json_file: Path | None) -> int:
    """Measure the speed of a search, and what one interleaving spends its time on.

    One process, one core, the reference engine, three users. What is compared takes
    turns; the rest of the machine should be idle.
    """
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from isolation_spec import bench

    console = Console(highlight=False)
    amount = bench.QUICK if quick else bench.FULL
    with Live(Text(""), console=console, auto_refresh=False, transient=True) as live:

        def progressed(line: str) -> None:
            if console.is_terminal:
                live.update(Text(line), refresh=True)

        figures = bench.bench(amount, progressed=progressed)
    console.print(_table(figures))
    if json_file is not None:
        _write(json_file, figures)
    return ExitCode.HOLDS


def _table(figures: Benchmark) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("how", style="dim")
    for name, value, how in _rows(figures):
        table.add_row(name, value, how)
    return table


def _rows(figures: Benchmark) -> list[tuple[str, str, str]]:
    def milliseconds(seconds: float) -> str:
        return f"{seconds * 1e3:.2f} ms"

    distinct = f"{figures.interleavings:,} different of {figures.runs:,} runs"
    rounds = f"median of {figures.rounds}"
    return [
        ("interleavings", f"{figures.interleavings_per_second:.1f} /s", distinct),
        ("runs", f"{figures.runs_per_second:.1f} /s", "equal orders counted, too"),
        ("simulated run", milliseconds(figures.simulated_seconds), rounds),
        ("live run", milliseconds(figures.live_seconds), rounds),
        ("simulated / live", f"{figures.simulated_over_live:.3f}", ""),
        ("claims / none", f"{figures.claims_over_none:.3f}", f"{figures.claims}"),
        ("machine / bare", f"{figures.machine_over_bare:.2f}", "drawing, no runs"),
        *((f"  {p.name}", milliseconds(p.seconds), p.how) for p in figures.parts),
        ("memory", f"{figures.memory_mb:.1f} MB", "PSS of the process tree"),
        ("memory growth", f"{figures.memory_growth_mb:+.2f} MB", "over all runs"),
    ]


def _write(path: Path, figures: Benchmark) -> None:
    try:
        path.write_bytes(figures.to_json())
    except OSError as error:
        message = f"the figures cannot be written to {path}: {error.strerror}"
        raise Refused(message) from None
