"""`isolation-spec profiles`: lists the cost and the reach of each profile."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from isolation_spec.strategies.profiles import Profile

__all__ = ["command"]

_COLUMNS = 80


@click.command("profiles")
def command() -> None:
    """List the profiles of `verify`, with the cost and the reach of each."""
    from isolation_spec.strategies.profiles import PROFILES

    click.echo("\n\n".join("\n".join(_lines(profile)) for profile in PROFILES))


def _lines(profile: Profile) -> Iterator[str]:
    yield profile.name
    yield from _wrapped(profile.spends())
    yield from _wrapped(profile.about)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS, initial_indent="  ", subsequent_indent="  ")
