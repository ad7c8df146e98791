"""Replays of failures, and their outcomes.

A replay takes the scenario and the claim of a file, and an engine: the registered one
that the file names, or the one that the user gives. No test tool is needed for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from isolation_spec.claims import Judgement, find_claim
from isolation_spec.contract.adapter import Adapter
from isolation_spec.contract.capability_filter import missing_capabilities
from isolation_spec.contract.errors import AdapterError
from isolation_spec.diagnosis.ablation import diagnose
from isolation_spec.diagnosis.explanation import explain
from isolation_spec.engines.registry import (
    Engine,
    EngineNotFound,
    find_engine,
    own_engine,
)
from isolation_spec.execution.containment import quiet
from isolation_spec.execution.hang import SUFFIX, BadHangFile, HangReport, load_hang
from isolation_spec.execution.isolation.time_limit import RUN_TIMEOUT, time_limit
from isolation_spec.failure.file import Failure, labels_of
from isolation_spec.failure.load import BadFailureFile, UnsupportedFailure, load
from isolation_spec.failure.outcome import Outcome
from isolation_spec.failure.replay_hang import run_again
from isolation_spec.failure.trial import try_scenario
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Scenario

__all__ = [
    "Drift",
    "Outcome",
    "Replay",
    "assert_holds",
    "engine_of",
    "failure_files",
    "replay",
    "replay_file",
]


class Drift(msgspec.Struct, frozen=True):
    """The first step, counted from 1, at which a run is not the saved one.

    `expected` and `saw` are labels of steps; "nothing" where one run has no more.
    """

    step: int
    expected: str
    saw: str

    def __str__(self) -> str:
        return f"at step {self.step} (expected {self.expected}, saw {self.saw})"


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a replay.

    Attributes:
        engine: the name of the engine.
        claim: the claim that was judged, "" where the file does not say.
        history: of the replay, None if nothing was run.
        judgement: of the claim, None if nothing was run; of a variation, if that one
            shows that the claim holds.
        drift: where the run left the saved one, None if nowhere.
        notes: why it is DRIFTED or UNSUPPORTED, by which variations it is FIXED, and
            where a run that reproduces the violation left the saved one, a sentence
            each.
    """

    outcome: Outcome
    engine: str
    claim: str
    history: History | None = None
    judgement: Judgement | None = None
    drift: Drift | None = None
    notes: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """All notes in one line."""
        return "; ".join(self.notes)


def replay(failure: Failure, engine: Engine | Callable[[], Adapter]) -> Replay:
    """Runs the scenario of a failure in a fresh world, and variations in doubt.

    Raises:
        AdapterError: the adapter broke its contract.
    """
    named = engine if isinstance(engine, Engine) else Engine(failure.engine, engine)
    if (why := _unsupported(failure, named)) is not None:
        return _refused(named.name, failure.claim, why)
    trial = try_scenario(failure.scenario, named, failure.claim)
    history, judgement = trial.history, trial.judgement
    drift = None if history.digest() == failure.digest else _drift(failure, history)
    if trial.outcome is Outcome.FIXED:
        drift = None
    notes = () if drift is None else (str(drift),)
    return Replay(
        outcome=trial.outcome,
        engine=named.name,
        claim=failure.claim,
        history=history,
        judgement=judgement,
        drift=drift,
        notes=(*trial.notes, *notes),
    )


def _unsupported(failure: Failure, engine: Engine) -> str | None:
    """Returns why the engine cannot run the scenario, None if it can."""
    capabilities = engine.make_adapter().capabilities
    for name, capability in missing_capabilities(failure.scenario, capabilities):
        return (
            f"{name} needs the capability {capability.value!r}, which the engine "
            f"{engine.name!r} does not declare"
        )
    missing = sorted(find_claim(failure.claim).needs - capabilities)
    if missing:
        return f"{failure.claim} needs {', '.join(missing)}, which is not declared"
    return None


def _refused(engine: str, claim: str, why: str) -> Replay:
    return Replay(outcome=Outcome.UNSUPPORTED, engine=engine, claim=claim, notes=(why,))


def _drift(failure: Failure, history: History) -> Drift | None:
    """Where the run first differs from the saved one, as far as that was kept."""
    saved, now = failure.steps, labels_of(history)
    for index, (expected, saw) in enumerate(zip(saved, now, strict=False), 1):
        if expected != saw:
            return Drift(index, expected, saw)
    if len(saved) == len(now):
        # The runs differ after the steps that the file holds.
        return Drift(len(now) + 1, "another step", "something else")
    longer = (*saved[len(now) :], "nothing")[0], (*now[len(saved) :], "nothing")[0]
    return Drift(min(len(saved), len(now)) + 1, *longer)


