"""The failure file round-trips, refuses everything else, and replays to an outcome."""

import copy
import functools
import json
import os
import stat
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest

from isolation_spec import failure as module
from isolation_spec.adapters import find_engine
from isolation_spec.claims import Judgement, Verdict, judge
from isolation_spec.failure import (
    BadFailureFile,
    Failure,
    Outcome,
    load,
    make_failure,
    replay,
    save,
)
from isolation_spec.run import run
from isolation_spec.scenario import (
    AdvanceTime,
    CollectGarbage,
    Connect,
    Demotion,
    OpenContext,
    Scenario,
    Schedule,
    User,
)

FAULTY = "reference+heartbeat-survives"
SECONDS = 5.0
"""More than any file may take to be refused, on a busy machine."""
MEGABYTES = 64
"""Less than reading a whole large file would take."""


def heartbeat_scenario(schedule: Schedule | None = None) -> Scenario:
    return Scenario(
        users=(User(label="alice", id="alice"),),
        operations=(OpenContext(id=2, user=0, context="x2", thread="t"),),
        schedule=schedule or Schedule(),
    )


@functools.cache
def heartbeat_failure() -> Failure:
    adapter = find_engine(FAULTY).make_adapter
    history = run(heartbeat_scenario(), adapter)
    judgements = judge(history, adapter().capabilities)
    (violation, *_) = next(j for j in judgements if j.claim == "teardown").violations
    return make_failure(FAULTY, history, violation, confirmed=True)


def changed(**fields: Any) -> Failure:
    return msgspec.structs.replace(heartbeat_failure(), **fields)


def as_data() -> Any:
    return copy.deepcopy(msgspec.to_builtins(heartbeat_failure()))


def refusal(path: Path) -> str:
    """The one sentence with which a file is refused; quickly, and in little memory."""
    tracemalloc.start()
    began = time.perf_counter()
    try:
        with pytest.raises(BadFailureFile) as caught:
            load(path)
    finally:
        seconds = time.perf_counter() - began
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    text = str(caught.value)
    assert seconds < SECONDS, text
    assert peak < MEGABYTES * 1024 * 1024, text
    assert "\n" not in text
    assert str(path) in text
    return text


def refusal_of(folder: Path, content: Any) -> str:
    path = folder / "some.json"
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    path.write_bytes(content)
    return refusal(path)


# Saving


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
    """The saved schedule is that of the run, not that which was asked for."""
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


# What is no failure file


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"hello", "not JSON", id="not-json"),
        pytest.param(b"[]", "format", id="a-list"),
        pytest.param(b"null", "format", id="null"),
        pytest.param(b"{}", "format", id="no-format"),
        pytest.param(b'{"format": ["x"]}', "format", id="format-no-string"),
        pytest.param(b"\xff\xfe{}", "byte 0 is not UTF-8", id="not-utf8"),
        pytest.param(b'{"a": "\xc3', "byte 7 is not UTF-8", id="cut-character"),
        pytest.param(b"\xef\xbb\xbf{}", "BOM", id="byte-order-mark"),
        pytest.param(b"[" * 10_000, "nested deeper", id="deep-open"),
        pytest.param(b"[" * 10_000 + b"]" * 10_000, "nested deeper", id="deep"),
        pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "nested", id="deep-map"),
        pytest.param(b'{"a": 1, "a": 1}', "'a' stands twice", id="duplicate-keys"),
        pytest.param(b'{"a": NaN}', "NaN is not", id="nan"),
        pytest.param(b'{"a": -Infinity}', "-Infinity is not", id="infinity"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", "digits", id="long-number"),
        pytest.param(b"[" + b"[]," * 340_000 + b"[]]", "format", id="many-lists"),
        pytest.param(b" " * (1024 * 1024 + 1), "larger than", id="one-byte-too-many"),
    ],
)
def test_something_else_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    """What is no JSON, or JSON of something else, is refused in one sentence."""
    assert why in refusal_of(tmp_path, content)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    """A failure file cut off anywhere is refused."""
    whole = save(heartbeat_failure(), tmp_path).read_bytes().rstrip()

    reasons = {refusal_of(tmp_path, whole[:n]) for n in range(0, len(whole), 50)}

    assert all("not JSON at line" in reason for reason in reasons)


