"""The summary at the end of a session: a line for a green engine, or its table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec
import pytest

from isolation_spec.claims import Verdict
from isolation_spec.failure.replay_command import replay_command
from isolation_spec.plugin.replay_tests import Replayed
from isolation_spec.plugin.shared_search import Searched

__all__ = ["write_summary"]

_MARKUP: dict[Verdict, dict[str, bool]] = {
    Verdict.HOLDS: {"green": True},
    Verdict.VIOLATED: {"red": True, "bold": True},
    Verdict.INCONCLUSIVE: {"yellow": True},
    Verdict.NOT_APPLICABLE: {"light": True},
}


def write_summary(reporter: pytest.TerminalReporter, outcomes: Iterable[str]) -> None:
    """Writes the outcomes of all tests, each search once."""
    searches: dict[str, Searched] = {}
    replayed: list[Replayed] = []
    for one in msgspec.json.decode(
        f"[{','.join(outcomes)}]", type=list[Searched | Replayed]
    ):
        if isinstance(one, Replayed):
            replayed.append(one)
        else:
            searches[one.where] = one
    everything = [*searches.values()]
    if reporter.verbosity > 0 or not all(map(_is_green, everything)):
        reporter.section("isolation", sep="=")
    for searched in everything:
        if reporter.verbosity > 0 or not _is_green(searched):
            _write_table(reporter, searched)
        else:
            reporter.write_line(f"isolation: {_line(searched)}")
    if replayed:
        reporter.write_line(f"isolation: replayed {_count_outcomes(replayed)}")


def _is_green(searched: Searched) -> bool:
    return searched.result is not None and searched.result.verdict is Verdict.HOLDS


def _line(searched: Searched) -> str:
    result = searched.result
    if result is None:
        return f"{searched.engine}: no verdict"
    held = sum(claim.verdict is Verdict.HOLDS for claim in result.claims)
    which = ", ".join(searched.violated)
    return (
        f"{searched.engine} {result.verdict}: {which or f'{held} claims hold'}, "
        f"{result.interleavings:,} interleavings, {result.seconds:.1f} s "
        f"(profile {result.profile}, seed {result.seed})"
    )


def _write_table(reporter: pytest.TerminalReporter, searched: Searched) -> None:
    reporter.write_line(f"{searched.where}: {searched.engine}", bold=True)
    result = searched.result
    if result is None:
        reporter.write_line(searched.error)
        reporter.write_line("")
        return
    reporter.write_line(f"{'claim':<18} {'verdict':<14} {'evidence':>10}")
    for claim in result.claims:
        verdict, evidence, _ = searched.verdict(claim.id)
        reporter.write(f"{claim.id:<18} ")
        reporter.write(f"{verdict:<14}", **_MARKUP[verdict])
        reporter.write_line(f" {evidence:>10,}")
    for line in _below(searched):
        reporter.write_line(line)
    reporter.write_line("")


def _below(searched: Searched) -> Iterator[str]:
    """Yields the lines below a table: remarks, reasons, files, replay commands."""
    assert searched.result is not None
    yield from (f"remark: {remark}" for remark in searched.result.remarks)
    yield from (f"inconclusive: {reason}" for reason in searched.result.reasons)
    for finding in searched.found.values():
        yield f"Saved in {finding.path}"
        if finding.confirmed:
            yield f"Replay with: {replay_command(finding.path, searched.engine)}"
    yield _line(searched)


def _count_outcomes(replayed: Iterable[Replayed]) -> str:
    counts = Counter(one.outcome for one in replayed)
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
