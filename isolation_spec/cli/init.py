"""`isolation-spec init`: an adapter to fill in, and its test."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from isolation_spec.cli.errors import UsageError

__all__ = ["command"]

_FILES = ("isolation_adapter.py", "test_isolation.py")


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Write an adapter to fill in and its test into DIR, by default into this folder.

    The test fails, and says what to write next, until all is written. Nothing is ever
    overwritten.
    """
    for name in _FILES:
        if (folder / name).exists():
            message = f"{folder / name} is there already, and is not overwritten"
            raise UsageError(message)
    skeleton = files("isolation_spec.cli") / "skeleton"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in _FILES:
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write((skeleton / f"{name}.txt").read_text(encoding="utf-8"))
    except OSError as error:
        message = f"{error.filename or folder} cannot be written: {error.strerror}"
        raise UsageError(message) from None
    click.echo(f"wrote {folder / _FILES[0]}, to fill in, and {folder / _FILES[1]}")
    click.echo("")
    inside = "" if folder == Path(".") else f"cd {folder} && "
    click.echo("What to write next, and how far you are:")
    click.echo(f"  {inside}isolation-spec check-adapter isolation_adapter:MyAdapter")
    click.echo("The whole verdict:")
    click.echo(f"  {inside}isolation-spec verify isolation_adapter:MyAdapter")
