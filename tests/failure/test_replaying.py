"""A replay says REPRODUCED, FIXED, DRIFTED or UNSUPPORTED, and why."""

import pytest

from isolation_spec.adapters import find_engine
from isolation_spec.claims import Judgement, Verdict
from isolation_spec.failure import Drift, Outcome, replay
from isolation_spec.failure import replaying as module
from isolation_spec.scenario import Scenario, Schedule
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
    assert heartbeat_failure().violation == replayed.judgement.violations[0]


def test_a_fault_that_is_gone_is_fixed() -> None:
    """On the clean engine the claim holds with evidence."""
    replayed = replay(heartbeat_failure(), find_engine("reference").make_adapter)

    assert (Outcome.FIXED, "") == (replayed.outcome, replayed.note)
    assert replayed.judgement.evidence > 0


def test_a_choice_without_a_place_is_drift() -> None:
    """Not violated, but a choice found no place: nothing is said of a fix."""
    schedule = Schedule(classes={"2/no-such-kind": 1})
    failure = changed(scenario=heartbeat_scenario(schedule))

    replayed = replay(failure, find_engine("reference").make_adapter)

    assert Outcome.DRIFTED is replayed.outcome
    assert "no place for" in replayed.note
    assert "2/no-such-kind" in replayed.note
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
        claim="teardown", verdict=Verdict.INCONCLUSIVE, reason="its check crashed: x"
    )
    monkeypatch.setattr(module, "judge_with_solos", lambda *_: (crashed,))

    replayed = replay(heartbeat_failure(), find_engine(FAULTY).make_adapter)

    assert Outcome.DRIFTED is replayed.outcome
    assert "its check crashed: x" in replayed.note


def test_replay_is_deterministic() -> None:
    """Two replays observe the same, byte for byte."""
    adapter = find_engine(FAULTY).make_adapter

    digests = {replay(heartbeat_failure(), adapter).history.digest() for _ in "12"}

    assert {heartbeat_failure().digest} == digests
