"""The command line: `isolation-spec verify`, `replay`, `claims` and the rest."""

from isolation_spec.cli.command_line import main

__all__ = ["main"]
