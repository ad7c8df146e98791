"""The error that a command reports in one sentence."""

from __future__ import annotations

import click

from isolation_spec.cli.exit_code import ExitCode

__all__ = ["UsageError"]


class UsageError(click.ClickException):
    """A command cannot do its work; one sentence says why. Exits with 2."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
