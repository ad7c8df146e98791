"""The group of all commands, and the entry point of the process."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

import click

from isolation_spec.cli.errors import UsageError
from isolation_spec.cli.exit_code import ExitCode

__all__ = ["main"]

_COMMANDS = (
    *("bench", "check-adapter", "claims", "export", "faults", "init", "profiles"),
    *("replay", "report", "schema", "verify"),
)


@contextlib.contextmanager
def _refuse_closed_output() -> Iterator[None]:
    """Turns a broken pipe into an error; click and rich would exit with 1.

    Raises:
        UsageError: the reader closed the output.
    """
    try:
        yield
    except (BrokenPipeError, SystemExit) as error:
        if BrokenPipeError not in (type(error), type(error.__context__)):
            raise
        from isolation_spec.execution.isolation.beacon import silence

        silence()
        message = "the output was closed before its end"
        raise UsageError(message) from None


class _Commands(click.Group):
    """Imports the module of a command when the command is used."""

    def make_context(self, *arguments: Any, **named: Any) -> click.Context:
        with _refuse_closed_output():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: click.Context) -> Any:
        with _refuse_closed_output():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(
            f"isolation_spec.cli.{cmd_name.replace('-', '_')}"
        )
        command: click.Command = module.command
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="isolation-spec")
def _group() -> None:
    """Verify that no user of a multi-user agent engine can see, change, block or
    outlive another user's work."""


def main() -> None:
    """Runs the command and exits: with 130 if interrupted, with 2 for an own fault.

    The environment variable `ISOLATION_SPEC_TRACEBACK` adds the traceback of an
    internal error.
    """
    _prepare_process()
    try:
        code = _group.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = ExitCode.INTERRUPTED
    except Exception as error:
        if os.environ.get("ISOLATION_SPEC_TRACEBACK"):
            traceback.print_exc()
        click.echo(f"Error: {_describe(error)}", err=True)
        code = ExitCode.USAGE
    sys.exit(code)


def _prepare_process() -> None:
    for stream in (sys.stdout, sys.stderr):
        # A user id that the terminal cannot encode must not end a search.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # Libraries log the cancellations and the lost connections that a search causes.
    logging.getLogger().addHandler(logging.NullHandler())
    # The ledger reports connections that an engine left behind.
    warnings.filterwarnings("ignore", "The garbage collector is trying")
    # As with `python -m`, an engine may be a module in the working directory.
    sys.path.insert(0, "")


def _describe(error: Exception) -> str:
    """Returns one sentence for an exception that no command expects."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    module = frame.f_globals.get("__name__", "")
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")
    return (
        f"{text}, raised in {module}:{frame.f_code.co_qualname}: this is a fault of "
        "isolation-spec, please report it (ISOLATION_SPEC_TRACEBACK=1 shows more)"
    )
