"""A replay says REPRODUCED, FIXED, DRIFTED or UNSUPPORTED, and why."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from isolation_spec.claims import Judgement, Reason, ReasonKind, Verdict
from isolation_spec.contract.capabilities import Capability
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import find_engine
from isolation_spec.failure import (
    BadFailureFile,
    Drift,
    Outcome,
    failure_files,
    replay,
    replay_file,
    save,
)
from isolation_spec.model.scenario import Connect, Scenario, Schedule
from tests.failure.failures import (
    FAULTY,
    changed,
    heartbeat_failure,
    heartbeat_scenario,
)


def test_a_fault_that_is_still_there_is_reproduced() -> None:
    """The same claim is violated again by the same run, and nothing is noted."""
    replayed = replay(heartbeat_failure(), find_engine(FAULTY).make_adapter)

    assert (Outcome.REPRODUCED, "") == (replayed.outcome, replayed.note)
    assert replayed.judgement is not None
    assert heartbeat_failure().violation == replayed.judgement.violations[0]


def test_a_fault_that_is_gone_is_fixed() -> None:
    """On the clean engine the claim holds with evidence."""
    replayed = replay(heartbeat_failure(), find_engine("reference").make_adapter)

    assert (Outcome.FIXED, "") == (replayed.outcome, replayed.note)
    assert replayed.judgement is not None
    assert replayed.judgement.evidence > 0


def test_a_choice_without_a_place_is_fixed_by_variations() -> None:
    """A mended engine has other awaits: 20 variations of the choices speak for it."""
    schedule = Schedule(classes={"2/no-such-kind": 1})
    failure = changed(scenario=heartbeat_scenario(schedule))

    replayed = replay(failure, find_engine("reference").make_adapter)

    assert Outcome.FIXED is replayed.outcome
    assert "no place for" in replayed.note
    assert "2/no-such-kind" in replayed.note
    assert "20 variations of its choices violate nothing" in replayed.note
    assert "\n" not in replayed.note


def test_a_claim_that_was_not_put_to_the_test_is_drift() -> None:
    """Without evidence a claim is not fixed, though nothing is violated."""
    empty = Scenario(users=heartbeat_scenario().users, operations=())

    replayed = replay(changed(scenario=empty), find_engine("reference").make_adapter)

    assert Outcome.DRIFTED is replayed.outcome
    assert "inconclusive" in replayed.note


def test_a_reproduction_by_another_run_notes_where_it_differs() -> None:
    """Violated by another run is REPRODUCED, with the first step that differs."""
    steps = list(heartbeat_failure().steps)
    steps[3] = "phase_started - 00000000"
    failure = changed(steps=tuple(steps), digest="0" * 64)

    replayed = replay(failure, find_engine(FAULTY).make_adapter)

    assert Outcome.REPRODUCED is replayed.outcome
    assert replayed.drift is not None
    assert Drift(4, "phase_started - 00000000", replayed.drift.saw) == replayed.drift
    assert "expected phase_started - 00000000, saw phase_started" in replayed.note


def test_a_run_of_another_length_says_so() -> None:
    """A saved run that ended earlier differs after its last step."""
    failure = changed(steps=heartbeat_failure().steps[:5], digest="0" * 64)

    replayed = replay(failure, find_engine(FAULTY).make_adapter)

    assert replayed.drift is not None
    assert (6, "nothing") == (replayed.drift.step, replayed.drift.expected)


def test_a_crashed_check_is_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that crashes in a replay is neither reproduced nor fixed."""
    crashed = Judgement(
        claim="teardown",
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason(ReasonKind.CHECK_CRASHED, ("x",)),
    )
    module = sys.modules["isolation_spec.failure.trial"]
    monkeypatch.setattr(module, "judge_with_solos", lambda *_: (crashed,))

    replayed = replay(heartbeat_failure(), find_engine(FAULTY).make_adapter)

    assert Outcome.DRIFTED is replayed.outcome
    assert "its check crashed: x" in replayed.note


def test_replay_is_deterministic() -> None:
    """Two replays observe the same, byte for byte."""
    adapter = find_engine(FAULTY).make_adapter

    histories = [replay(heartbeat_failure(), adapter).history for _ in "12"]

    assert [heartbeat_failure().digest] * 2 == [
        history.digest() for history in histories if history is not None
    ]


