"""Failure files as tests: each has the name of its file and passes once FIXED."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from isolation_spec.contract.errors import AdapterError
from isolation_spec.diagnosis.ablation import diagnose
from isolation_spec.diagnosis.explanation import explain
from isolation_spec.engines.registry import Engine, EngineNotFound, find_engine
from isolation_spec.failure import (
    BadFailureFile,
    Failure,
    Outcome,
    failure_files,
    load,
    replay,
)
from isolation_spec.failure.replay_command import replay_command
from isolation_spec.plugin.items import (
    Group,
    IsolationItem,
    IsolationTestFailed,
    stands_for_itself,
)
from isolation_spec.plugin.options import OPTIONS

__all__ = ["ReplayTest", "Replayed", "replay_tests"]


class Replayed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The outcome of one file, for the summary."""

    path: str
    outcome: str
    claim: str
    engine: str


def replay_tests(
    session: pytest.Session, path: Path, engines: Mapping[str, Engine]
) -> Iterator[pytest.Item]:
    """Yields a test for each failure file; the user chose the `engines`."""
    group = Group.from_parent(
        session, name="isolation-replay", nodeid="isolation-replay"
    )
    for name, file in failure_files(path):
        test: ReplayTest = ReplayTest.from_parent(
            group, name=name, callobj=stands_for_itself
        )
        test.file = file
        test.engines = engines
        yield test


class ReplayTest(IsolationItem):
    """One failure file: its claim holds now, with evidence, in the same run.

    Attributes:
        file: the failure file.
        engines: engines that the user chose, by name; others must be registered.
    """

    file: Path
    engines: Mapping[str, Engine]

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.add_marker("isolation_replay")

    def runtest(self) -> None:
        """Replays the file.

        Raises:
            IsolationTestFailed: the outcome is not FIXED.
        """
        try:
            failure = load(self.file)
        except BadFailureFile as error:
            self._record("UNSUPPORTED")
            raise IsolationTestFailed(f"UNSUPPORTED: {error}") from None
        try:
            engine = self._engine(failure.engine)
            replayed = replay(failure, engine.make_adapter)
        except AdapterError as error:
            self._record("UNSUPPORTED", failure)
            raise IsolationTestFailed(f"UNSUPPORTED: {error}") from None
        self._record(replayed.outcome, failure)
        if replayed.outcome is Outcome.FIXED:
            return
        history, judgement = replayed.history, replayed.judgement
        if history is None or judgement is None:
            raise IsolationTestFailed(f"{replayed.outcome}: {replayed.note}")
        lines = [f"{replayed.outcome}: {failure.claim} on {engine.name}"]
        if replayed.note:
            lines.append(f"differs from the saved run: {replayed.note}")
        summary = "\n".join(lines)
        if replayed.outcome is Outcome.REPRODUCED:
            violation = judgement.violations[0]
            diagnosis = diagnose(history, violation, engine.make_adapter)
            lines += ["", *explain(diagnosis).lines()]
        command = replay_command(self._shown(), engine.name)
        text = "\n".join([*lines, "", f"Replay with: {command}"])
        raise IsolationTestFailed(text, summary)

    def _record(self, outcome: str, failure: Failure | None = None) -> None:
        replayed = Replayed(
            path=self._shown(),
            outcome=str(outcome),
            claim="" if failure is None else failure.claim,
            engine="" if failure is None else failure.engine,
        )
        self.isolation_outcome = msgspec.json.encode(replayed).decode()
        self.record(
            engine=replayed.engine,
            claim=replayed.claim,
            outcome=replayed.outcome,
            failure_file=replayed.path,
        )

    def _shown(self) -> str:
        return self.config.stash[OPTIONS].shown(self.file)

    def _engine(self, name: str) -> Engine:
        """Returns the engine that the user chose, or the registered one of the file."""
        if name in self.engines:
            return self.engines[name]
        if ":" in name:
            message = (
                f"the file names the engine {name!r}, which is not registered, and "
                "nothing that a file names is imported: give it with "
                f"--isolation-engine {name}, or collect a test case for it"
            )
            raise EngineNotFound(message)
        return find_engine(name)
