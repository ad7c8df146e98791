"""`isolation-spec report`: a page for a failure file, or for a whole run."""

from __future__ import annotations

from pathlib import Path

import click

from isolation_spec.cli.errors import UsageError
from isolation_spec.cli.exit_code import ExitCode
from isolation_spec.cli.files import write_file
from isolation_spec.contract.errors import AdapterError

__all__ = ["command"]


@click.command("report")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--run",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write the page of a whole run, from the folder that it wrote.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Default: FILE with the ending .html, or report.html in DIR.",
)
@click.option("--engine", help="Replay against this engine instead of the file's.")
@click.option(
    "--values", is_flag=True, help="Show the engine's outputs even without a canary."
)
@click.option(
    "--run-timeout",
    type=click.FloatRange(min=0.1),
    help="CPU seconds after which one run counts as hung, by default as in `verify`.",
)
def command(
    file: Path | None,
    folder: Path | None,
    output: Path | None,
    engine: str | None,
    values: bool,
    run_timeout: float | None,
) -> int:
    """Write one self-contained page: the timeline of the failure in FILE, or with
    --run the page of a whole run.

    FILE is replayed by the rules of `isolation-spec replay`. Exit codes: 0 the page was
    written, 2 it was not.
    """
    if (file is None) == (folder is None):
        message = "report one thing: write either FILE or --run DIR"
        raise UsageError(message)
    if folder is not None:
        if engine is not None or values or run_timeout is not None:
            message = (
                "--engine, --values and --run-timeout go with FILE: --run replays "
                "nothing"
            )
            raise UsageError(message)
        page, output = _run_page(folder), output or folder / "report.html"
    else:
        assert file is not None
        page = _failure_page(file, engine, values, run_timeout)
        output = output or _page_beside(file)
    write_file(output, page, "the page")
    click.echo(f"Wrote {output}")
    return ExitCode.HOLDS


def _page_beside(file: Path) -> Path:
    """Returns the path of the page beside FILE, which is never FILE itself."""
    return file.with_name(f"{file.name.removesuffix('.json')}.html")


def _failure_page(
    file: Path, engine: str | None, values: bool, run_timeout: float | None
) -> str:
    from isolation_spec.execution.isolation.time_limit import RUN_TIMEOUT, time_limit
    from isolation_spec.failure import BadFailureFile, engine_of, load, replay
    from isolation_spec.failure.diagnosed_replay import diagnose_replay
    from isolation_spec.report.failure_page import failure_page

    try:
        failure = load(file)
    except BadFailureFile as error:
        raise UsageError(str(error)) from None
    try:
        allowed = run_timeout or RUN_TIMEOUT
        with time_limit(allowed, "the engine"):
            found = engine_of(failure, engine)
        with time_limit(allowed, "the replay", at_once=False):
            replayed = replay(failure, found)
            diagnosed = diagnose_replay(replayed, found.make_adapter)
    except AdapterError as error:
        message = f"UNSUPPORTED: {error}"
        raise UsageError(message) from None
    return failure_page(
        failure,
        diagnosed.history,
        diagnosed.diagnosis,
        engine=found.name,
        outcome=str(replayed.outcome),
        note=replayed.note,
        file=str(file),
        values=values,
    )


def _run_page(folder: Path) -> str:
    from isolation_spec.report.run_folder import BadRunFolder, load_run
    from isolation_spec.report.run_page import run_page

    try:
        return run_page(load_run(folder))
    except BadRunFolder as error:
        raise UsageError(str(error)) from None
