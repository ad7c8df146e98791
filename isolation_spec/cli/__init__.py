"""The command line: `isolation-spec verify`, `replay`, `claims` and the rest."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from isolation_spec.engines.registry import Engine

__all__ = ["STARTED", "ExitCode", "UsageError", "main", "quietly_found"]

STARTED = time.monotonic()
"""The start of the command. The process itself may be older: a shell runs its last
command in its own process, after the set-up that came before."""

_COMMANDS = (
    *("bench", "check-adapter", "claims", "export", "faults", "init", "profiles"),
    *("replay", "report", "schema", "verify"),
)


class ExitCode:
    """What the process returns; violated outranks inconclusive."""

    HOLDS = 0
    VIOLATED = 1
    USAGE = 2
    INCONCLUSIVE = 3
    INTERRUPTED = 130


class UsageError(click.ClickException):
    """What was asked for cannot be done; one sentence says why. Exits with 2."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def quietly_found(name: str, allowed: float = 30.0) -> Engine:
    """The engine of that name, whatever its module prints, within so many seconds.

    Raises:
        AdapterError: there is none, or it cannot be imported.
    """
    from isolation_spec.engines.registry import find_engine
    from isolation_spec.execution.containment import quiet
    from isolation_spec.execution.isolation.time_limit import time_limit

    with time_limit(allowed, f"the engine {name!r}"), quiet():
        return find_engine(name)


@contextlib.contextmanager
def _output_may_close() -> Iterator[None]:
    """Refuses to go on without a reader; click and rich exit with 1 then.

    Raises:
        Refused: the output was closed.
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
    """Imports the module of a command only when that command is asked for."""

    def make_context(self, *arguments: Any, **named: Any) -> click.Context:
        with _output_may_close():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: click.Context) -> Any:
        with _output_may_close():
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
    """The entry point; an interrupted command exits with 130, a fault of ours with 2.

    Where `ISOLATION_SPEC_TRACEBACK` is set, the traceback of a fault is printed, too.
    """
    for stream in (sys.stdout, sys.stderr):
        # An identity that a terminal has no characters for must not end a search.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # What libraries log while they are cancelled and cut off on purpose is not news.
    logging.getLogger().addHandler(logging.NullHandler())
    # Of connections that an engine left behind the ledger tells.
    warnings.filterwarnings("ignore", "The garbage collector is trying")
    # An engine may be a module beside the user, as it may for `python -m`.
    sys.path.insert(0, "")
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
        click.echo(f"Error: {_fault(error)}", err=True)
        code = ExitCode.USAGE
    sys.exit(code)


def _fault(error: Exception) -> str:
    """One sentence that names an exception which no command expects."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    module = frame.f_globals.get("__name__", "")
    said = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")
    return (
        f"{said}, raised in {module}:{frame.f_code.co_qualname}: this is a fault of "
        "isolation-spec, please report it (ISOLATION_SPEC_TRACEBACK=1 shows more)"
    )