def test_duplicate_keys_are_found_quickly(tmp_path: Path) -> None:
    """Looking for the key that stands twice takes no longer than reading the file."""
    keys = ",".join(f'"k{n}":0' for n in range(40_000))

    assert "stands twice" in refusal_of(tmp_path, f'{{{keys},"k39999":0}}'.encode())


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """Three gigabytes are refused at the cost of one megabyte."""
    path = tmp_path / "huge.json"
    path.touch()
    os.truncate(path, 3 * 1024**3)

    assert "larger than 1048576 bytes" in refusal(path)


def test_an_endless_file_is_not_read(tmp_path: Path) -> None:
    """A device without an end is refused like a file that is too large."""
    path = tmp_path / "endless.json"
    path.symlink_to("/dev/zero")

    assert "not a regular file" in refusal(path)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    """A named pipe that nobody writes to is refused instead of waited for."""
    path = tmp_path / "pipe.json"
    os.mkfifo(path)
    script = (
        "import sys, pathlib\n"
        "from isolation_spec.failure import BadFailureFile, load\n"
        "try:\n"
        "    load(pathlib.Path(sys.argv[1]))\n"
        "except BadFailureFile as error:\n"
        "    print(error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        timeout=4,
        check=False,
    )

    assert str(path) in done.stdout


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is refused, and says so."""
    assert "No such file" in refusal(tmp_path / "missing.json")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A directory is refused, and says so."""
    assert "directory" in refusal(tmp_path)


