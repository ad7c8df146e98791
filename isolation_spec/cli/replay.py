"""`isolation-spec replay`: runs a failure file once more, in a fresh world."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from isolation_spec.adapter import AdapterError
from isolation_spec.adapters import Engine, EngineNotFound
from isolation_spec.cli import ExitCode, Refused, quietly_found

__all__ = ["command"]


@click.command("replay")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--engine", help="Replay against this engine instead of the file's.")
def command(file: Path, engine: str | None) -> int:
    """Replay the failure in FILE.

    Prints REPRODUCED (exit 1), FIXED (0), DRIFTED (3), or UNSUPPORTED and why (2).
    """
    from isolation_spec.stuck import SUFFIX

    if file.name.endswith(SUFFIX):
        return _replay_stuck(file, engine)
    from isolation_spec.failure import BadFailureFile, load, replay

    try:
        failure = load(file)
    except BadFailureFile as error:
        raise Refused(str(error)) from None
    from isolation_spec.leaving import quiet
    from isolation_spec.watchdog import RUN_TIMEOUT, within

    try:
        found = _engine(engine, failure.engine)
        with within(RUN_TIMEOUT, "the replay"), quiet():
            replayed = replay(failure, found.make_adapter)
    except AdapterError as error:
        click.echo(f"UNSUPPORTED: {error}")
        return ExitCode.USAGE
    from isolation_spec.explain import explain
    from isolation_spec.failure import Outcome

    click.echo(f"{replayed.outcome}: {failure.claim} on {found.name}")
    if replayed.note:
        click.echo(f"differs from the saved run: {replayed.note}")
    if replayed.outcome is Outcome.REPRODUCED:
        click.echo("")
        for line in explain(failure.scenario, replayed.judgement.violations[0]):
            click.echo(line)
        return ExitCode.VIOLATED
    if replayed.outcome is Outcome.FIXED:
        click.echo(f"{failure.claim} holds, {replayed.judgement.evidence} times")
        return ExitCode.HOLDS
    return ExitCode.INCONCLUSIVE


def _replay_stuck(file: Path, given: str | None) -> int:
    """Runs once more what hung, or ended its process, in a process of its own."""
    from isolation_spec.run import run
    from isolation_spec.stuck import BadStuckFile, load_stuck
    from isolation_spec.watchdog import RUN_TIMEOUT, Slate, run_apart
    from isolation_spec.world.scheduler import Scheduler

    try:
        stuck = load_stuck(file)
    except BadStuckFile as error:
        raise Refused(str(error)) from None
    try:
        engine = _engine(given, stuck.engine)
    except AdapterError as error:
        click.echo(f"UNSUPPORTED: {error}")
        return ExitCode.USAGE
    scenario = stuck.scenario
    assert scenario is not None
    told: list[str] = []

    def work(slate: Slate, send: Callable[[bytes], None], _: object) -> None:
        scheduler = Scheduler(scenario.schedule)
        slate.began(0, scenario, scheduler)
        try:
            unused = run(scenario, engine.make_adapter, scheduler=scheduler).unused
            send(f"no place for the {', '.join(unused)}".encode() if unused else b"-")
        except AdapterError as error:
            send(f"error {error}".encode())

    again = run_apart(
        work,
        heard=lambda data: told.append(data.decode()),
        engine=engine.name,
        adapter=engine.adapter_name,
        allowed=stuck.allowed or RUN_TIMEOUT,
    )
    if again is not None:
        click.echo(f"REPRODUCED: {again.sentence()}")
        return ExitCode.VIOLATED
    (said,) = told
    if said.startswith("error "):
        click.echo(f"UNSUPPORTED: {said.removeprefix('error ')}")
        return ExitCode.USAGE
    if said != "-":
        click.echo(f"DRIFTED: the run came to its end on {engine.name}; {said}")
        return ExitCode.INCONCLUSIVE
    click.echo(f"FIXED: the run came to its end on {engine.name}")
    return ExitCode.HOLDS


def _engine(given: str | None, named: str) -> Engine:
    """The engine that the user gave, or the registered one that the file names."""
    if given is None and ":" in named:
        message = (
            f"the file names the engine {named!r}, which is not registered, and "
            f"nothing that a file names is imported: give it with --engine {named}"
        )
        raise EngineNotFound(message)
    return quietly_found(given or named)