class Less(ReferenceAdapter):
    """Declares no connections."""

    capabilities = ReferenceAdapter.capabilities - {Capability.CONNECTIONS}


def test_a_capability_that_is_not_declared_is_unsupported() -> None:
    """A scenario that needs an undeclared capability is not run."""
    connect = Connect(id=1, user=0, connection="c1")
    scenario = Scenario(users=heartbeat_scenario().users, operations=(connect,))

    replayed = replay(changed(scenario=scenario), Less)

    assert Outcome.UNSUPPORTED is replayed.outcome
    assert "operation 1 (connect) needs the capability 'connections'" in replayed.note
    assert replayed.history is None


def test_a_claim_that_is_not_applicable_is_unsupported() -> None:
    """A claim about a surface that the engine does not declare says nothing of it."""
    violation = msgspec.structs.replace(changed().violation, claim="event-routing")
    failure = changed(claim="event-routing", violation=violation)

    replayed = replay(failure, Less)

    assert Outcome.UNSUPPORTED is replayed.outcome
    assert "event-routing needs connections" in replayed.note


@pytest.mark.parametrize(
    ("engine", "why"),
    [
        ("gone", "no engine is called 'gone'"),
        ("reference+gone", "no planted fault"),
        ("os:system", "nothing that a file names is imported"),
    ],
)
def test_an_engine_that_is_not_registered_is_unsupported(
    tmp_path: Path, engine: str, why: str
) -> None:
    """The user must give an engine that is not registered."""
    path = save(changed(engine=engine), tmp_path)

    assert Outcome.UNSUPPORTED is replay_file(path).outcome
    assert why in replay_file(path).note
    assert Outcome.FIXED is replay_file(path, "reference").outcome


def test_a_later_version_is_unsupported(tmp_path: Path) -> None:
    """A file of a later release is not run, and says so by its version."""
    path = save(changed(), tmp_path)
    path.write_text(path.read_text().replace('"version": 2', '"version": 7', 1))

    replayed = replay_file(path, "reference")

    assert Outcome.UNSUPPORTED is replayed.outcome
    assert "version 7" in replayed.note


def test_the_same_run_of_another_verdict_has_no_drift() -> None:
    """A run that is the saved one, step by step, is not said to differ anywhere."""
    replayed = replay(heartbeat_failure(), find_engine(FAULTY).make_adapter)

    assert replayed.drift is None


def test_files_of_a_folder_come_by_name(tmp_path: Path) -> None:
    """Names are sorted and those of the files; the unconfirmed are left out."""
    for name in ("b.json", "a.json", "c.unconfirmed.json", "d.txt"):
        (tmp_path / name).touch()

    found = list(failure_files(tmp_path))

    assert [(n, tmp_path / n) for n in ("a.json", "b.json")] == found
    named = tmp_path / "c.unconfirmed.json"
    assert [(named.name, named)] == list(failure_files(named))


def test_a_folder_without_failures_is_refused(tmp_path: Path) -> None:
    """An empty folder, and one that is not there, are no suite that passes."""
    for path in (tmp_path, tmp_path / "gone"):
        with pytest.raises(BadFailureFile, match=str(path)):
            list(failure_files(path))


def test_replay_and_export_need_no_test_tools(tmp_path: Path) -> None:
    """Replay and export import neither Hypothesis nor pytest."""
    path = save(heartbeat_failure(), tmp_path)
    script = (
        "import sys, pathlib\n"
        "from isolation_spec.diagnosis.explanation import explain\n"
        "from isolation_spec.failure import (\n"
        "    engine_of, export_test, load, replay_file\n"
        ")\n"
        "from isolation_spec.diagnosis.ablation import diagnose\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "replayed = replay_file(path)\n"
        "failure = load(path)\n"
        "make_adapter = engine_of(failure).make_adapter\n"
        "story = diagnose(replayed.history, failure.violation, make_adapter)\n"
        "assert explain(story).lines()\n"
        "export_test(failure, failure.engine)\n"
        "import isolation_spec.cli.replay, isolation_spec.cli.export\n"
        "tools = {'_hypothesis_pytestplugin', 'hypothesis', 'pytest',"
        " 'isolation_spec.strategies'}\n"
        "print(replayed.outcome, tools & set(sys.modules))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "REPRODUCED set()\n" == done.stdout, done.stderr
