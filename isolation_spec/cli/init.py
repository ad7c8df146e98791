"""`isolation-spec init`: writes an adapter skeleton with its test, or CI workflows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import click

from isolation_spec.cli.errors import UsageError

__all__ = ["command"]

_ADAPTER, _TEST = "isolation_adapter.py", "test_isolation.py"
_ENGINE = "isolation_adapter:MyAdapter"
"""The engine that `init` writes."""
_WORKFLOWS = ("isolation-pull-request.yml", "isolation-nightly.yml")


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option(
    "--ci",
    is_flag=True,
    help="Write two workflows for GitHub Actions instead, into .github/workflows: a "
    "gate for pull requests and a nightly search.",
)
@click.option(
    "--engine",
    help="With --ci: the engine that the workflows verify. Default: the adapter that "
    "init writes.",
)
def command(folder: Path, ci: bool, engine: str | None) -> None:
    """Write an adapter to fill in, and its test, into DIR (default: this folder).

    The test fails and names the next method to write until all methods are written.
    Existing files are never overwritten.
    """
    if engine is not None and not ci:
        message = "--engine needs --ci: the adapter to fill in is an engine of its own"
        raise UsageError(message)
    if ci:
        _write(folder / ".github" / "workflows", _workflows(engine or _ENGINE))
        click.echo(f"wrote {' and '.join(_WORKFLOWS)} into {folder}/.github/workflows")
        click.echo(f"They verify {engine or _ENGINE}.")
    else:
        _write(folder, _skeleton())
        _show_next(folder)


def _skeleton() -> Mapping[str, str]:
    """Returns the text of each file of a skeleton, by its name."""
    source = files("isolation_spec.cli") / "skeleton"
    return {
        name: (source / f"{name}.txt").read_text(encoding="utf-8")
        for name in (_ADAPTER, _TEST)
    }


def _workflows(engine: str) -> Mapping[str, str]:
    """Returns the text of each workflow, by the name of its file."""
    source = files("isolation_spec.cli") / "workflows"
    return {
        # A JSON string is a YAML string, with any quotes of the name escaped.
        name: (source / name)
        .read_text(encoding="utf-8")
        .replace('"ENGINE"', json.dumps(engine))
        for name in _WORKFLOWS
    }


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """Writes new files into a folder, or nothing at all.

    Raises:
        UsageError: a file exists already, or the folder cannot be written.
    """
    for name in texts:
        if (folder / name).exists():
            message = f"{folder / name} exists already and is not overwritten"
            raise UsageError(message)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        message = f"{error.filename or folder} cannot be written: {error.strerror}"
        raise UsageError(message) from None


def _show_next(folder: Path) -> None:
    inside = "" if folder == Path(".") else f"cd {folder} && "
    click.echo(f"wrote {folder / _ADAPTER}, to fill in, and {folder / _TEST}")
    click.echo("")
    click.echo("The next method to write, and your progress:")
    click.echo(f"  {inside}isolation-spec check-adapter {_ENGINE}")
    click.echo("The whole verdict:")
    click.echo(f"  {inside}isolation-spec verify {_ENGINE}")
