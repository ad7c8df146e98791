"""`isolation-spec export`: writes a failure as a pytest test that needs no file."""

from __future__ import annotations

from pathlib import Path

import click

from isolation_spec.cli.errors import UsageError
from isolation_spec.cli.exit_code import ExitCode
from isolation_spec.cli.files import write_file
from isolation_spec.contract.errors import AdapterError

__all__ = ["command"]


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the test to this file; default: standard output.",
)
@click.option("--engine", help="Test this engine instead of the file's.")
def command(file: Path, output: Path | None, engine: str | None) -> int:
    """Write the failure in FILE as a pytest test that asserts its claim.

    The test holds the whole scenario in constructor calls and needs no FILE. It fails
    until the engine is fixed.
    """
    from isolation_spec.failure import BadFailureFile, engine_of, export_test, load

    try:
        failure = load(file)
        source = export_test(failure, engine_of(failure, engine).name)
    except (BadFailureFile, AdapterError) as error:
        raise UsageError(str(error)) from None
    if output is None:
        click.echo(source, nl=False)
        return ExitCode.HOLDS
    write_file(output, source, "the test")
    click.echo(f"{output} asserts that {failure.claim} holds; run it with pytest")
    return ExitCode.HOLDS
