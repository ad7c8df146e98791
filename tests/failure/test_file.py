"""A failure file suffices to run it again, and is saved whole or not at all."""

import stat
from pathlib import Path

import pytest

from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.run import run
from isolation_spec.failure import file as module
from isolation_spec.failure import load, make_failure, save
from isolation_spec.model.scenario import (
    AdvanceTime,
    CollectGarbage,
    Connect,
    Demotion,
    Scenario,
    Schedule,
    User,
)
from tests.failure.failures import (
    FAULTY,
    changed,
    heartbeat_failure,
    heartbeat_scenario,
)


def test_round_trip_gives_an_equal_failure(tmp_path: Path) -> None:
    """A loaded failure equals the one that was saved."""
    loaded = load(save(heartbeat_failure(), tmp_path))

    assert heartbeat_failure() == loaded


def test_round_trip_keeps_every_kind_of_choice(tmp_path: Path) -> None:
    """Classes, demotions, burst, split and odd identities survive the file."""
    schedule = Schedule(
        classes={"2/start": 3},
        demotions=(Demotion(chain="2/call", consumed=1, rank=0),),
        burst=2,
        split=True,
    )
    scenario = Scenario(
        users=(User(label="alice", id='a"/\\é\n'), User(label="bob", id="")),
        operations=(
            Connect(id=1, user=0, connection="c1"),
            AdvanceTime(id=2, seconds=0.1, stalled=True),
            CollectGarbage(id=3),
        ),
        schedule=schedule,
    )
    failure = changed(scenario=scenario)

    loaded = load(save(failure, tmp_path))

    assert failure == loaded


def test_a_saved_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Nobody but its owner can read or write a failure file."""
    path = save(heartbeat_failure(), tmp_path)

    assert "-rw-------" == stat.filemode(path.stat().st_mode)


def test_saving_makes_the_folder_and_leaves_nothing_else(tmp_path: Path) -> None:
    """A folder that is missing is made, and holds the file alone."""
    folder = tmp_path / "deep" / "down"

    path = save(heartbeat_failure(), folder)
    save(heartbeat_failure(), folder)

    assert [path] == list(folder.iterdir())


def test_the_name_says_engine_claim_scenario_and_state(tmp_path: Path) -> None:
    """Confirmed and unconfirmed, and two scenarios, never share a file."""
    confirmed = save(changed(confirmed=True), tmp_path).name
    unconfirmed = save(changed(confirmed=False), tmp_path).name
    other = save(changed(scenario=heartbeat_scenario(Schedule(burst=1))), tmp_path).name

    assert confirmed.startswith(f"{FAULTY}-teardown-")
    assert confirmed.endswith(".json")
    assert confirmed.removesuffix(".json") + ".unconfirmed.json" == unconfirmed
    assert confirmed != other


def test_the_name_stays_in_the_folder(tmp_path: Path) -> None:
    """An engine called like a path does not lead out of the folder."""
    folder = tmp_path / "failures"

    path = save(changed(engine="../../a/b:c d"), folder)

    assert folder == path.parent
    assert [path] == list(folder.iterdir())


def test_a_save_that_fails_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saving is atomic: broken off, it leaves the old file whole and no other."""
    path = save(heartbeat_failure(), tmp_path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        save(heartbeat_failure(), tmp_path)

    assert [path] == list(tmp_path.iterdir())
    assert before == path.read_bytes()


def test_the_file_is_never_seen_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the whole content is written, the final name does not exist."""
    seen: list[tuple[list[str], bytes]] = []
    replace = Path.replace

    def spying(self: Path, target: Path) -> Path:
        names = [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")]
        seen.append((names, self.read_bytes()))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", spying)
    path = save(heartbeat_failure(), tmp_path)

    assert [([], path.read_bytes())] == seen


def test_make_failure_saves_the_schedule_that_the_run_followed() -> None:
    """The saved schedule is that of the run, not that of the scenario."""
    asked = Schedule(classes={"2/start": 1, "99/start": 2})
    history = run(heartbeat_scenario(asked), find_engine(FAULTY).make_adapter)
    violation = heartbeat_failure().violation

    failure = make_failure(FAULTY, history, violation, confirmed=False)

    assert history.schedule == failure.scenario.schedule
    assert "99/start" not in failure.scenario.schedule.classes


def test_the_labels_of_steps_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a history is, a failure file holds so many labels at most."""
    monkeypatch.setattr(module, "MOST_STEPS", 3)
    history = run(heartbeat_scenario(), find_engine(FAULTY).make_adapter)

    failure = make_failure(
        FAULTY, history, heartbeat_failure().violation, confirmed=True
    )

    assert heartbeat_failure().steps[:3] == failure.steps
