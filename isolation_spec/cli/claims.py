"""`isolation-spec claims`: lists the specification that judges every engine."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from isolation_spec.cli.errors import UsageError

if TYPE_CHECKING:
    from isolation_spec.claims import Claim

__all__ = ["command"]

_COLUMNS = 80


@click.command("claims")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON array instead.")
@click.option(
    "--explain", "name", metavar="ID", help="Explain one claim, clause by clause."
)
def command(as_json: bool, name: str | None) -> None:
    """List the specification: each claim, the opportunities that put it to the test,
    and the capabilities that it needs."""
    from isolation_spec.claims import CLAIMS, find_claim

    claims = CLAIMS
    if name is not None:
        try:
            claims = (find_claim(name),)
        except KeyError as error:
            raise UsageError(str(error.args[0])) from None
    if as_json:
        click.echo(json.dumps([_fields(claim) for claim in claims], indent=2))
        return
    lines = _lines if name is None else _explained
    click.echo("\n\n".join("\n".join(lines(claim)) for claim in claims))


def _fields(claim: Claim) -> dict[str, Any]:
    return {
        "id": claim.id,
        "statement": claim.statement,
        "situation": claim.situation,
        "clauses": dict(claim.clauses),
        "needs": sorted(claim.needs),
    }


def _lines(claim: Claim) -> Iterator[str]:
    yield claim.id
    yield from _wrapped("", claim.statement)
    yield from _wrapped("tested when  ", claim.situation)
    yield from _wrapped("needs        ", ", ".join(sorted(claim.needs)) or "nothing")


def _explained(claim: Claim) -> Iterator[str]:
    """Yields the claim, its clauses, and planted faults that violate it."""
    from isolation_spec.engines.faults import FAULTS

    yield from _lines(claim)
    yield ""
    yield "A violation names one of these clauses, each of which must hold"
    for name, sentence in claim.clauses.items():
        yield from _wrapped(f"{name:<22}", sentence)
    yield ""
    yield "Faults that violate it, with isolation-spec verify reference+FAULT"
    named = ", ".join(fault.id for fault in FAULTS if claim.id in fault.claims)
    yield from _wrapped("", named)


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _COLUMNS,
        initial_indent=f"  {label}",
        subsequent_indent=" " * (2 + len(label)),
        break_on_hyphens=False,
    )
