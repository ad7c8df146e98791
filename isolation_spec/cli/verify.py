"""`isolation-spec verify`: searches an engine for a violation of any claim."""

from __future__ import annotations

import time
from pathlib import Path

import click

from isolation_spec.claims import Verdict
from isolation_spec.cli.duration import Duration
from isolation_spec.cli.engine import import_engine
from isolation_spec.cli.errors import UsageError
from isolation_spec.cli.exit_code import ExitCode
from isolation_spec.cli.outputs import Outputs
from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.isolation.time_limit import RUN_TIMEOUT
from isolation_spec.report.files import EventDispatcher
from isolation_spec.search.events import SearchFailed
from isolation_spec.search.result import Result

__all__ = ["command"]

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command("verify")
@click.argument("engine", default="reference")
@click.option(
    "--profile",
    default="quick",
    help="quick, ci, deep or fuzz; `isolation-spec profiles` describes them.",
)
@click.option(
    "--seed",
    type=int,
    help="Seed of the search; the same seed repeats it. Default: 0, or a fresh seed "
    "for fuzz.",
)
@click.option(
    "--max-time",
    type=Duration(),
    help="Begin no run after this time, not of the shrinking either: 90, 90s, 5m or "
    "1h. Default: the profile's.",
)
@click.option("--processes", type=click.IntRange(1, 64), help="Default: one per core.")
@click.option("--quiet", is_flag=True, help="Print only violations and the verdict.")
@click.option(
    "--pct",
    type=click.IntRange(1, 10),
    metavar="DEPTH",
    help="Also run a share of the schedules as pure PCT of this depth, and print its "
    "bound.",
)
@click.option(
    "--output",
    type=_FOLDER,
    metavar="DIR",
    help="Write result.json, events.jsonl, junit.xml, results.sarif and the failures "
    "into this folder.",
)
@click.option(
    "--json", "json_file", type=_FILE, metavar="FILE", help="Write the result."
)
@click.option(
    "--jsonl",
    "jsonl_file",
    type=_FILE,
    metavar="FILE",
    help="Write each event as it happens, one JSON object per line.",
)
@click.option(
    "--junit",
    "junit_file",
    type=_FILE,
    metavar="FILE",
    help="Write JUnit XML, one test case per claim.",
)
@click.option(
    "--sarif",
    "sarif_file",
    type=_FILE,
    metavar="FILE",
    help="Write SARIF 2.1.0, one result per violation.",
)
@click.option(
    "--failures",
    type=_FOLDER,
    metavar="DIR",
    help="Folder for failure files. Default: failures in the folder of --output, else "
    ".isolation-spec/failures.",
)
@click.option(
    "--workload",
    type=_FILE,
    metavar="FILE",
    help="Search only this workload, which an earlier fuzz run saved.",
)
@click.option(
    "--live", is_flag=True, help="Real sockets, threads and database; no replay."
)
@click.option(
    "--database",
    metavar="URL",
    help="With --live: use this database; with SQLite, each run gets a fresh file.",
)
@click.option(
    "--run-timeout",
    type=click.FloatRange(min=0.1),
    default=RUN_TIMEOUT,
    show_default=True,
    help="CPU seconds after which one run counts as hung.",
)
def command(
    engine: str,
    profile: str,
    seed: int | None,
    max_time: float | None,
    processes: int | None,
    pct: int | None,
    quiet: bool,
    output: Path | None,
    json_file: Path | None,
    jsonl_file: Path | None,
    junit_file: Path | None,
    sarif_file: Path | None,
    failures: Path | None,
    workload: Path | None,
    live: bool,
    database: str | None,
    run_timeout: float,
) -> int:
    """Verify ENGINE: `reference`, `reference+FAULT`, a registered engine's name, or
    `module:factory` of your own adapter.

    Exit codes: 0 holds, 1 violated, 2 usage or adapter error, 3 inconclusive, 130
    interrupted.
    """
    # Before the imports, which take a good part of a second.
    started = time.monotonic()
    from rich.console import Console

    from isolation_spec.report.terminal import Terminal
    from isolation_spec.search.in_flight import BadWorkload
    from isolation_spec.search.verification import verify
    from isolation_spec.world.live.world import Live

    if database is not None and not live:
        message = "--database needs --live: the simulated world has its own database"
        raise UsageError(message)
    if pct is not None and live:
        message = "--pct needs the simulated world: live, nothing orders the arrivals"
        raise UsageError(message)
    worlds = (Live(database) if database is not None else Live()) if live else None

    outputs = Outputs(output, json_file, jsonl_file, junit_file, sarif_file, failures)
    outputs.prepare()
    terminal = Terminal(Console(highlight=False), quiet=quiet)
    listeners = EventDispatcher([terminal, *outputs.listeners()])
    try:
        result = verify(
            import_engine(engine, run_timeout),
            profile=profile,
            seed=seed,
            processes=processes,
            folder=outputs.failures,
            fuzz=outputs.fuzz,
            listen=listeners,
            started=started,
            live=worlds,
            pct=pct,
            max_time=max_time,
            workload=workload,
            run_timeout=run_timeout,
        )
    except (AdapterError, BadWorkload, KeyError, OSError) as error:
        reason = _reason(error)
        listeners(SearchFailed(reason=reason))
        raise UsageError(reason) from None
    finally:
        terminal.stop()
    for problem in listeners.problems:
        click.echo(f"Error: {problem}", err=True)
    code = _exit_code(result)
    return ExitCode.USAGE if listeners.problems and not code else code


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        why = error.strerror or error
        if error.filename is None:
            return f"the system refuses a resource that the search needs: {why}"
        return f"{error.filename} cannot be used: {why}"
    return str(error.args[0])


def _exit_code(result: Result) -> int:
    if result.verdict is Verdict.VIOLATED:
        return ExitCode.VIOLATED
    if result.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.HOLDS if result.verdict is Verdict.HOLDS else ExitCode.INCONCLUSIVE
