"""`isolation-spec bench`: measures the speed of a search on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isolation_spec.cli.exit_code import ExitCode
from isolation_spec.cli.files import write_file

if TYPE_CHECKING:
    from rich.table import Table

    from isolation_spec.measurement.benchmark import Benchmark
    from isolation_spec.measurement.replay_fidelity import Replays

__all__ = ["command"]


@click.command("bench")
@click.option("--quick", is_flag=True, help="Run 500 interleavings instead of 10,000.")
@click.option(
    "--replays",
    "replays_alone",
    is_flag=True,
    help="Only replay 200 failures, each in 50 fresh processes.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the figures to this file.",
)
def command(quick: bool, replays_alone: bool, json_file: Path | None) -> int:
    """Measure the speed of a search, and where an interleaving spends its time.

    One process verifies the reference engine with three users. Variants that are
    compared take turns; the rest of the machine should be idle.
    """
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from isolation_spec.measurement import benchmark
    from isolation_spec.measurement.replay_fidelity import measure_replays

    console = Console(highlight=False)
    amount = benchmark.QUICK if quick else benchmark.FULL
    with Live(Text(""), console=console, auto_refresh=False, transient=True) as live:

        def progressed(line: str) -> None:
            if console.is_terminal:
                live.update(Text(line), refresh=True)

        if replays_alone:
            replays = measure_replays(
                *(
                    benchmark.REPLAYS
                    if not quick
                    else (amount.failures, amount.replays)
                ),
                progressed=progressed,
            )
            rows, data = [_replay_row(replays)], replays.to_json()
        else:
            figures = benchmark.bench(amount, progressed=progressed)
            replays, data = figures.replays, figures.to_json()
            rows = _rows(figures)
    console.print(_table(rows))
    for name in replays.unlike:
        console.print(f"not identical: {name}", highlight=False, markup=False)
    if json_file is not None:
        write_file(json_file, data, "the figures")
    return ExitCode.HOLDS


def _table(rows: list[tuple[str, str, str]]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("how", style="dim")
    for name, value, how in rows:
        table.add_row(name, value, how)
    return table


def _rows(figures: Benchmark) -> list[tuple[str, str, str]]:
    def milliseconds(seconds: float) -> str:
        return f"{seconds * 1e3:.2f} ms"

    distinct = f"{figures.interleavings:,} different of {figures.runs:,} runs"
    rounds = f"median of {figures.rounds}"
    return [
        ("interleavings", f"{figures.interleavings_per_second:.1f} /s", distinct),
        ("runs", f"{figures.runs_per_second:.1f} /s", "equal orders included"),
        ("simulated run", milliseconds(figures.simulated_seconds), rounds),
        ("live run", milliseconds(figures.live_seconds), rounds),
        ("simulated / live", f"{figures.simulated_over_live:.3f}", ""),
        ("claims / none", f"{figures.claims_over_none:.3f}", f"{figures.claims}"),
        ("machine / bare", f"{figures.machine_over_bare:.2f}", "drawing, no runs"),
        *((f"  {p.name}", milliseconds(p.seconds), p.how) for p in figures.parts),
        ("memory", f"{figures.memory_mb:.1f} MB", "PSS of the process tree"),
        ("memory growth", f"{figures.memory_growth_mb:+.2f} MB", "over all runs"),
        (
            "distinct schedules",
            f"{figures.distinct_schedules:,}",
            f"orders of arrivals of the first {figures.schedules:,}",
        ),
        _replay_row(figures.replays),
    ]


def _replay_row(replays: Replays) -> tuple[str, str, str]:
    how = (
        f"of {replays.replays:,} replays: {replays.failures} failures of "
        f"{replays.faults} faults, each in {replays.processes} processes; "
        f"{replays.reproduced:,} reproduced"
    )
    return "identical digests", f"{replays.identical:,}", how
