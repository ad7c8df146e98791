"""`isolation-spec check-adapter`: checks an adapter alone, method by method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isolation_spec.cli.engine import import_engine
from isolation_spec.cli.errors import UsageError
from isolation_spec.cli.exit_code import ExitCode
from isolation_spec.contract.errors import AdapterError
from isolation_spec.execution.isolation.time_limit import RUN_TIMEOUT

if TYPE_CHECKING:
    from rich.console import Console

    from isolation_spec.adapter_check.result import MethodResult
    from isolation_spec.engines.registry import Engine

__all__ = ["command"]

_COLOURS = {
    "ok": "green",
    "not written": "yellow",
    "breaks": "bold red",
    "not exercised": "dim",
    "hint": "cyan",
    "engine": "bold magenta",
}
_WORDS = {"breaks": "breaks the rule", "engine": "the engine"}


@click.command("check-adapter")
@click.argument("engine")
@click.option(
    "--run-timeout",
    type=click.FloatRange(min=0.1),
    default=RUN_TIMEOUT,
    show_default=True,
    help="CPU seconds after which one method counts as hung.",
)
def command(engine: str, run_timeout: float) -> int:
    """Exercise the adapter of ENGINE alone, and report on each method.

    Exit codes: 0 every required method works, 2 a method is not written yet or breaks
    the contract, 130 interrupted.
    """
    from rich.console import Console

    try:
        found = import_engine(engine, run_timeout)
    except AdapterError as error:
        raise UsageError(str(error.args[0])) from None
    console = Console(highlight=False)
    checks = _checks(found, run_timeout)
    _show(console, found, checks)
    _show_claims(console, found)
    wrong = [one for one in checks if one.status in ("not written", "breaks")]
    for one in wrong[:1]:
        console.print("")
        console.print(f"Next: {one.note}", markup=False)
    if not wrong:
        console.print("")
        console.print(f"Now: isolation-spec verify {engine}", soft_wrap=True)
    return ExitCode.USAGE if wrong else ExitCode.HOLDS


def _checks(engine: Engine, allowed: float) -> list[MethodResult]:
    """Checks the adapter in a process of its own, as it may hang or end the process."""
    from isolation_spec.adapter_check.check import check_adapter
    from isolation_spec.adapter_check.result import MethodBegan, MethodResult
    from isolation_spec.execution.isolation.subprocess import Parent, run_in_subprocess

    results: list[MethodResult] = []
    running = "start"

    def work(parent: Parent[MethodBegan | MethodResult]) -> None:
        def began(method: str) -> None:
            parent.beacon.start()
            parent.send(MethodBegan(method))

        parent.beacon.start()
        check_adapter(engine, parent.send, began)

    def receive(message: MethodBegan | MethodResult) -> None:
        nonlocal running
        if isinstance(message, MethodBegan):
            running = message.method
        else:
            results.append(message)

    try:
        hang = run_in_subprocess(
            work,
            MethodBegan | MethodResult,
            receive=receive,
            name="the check",
            engine=engine.name,
            adapter=engine.adapter_name,
            allowed=allowed,
        )
        problem = None if hang is None else hang.sentence()
    except AdapterError as error:
        problem = str(error)
    if problem is not None:
        results.append(MethodResult(method=running, status="breaks", note=problem))
    return results


def _show(console: Console, engine: Engine, checks: list[MethodResult]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("method", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold")
    for one in checks:
        word = Text(_WORDS.get(one.status, one.status), style=_COLOURS[one.status])
        table.add_row(Text(one.method), word, Text(one.note))
    console.print(f"isolation-spec check-adapter {engine.name}", markup=False)
    console.print("")
    console.print(table)


def _show_claims(console: Console, engine: Engine) -> None:
    from isolation_spec.claims import CLAIMS
    from isolation_spec.execution.containment import quiet

    with quiet():
        has = engine.make_adapter().capabilities
    apply = [claim.id for claim in CLAIMS if claim.needs <= has]
    other = [
        f"{claim.id} ({', '.join(sorted(claim.needs - has))})"
        for claim in CLAIMS
        if not claim.needs <= has
    ]
    console.print("")
    for label, names in (
        ("capabilities declared", sorted(map(str, has))),
        ("claims that apply", apply),
        ("not applicable, for want of", other),
    ):
        console.print(f"{label}: {', '.join(names) or 'none'}", markup=False)