def test_an_unreadable_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that may not be read is refused, and says so."""
    path = save(heartbeat_failure(), tmp_path)
    path.chmod(0)
    if os.access(path, os.R_OK):
        # The superuser may read everything, so the system's answer is given by hand.
        def denied(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", denied)

    assert "Permission denied" in refusal(path)


def test_a_future_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """A file of a later version says that a later isolation-spec reads it."""
    text = refusal_of(tmp_path, {**as_data(), "version": 2, "future": True})

    assert "its version is 2" in text
    assert "newer one" in text


@pytest.mark.parametrize("version", [0, -1, True, 1.5, "1", None, [1]])
def test_no_version_is_refused(tmp_path: Path, version: object) -> None:
    """Only the number 1 is version 1."""
    assert "version" in refusal_of(tmp_path, {**as_data(), "version": version})


def test_another_format_is_refused(tmp_path: Path) -> None:
    """A JSON file of another program is refused by its format."""
    assert '"format"' in refusal_of(tmp_path, {**as_data(), "format": "har"})


@pytest.mark.parametrize("field", sorted(Failure.__struct_fields__))
def test_every_field_is_needed_and_typed(tmp_path: Path, field: str) -> None:
    """A file without one of the fields, or with one of another type, is refused."""
    data = as_data()
    missing = {name: value for name, value in data.items() if name != field}

    assert field in refusal_of(tmp_path, missing)
    assert field in refusal_of(tmp_path, {**data, field: {"odd": [1]}})


@pytest.mark.parametrize("field", ["more", "a\nb", "\ud800", "x" * 100_000])
def test_unknown_fields_are_refused(tmp_path: Path, field: str) -> None:
    """A field that failure files do not have is refused, whatever it is called."""
    text = refusal_of(tmp_path, {**as_data(), field: 1})

    assert len(text) < 1000


def operations(*found: dict[str, Any]) -> Any:
    data = as_data()
    data["scenario"]["operations"] = list(found)
    return data


GARBAGE = {"operation": "collect_garbage"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(
            operations({"operation": "launch", "id": 1}), "'launch'", id="operation"
        ),
        pytest.param(
            operations({"operation": "lau\nnch", "id": 1}), "operation", id="newline"
        ),
        pytest.param(
            operations({**GARBAGE, "id": 1, "what": 2}), "what", id="field-inside"
        ),
        pytest.param(
            operations({**GARBAGE, "id": 1}, {**GARBAGE, "id": 1}), "unique", id="ids"
        ),
        pytest.param(
            operations({"operation": "cleanup_user", "id": 1, "user": 1}),
            "names user 1 of 1",
            id="user",
        ),
        pytest.param(
            operations({"operation": "cleanup_user", "id": 1, "user": -1}),
            "names user -1 of 1",
            id="negative-user",
        ),
        pytest.param(
            operations(*({**GARBAGE, "id": n} for n in range(10_001))),
            "more than 10000 operations",
            id="operations",
        ),
    ],
)
def test_other_scenarios_are_refused(tmp_path: Path, data: Any, why: str) -> None:
    """A scenario that could not be run is refused before anything of it is."""
    assert why in refusal_of(tmp_path, data)


def test_a_number_that_is_infinite_is_refused(tmp_path: Path) -> None:
    """A number too large for a float is no duration."""
    data = operations({"operation": "advance_time", "id": 1, "seconds": 77.5})

    assert refusal_of(tmp_path, json.dumps(data).replace("77.5", "1e999").encode())


@pytest.mark.parametrize("place", ["engine", "label", "id", "digest"])
def test_half_a_character_is_refused(tmp_path: Path, place: str) -> None:
    """A lone surrogate is no text, as it could be neither printed nor saved again."""
    data = as_data()
    where = data if place in data else data["scenario"]["users"][0]
    where[place] = "\ud800"

    assert refusal_of(tmp_path, data)


def test_too_many_users_are_refused(tmp_path: Path) -> None:
    """A scenario of more users than allowed is refused."""
    data = as_data()
    data["scenario"]["users"] = [
        {"label": f"user{n}", "id": f"user{n}"} for n in range(65)
    ]

    assert "more than 64 users" in refusal_of(tmp_path, data)


def test_an_unknown_claim_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    """A claim that this version does not make is refused; the known ones are listed."""
    text = refusal_of(tmp_path, {**as_data(), "claim": "x" * 5000})

    assert "context-ownership" in text
    assert "teardown" in text
    assert len(text) < 1000


AUDIT = """
import sys, pathlib
from isolation_spec.failure import BadFailureFile, load
path = pathlib.Path(sys.argv[1])
try:
    load(path)  # once before, so that what any first call imports does not count
except BadFailureFile:
    pass
seen = []
sys.addaudithook(lambda event, arguments: seen.append((event, arguments)))
try:
    load(path)
    outcome = "loaded"
except BadFailureFile:
    outcome = "refused"
for event, arguments in tuple(seen):
    print(event, arguments[0] if arguments else "")
print(outcome)
"""


@pytest.mark.parametrize("engine", ["os:system", "trap:factory"])
def test_loading_opens_the_file_and_does_nothing_else(
    tmp_path: Path, engine: str
) -> None:
    """Nothing that a file names is imported, opened, compiled or executed."""
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')\n")
    path = save(changed(engine=engine), tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", AUDIT, str(path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
        timeout=30,
    )

    assert f"open {path}\nloaded\n" == done.stdout


# Replaying


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
    assert replayed.note.startswith("at step 4: expected 'phase_started - 00000000'")


def test_a_run_of_another_length_says_so() -> None:
    """A saved run that ended earlier differs after its last step."""
    failure = changed(steps=heartbeat_failure().steps[:5], digest="0" * 64)

    replayed = replay(failure, find_engine(FAULTY).make_adapter)

    assert "after step 5 one run has more steps" == replayed.note


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
