"""`isolation-spec schema`: the JSON schema of failure files."""

from __future__ import annotations

import click

from isolation_spec.cli.exit_code import ExitCode

__all__ = ["command"]


@click.command("schema")
def command() -> int:
    """Print the JSON schema of a failure file, which documents each field."""
    from isolation_spec.failure import read_schema

    click.echo(read_schema(), nl=False)
    return ExitCode.HOLDS
