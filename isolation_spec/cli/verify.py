"""`isolation-spec verify`: searches an engine for a violation of any claim."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from isolation_spec.adapter import AdapterError
from isolation_spec.claims import Verdict
from isolation_spec.cli import ExitCode, Refused, quietly_found
from isolation_spec.report import Result
from isolation_spec.watchdog import RUN_TIMEOUT

__all__ = ["command"]


@click.command("verify")
@click.argument("engine", default="reference")
@click.option("--profile", default="quick", help="quick, ci or deep.")
@click.option(
    "--seed", default=0, help="Start of the search; the same seed repeats it."
)
@click.option(
    "--processes", type=click.IntRange(1, 64), help="Default: one for a core."
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the result to this file.",
)
@click.option(
    "--failures",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".isolation-spec/failures"),
    show_default=True,
    help="Folder for failure files.",
)
@click.option(
    "--live", is_flag=True, help="Real sockets, threads and database; no replay."
)
@click.option(
    "--database",
    metavar="URL",
    help="With --live: use this database; of SQLite, a fresh file for each run.",
)
@click.option(
    "--run-timeout",
    type=click.FloatRange(min=0.1),
    default=RUN_TIMEOUT,
    show_default=True,
    help="Seconds after which one run counts as hung.",
)
def command(
    engine: str,
    profile: str,
    seed: int,
    processes: int | None,
    json_file: Path | None,
    failures: Path,
    live: bool,
    database: str | None,
    run_timeout: float,
) -> int:
    """Verify ENGINE: `reference`, `reference+FAULT`, a registered engine's name, or
    `module:factory` of your own adapter.

    Exit codes: 0 holds, 1 violated, 2 usage or adapter error, 3 inconclusive, 130
    interrupted.
    """
    from rich.console import Console

    from isolation_spec.report.terminal import Terminal
    from isolation_spec.verify import verify
    from isolation_spec.world.live import Live

    if database is not None and not live:
        message = "--database needs --live: the simulated world has its own database"
        raise Refused(message)
    worlds = (Live(database) if database is not None else Live()) if live else None

    _check_writable(failures, json_file)
    started = time.monotonic() - _age()
    terminal = Terminal(Console(highlight=False))
    try:
        result = verify(
            quietly_found(engine, run_timeout),
            profile=profile,
            seed=seed,
            processes=processes,
            folder=failures,
            listen=terminal,
            started=started,
            live=worlds,
            run_timeout=run_timeout,
        )
    except (AdapterError, KeyError) as error:
        terminal.stop()
        raise Refused(str(error.args[0])) from None
    except OSError as error:
        terminal.stop()
        message = f"the system refuses what a search needs: {error}"
        raise Refused(message) from None
    finally:
        terminal.stop()
    if json_file is not None:
        _write(json_file, result)
    return _exit_code(result)


def _age() -> float:
    """Seconds since this process was started, as its user counts them; else 0."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        born = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - born)
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0


def _check_writable(failures: Path, json_file: Path | None) -> None:
    """Says before the search what could not be kept after it."""
    if json_file is not None:
        try:
            json_file.open("ab").close()
        except OSError as error:
            message = f"the result cannot be written to {json_file}: {error.strerror}"
            raise Refused(message) from None
    try:
        failures.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"failures cannot be saved in {failures}: {error.strerror}"
        raise Refused(message) from None
    if not os.access(failures, os.W_OK | os.X_OK):
        message = f"failures cannot be saved in {failures}: it is not writable"
        raise Refused(message)


def _write(path: Path, result: Result) -> None:
    """Writes the result, or prints it whole if it cannot be written any more."""
    try:
        path.write_bytes(result.to_json())
    except OSError as error:
        message = f"the result cannot be written to {path}: {error.strerror}"
        click.echo(f"{message}. All of it:", err=True)
        click.echo(result.to_json())


def _exit_code(result: Result) -> int:
    if result.verdict is Verdict.VIOLATED:
        return ExitCode.VIOLATED
    if result.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.HOLDS if result.verdict is Verdict.HOLDS else ExitCode.INCONCLUSIVE
