"""`isolation-spec replay`: runs a failure file once more, in a fresh world."""

from __future__ import annotations

from pathlib import Path

import click

from isolation_spec.adapter import AdapterError
from isolation_spec.adapters import Engine, EngineNotFound, find_engine
from isolation_spec.cli import ExitCode, Refused

__all__ = ["command", "find_engine_of"]


@click.command("replay")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--engine", help="Replay against this engine instead of the file's.")
def command(file: Path, engine: str | None) -> int:
    """Replay the failure in FILE.

    Prints REPRODUCED (exit 1), FIXED (0), DRIFTED (3), or UNSUPPORTED and why (2).
    """
    from isolation_spec.failure import BadFailureFile, load, replay

    try:
        failure = load(file)
    except BadFailureFile as error:
        raise Refused(str(error)) from None
    try:
        found = find_engine_of(engine, failure.engine)
        replayed = replay(failure, found.make_adapter)
    except AdapterError as error:
        click.echo(f"UNSUPPORTED: {error}")
        return ExitCode.USAGE
    from isolation_spec.explain import explain
    from isolation_spec.failure import Outcome
    from isolation_spec.story import tell_story

    click.echo(f"{replayed.outcome}: {failure.claim} on {found.name}")
    if replayed.note:
        click.echo(f"differs from the saved run: {replayed.note}")
    if replayed.outcome is Outcome.REPRODUCED:
        click.echo("")
        violation = replayed.judgement.violations[0]
        story = tell_story(replayed.history, violation, found.make_adapter)
        click.echo("\n".join(explain(story)))
        return ExitCode.VIOLATED
    if replayed.outcome is Outcome.FIXED:
        click.echo(f"{failure.claim} holds, {replayed.judgement.evidence} times")
        return ExitCode.HOLDS
    return ExitCode.INCONCLUSIVE


def find_engine_of(given: str | None, named: str) -> Engine:
    """The engine that the user gave, or the registered one that the file names."""
    if given is None and ":" in named:
        message = (
            f"the file names the engine {named!r}, which is not registered, and "
            f"nothing that a file names is imported: give it with --engine {named}"
        )
        raise EngineNotFound(message)
    return find_engine(given or named)
