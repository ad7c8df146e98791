"""`isolation-spec replay`: replays failure files, each in a fresh world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isolation_spec.cli.errors import UsageError
from isolation_spec.cli.exit_code import ExitCode
from isolation_spec.contract.errors import AdapterError

if TYPE_CHECKING:
    from isolation_spec.failure import Replay

__all__ = ["command"]

_EXIT = {
    "REPRODUCED": ExitCode.VIOLATED,
    "FIXED": ExitCode.HOLDS,
    "DRIFTED": ExitCode.INCONCLUSIVE,
    "UNSUPPORTED": ExitCode.USAGE,
}
_WORST = (ExitCode.HOLDS, ExitCode.INCONCLUSIVE, ExitCode.USAGE, ExitCode.VIOLATED)


@click.command("replay")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--engine", help="Replay against this engine instead of the file's.")
@click.option(
    "--run-timeout",
    type=click.FloatRange(min=0.1),
    help="CPU seconds after which one run counts as hung, by default as in `verify`.",
)
def command(
    paths: tuple[Path, ...], engine: str | None, run_timeout: float | None
) -> int:
    """Replay the failures in PATHS: files, or folders of files.

    In a folder, each *.json is replayed except *.unconfirmed.json and *.hang.json. One
    file is explained in full; several files get a line each.

    Prints REPRODUCED (exit 1), FIXED (0), DRIFTED with the step (3), or UNSUPPORTED
    with the reason (2). The worst outcome of several files decides: REPRODUCED, then
    UNSUPPORTED or an unreadable file, then DRIFTED.
    """
    from isolation_spec.failure import BadFailureFile, failure_files, replay_file

    try:
        files = [one for path in paths for one in failure_files(path)]
        if len(files) == 1 and not paths[0].is_dir():
            return _show(replay_file(files[0][1], engine, run_timeout), run_timeout)
    except BadFailureFile as error:
        raise UsageError(str(error)) from None
    counts: Counter[str] = Counter()
    for _, file in files:
        try:
            replayed = replay_file(file, engine, run_timeout)
            outcome, note = str(replayed.outcome), replayed.note
        except BadFailureFile as error:
            outcome, note = "REFUSED", str(error)
        counts[outcome] += 1
        _echo(f"{outcome:<11}  {file}")
        if note:
            _echo(f"{'':<11}  {note}")
    total = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    click.echo(f"{len(files)} {'file' if len(files) == 1 else 'files'}: {total}")
    return max((_EXIT.get(one, ExitCode.USAGE) for one in counts), key=_WORST.index)


def _show(replayed: Replay, run_timeout: float | None) -> int:
    """Prints one replay in full and returns its exit code."""
    from isolation_spec.execution.containment import quiet
    from isolation_spec.execution.isolation.time_limit import RUN_TIMEOUT, time_limit

    allowed = run_timeout or RUN_TIMEOUT
    try:
        with time_limit(allowed, "the explanation", at_once=False), quiet():
            lines = list(_lines(replayed))
    except AdapterError as error:
        lines = [f"{replayed.outcome}: {replayed.claim} on {replayed.engine}"]
        lines.append(f"not explained: {error}")
    for line in lines:
        _echo(line)
    return _EXIT[replayed.outcome]


def _lines(replayed: Replay) -> Iterator[str]:
    from isolation_spec.diagnosis.ablation import diagnose
    from isolation_spec.diagnosis.explanation import explain
    from isolation_spec.engines.registry import find_engine
    from isolation_spec.failure import Outcome

    history, judgement = replayed.history, replayed.judgement
    if history is None or judgement is None:
        yield f"{replayed.outcome}: {replayed.note}"
        return
    where = ""
    if replayed.outcome is Outcome.DRIFTED and replayed.drift is not None:
        where = f" at step {replayed.drift.step}"
    yield f"{replayed.outcome}{where}: {replayed.claim} on {replayed.engine}"
    if replayed.outcome is Outcome.FIXED:
        yield f"{replayed.claim} holds, {judgement.evidence} times"
    if replayed.outcome in (Outcome.FIXED, Outcome.DRIFTED):
        yield from replayed.notes
    if replayed.outcome is Outcome.REPRODUCED:
        if replayed.note:
            yield f"differs from the saved run: {replayed.note}"
        yield ""
        make_adapter = find_engine(replayed.engine).make_adapter
        diagnosis = diagnose(history, judgement.violations[0], make_adapter)
        yield from explain(diagnosis).lines()


def _echo(line: str) -> None:
    """Writes a line without control characters, so that no file steers a terminal."""
    click.echo("".join(c if c.isprintable() else repr(c)[1:-1] for c in line))
