"""`isolation-spec claims`: the specification that every engine is judged by."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from isolation_spec.claims import Claim

__all__ = ["command"]

_COLUMNS = 80


@click.command("claims")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON array instead.")
def command(as_json: bool) -> None:
    """List what must hold: each claim, the situations that put it to the test, and the
    capabilities without which it is not applicable to an engine."""
    from isolation_spec.claims import CLAIMS

    if as_json:
        click.echo(json.dumps([_fields(claim) for claim in CLAIMS], indent=2))
        return
    click.echo("\n\n".join("\n".join(_lines(claim)) for claim in CLAIMS))


def _fields(claim: Claim) -> dict[str, str | list[str]]:
    return {
        "id": claim.id,
        "statement": claim.statement,
        "situation": claim.situation,
        "needs": sorted(claim.needs),
    }


def _lines(claim: Claim) -> Iterator[str]:
    yield claim.id
    yield from _wrapped("", claim.statement)
    yield from _wrapped("tested when  ", claim.situation)
    yield from _wrapped("needs        ", ", ".join(sorted(claim.needs)) or "nothing")


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _COLUMNS,
        initial_indent=f"  {label}",
        subsequent_indent=" " * (2 + len(label)),
    )