# Files


def failure_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yields (name, path) of a file, or of each failure file in a folder, sorted.

    Names are those of the files, and differ. Unconfirmed failures in a folder
    (`*.unconfirmed.json`) and hangs (`*.hang.json`) are left out: name such a file
    itself.

    Raises:
        BadFailureFile: there is nothing at that path, or no failure file in the folder.
    """
    if not path.is_dir():
        if not path.exists():
            message = f"{path} cannot be read: No such file or directory"
            raise BadFailureFile(message)
        yield path.name, path
        return
    try:
        found = sorted(path.glob("*.json"))
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise BadFailureFile(message) from None
    left_out = (".unconfirmed.json", SUFFIX)
    kept = [one for one in found if not one.name.endswith(left_out)]
    if not kept:
        hung = sum(one.name.endswith(SUFFIX) for one in found)
        counts = {"unconfirmed": len(found) - hung, "of runs that hung": hung}
        only = " and ".join(
            f"{count} {kind}" for kind, count in counts.items() if count
        )
        only = only and f", only {only}"
        message = f"{path} holds no failure file (*.json){only}"
        raise BadFailureFile(message)
    yield from ((one.name, one) for one in kept)


def replay_file(
    path: Path, engine: str | None = None, run_timeout: float | None = None
) -> Replay:
    """Replays one file, against the engine that the user names or the file's own.

    A run, and the import of the engine, may take `run_timeout` CPU seconds: by default
    as many as `verify` allows, and a run that hung as many as it was given.

    Of a run that hung (`*.hang.json`) neither claim nor history is known. A version,
    claim, engine or capability that is not known, and an adapter that breaks its
    contract, give UNSUPPORTED with a note that says why.

    Raises:
        BadFailureFile: it is no failure file.
    """
    if path.name.endswith(SUFFIX):
        return _replay_hang(path, engine, run_timeout)
    allowed = run_timeout or RUN_TIMEOUT
    try:
        failure = load(path)
    except UnsupportedFailure as error:
        return _refused(engine or "", "", str(error))
    try:
        with time_limit(allowed, "the engine"), quiet():
            found = engine_of(failure, engine)
        with time_limit(allowed, "the replay", at_once=False), quiet():
            return replay(failure, found)
    except AdapterError as error:
        return _refused(engine or failure.engine, failure.claim, str(error))


def _replay_hang(path: Path, engine: str | None, run_timeout: float | None) -> Replay:
    try:
        hang = load_hang(path)
    except BadHangFile as error:
        raise BadFailureFile(str(error)) from None
    try:
        with time_limit(run_timeout or RUN_TIMEOUT, "the engine"), quiet():
            found = engine_of(hang, engine)
    except AdapterError as error:
        return _refused(engine or hang.engine, "", str(error))
    outcome, notes = run_again(hang, found, run_timeout)
    return Replay(outcome=outcome, engine=found.name, claim="", notes=notes)


def engine_of(failure: Failure | HangReport, given: str | None = None) -> Engine:
    """The engine that the user gave, or the registered one that the file names.

    Raises:
        EngineNotFound: no engine has that name, or the file names a module: nothing
            is imported because a file says so.
    """
    if given is None and ":" in failure.engine:
        message = (
            f"the file names the engine {failure.engine!r}, which is not registered, "
            "and nothing that a file names is imported: give it with --engine "
            f"{failure.engine}"
        )
        raise EngineNotFound(message)
    return find_engine(given or failure.engine)


# Tests


def assert_holds(
    scenario: Scenario, *, engine: str | Callable[[], Adapter], claim: str
) -> None:
    """The claim holds, with evidence, when the scenario is run against the engine.

    Raises:
        IsolationViolated: the subclass that belongs to the claim; its text is the
            whole explanation.
        AssertionError: it neither holds nor is violated: it was not put to the test, or
            a variation of the scenario's choices violates it. Never a skip.
        AdapterError: there is no such engine, or its adapter broke its contract.
        ValueError: the scenario cannot be run.
    """
    __tracebackhide__ = True
    for problem in scenario.problems():
        message = f"not a scenario: {problem}"
        raise ValueError(message)
    found = find_engine(engine) if isinstance(engine, str) else own_engine(engine)
    trial = try_scenario(scenario, found, claim)
    for violation in trial.judgement.violations:
        explanation = explain(diagnose(trial.history, violation, found.make_adapter))
        text = "\n".join(("", *explanation.lines()))
        raise find_claim(claim).exception(violation, text)
    if trial.outcome is not Outcome.FIXED:
        doubts = "; ".join(trial.notes)
        message = f"{claim} is not shown to hold on {found.name}: {doubts}"
        raise AssertionError(message)
