"""A fuzzing run goes on from the one before, and repeats nothing of it."""

import json
import subprocess
import time
from pathlib import Path

import msgspec
import pytest

from isolation_spec.engines.registry import find_engine
from isolation_spec.search.corpus import CorpusWriter, Database, read_workload
from isolation_spec.search.events import Event, SearchStarted, WorkerCrashed
from isolation_spec.search.in_flight import InFlightLog, InFlightRun
from isolation_spec.search.plan import make_plan
from isolation_spec.search.verification import verify
from isolation_spec.search.worker_pool import WorkerPool
from isolation_spec.strategies.schedules import SearchParameters
from isolation_spec.strategies.workloads import Workload
from tests.search.test_in_flight import ENTRY, SCENARIO

WORKLOAD = Workload(SCENARIO, SearchParameters((1, 2), 0, True, 3), 2)
PLACE = ("run_agent", "engine/x.py:1")
OTHER = ("read", "engine/x.py:2")


def dead_process() -> int:
    done = subprocess.Popen(["true"])
    done.wait()
    return done.pid


def corpus(folder: Path, seed: int = 1) -> CorpusWriter:
    return CorpusWriter(Database(folder, "reference"), "fuzz", seed)


def test_seeds_are_fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seed that a run began with is never given again, even if that run died."""
    drawn = iter([5, 5, 5, 6])
    monkeypatch.setattr("secrets.randbelow", lambda _: next(drawn))
    database = Database(tmp_path, "reference")
    first = database.fresh_seed()
    database.begin("fuzz", first)

    assert (5, 6) == (first, Database(tmp_path, "reference").fresh_seed())


def test_engines_have_nothing_in_common(tmp_path: Path) -> None:
    """Each engine has a folder of its own, for any name."""
    names = ("reference", "reference+x", "my.module:Adapter")
    folders = {Database(tmp_path, name).folder for name in names}

    assert len(names) == len(folders)
    assert {tmp_path} == {folder.parent for folder in folders}


def test_a_torn_line_is_no_trouble(tmp_path: Path) -> None:
    """The notes leave out a line that a killed run wrote in part."""
    database = Database(tmp_path, "reference")
    database.begin("fuzz", 1)
    with (database.folder / "runs.jsonl").open("a") as file:
        file.write('{"note": "en')

    assert [1] == [note["seed"] for note in database.runs()]


def test_a_workload_that_reached_a_new_place_is_kept(tmp_path: Path) -> None:
    """The next run begins with it, searched in another way; an old await site adds no
    workload."""
    first = corpus(tmp_path)
    for places in ({PLACE}, {PLACE}, {PLACE, OTHER}):
        first.draw(WORKLOAD)
        first.keep(WORKLOAD, places)
    second = corpus(tmp_path, seed=2)
    again = list(second.workloads(0, 1))

    assert 2 == len(again)
    assert {-1, -2} == {workload.number for workload in again}
    assert [SCENARIO] * 2 == [workload.scenario for workload in again]
    assert WORKLOAD.search not in [workload.search for workload in again]

    second.draw(WORKLOAD)
    second.keep(WORKLOAD, {PLACE, OTHER})

    assert 2 == len(second.database.workloads())


def test_workers_share_the_corpus(tmp_path: Path) -> None:
    """Each workload of it is searched by one worker alone."""
    first = corpus(tmp_path)
    for number in range(5):
        first.draw(WORKLOAD)
        first.keep(WORKLOAD, {("read", str(number))})
    second = corpus(tmp_path, seed=2)
    numbers = [[w.number for w in second.workloads(n, 2)] for n in range(2)]

    assert [3, 2] == [len(part) for part in numbers]
    assert {-1, -2, -3, -4, -5} == {number for part in numbers for number in part}


def test_a_corpus_file_that_is_none_is_left_out(tmp_path: Path) -> None:
    """A damaged file prevents no fuzzing."""
    first = corpus(tmp_path)
    first.draw(WORKLOAD)
    first.keep(WORKLOAD, {PLACE})
    (first.database.corpus / "0.json").write_text("{")

    assert 1 == len(corpus(tmp_path).database.workloads())


def test_the_scenario_of_a_dead_worker_is_salvaged(tmp_path: Path) -> None:
    """The next run keeps it for good and says where; that of a living one stays."""
    database = Database(tmp_path, "reference")
    log = InFlightLog(database.under_way)
    log.begin(ENTRY)
    dead = database.under_way / f"{dead_process()}.json"
    dead.write_bytes(msgspec.json.encode(msgspec.structs.replace(ENTRY, run=9)))

    (kept,) = database.begin("fuzz", 1)

    assert log.path.exists()
    assert not dead.exists()
    assert database.broken_off == kept.parent
    workload = read_workload(kept)
    assert (SCENARIO, SearchParameters((1, 2), 0, True, 3)) == workload[:2]


# Whole runs


def fuzzed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> list[InFlightRun]:
    """The log entry of each run of a short search, two workloads long."""
    entries: list[InFlightRun] = []
    begin = InFlightLog.begin

    def spy(log: InFlightLog, entry: InFlightRun) -> None:
        begin(log, entry)
        entries.append(entry)

    plan = make_plan(find_engine("reference"), examples=2, seed=seed, fuzz=folder)
    with monkeypatch.context() as patch:
        patch.setattr(InFlightLog, "begin", spy)
        statistics = WorkerPool(plan, lambda _: None).run()

    assert statistics.runs == len(entries)
    return entries


@pytest.mark.slow
def test_a_second_run_never_repeats_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins with the corpus of the first run, under other schedules."""
    first = fuzzed(tmp_path, monkeypatch, 1)
    second = fuzzed(tmp_path, monkeypatch, 2)

    def runs(entries: list[InFlightRun]) -> set[tuple[bytes, object, int]]:
        return {(e.workload.to_json(), e.search, e.run) for e in entries}

    assert set() == runs(first) & runs(second)
    assert len(first) == len(runs(first))
    assert second[0].number < 0
    assert second[0].workload in [entry.workload for entry in first]
    assert [] == list(Database(tmp_path, "reference").under_way.iterdir())


@pytest.mark.slow
def test_a_run_is_noted_with_its_seed(tmp_path: Path) -> None:
    """The seed is reported at the beginning, recorded, and never the same."""
    events: list[Event] = []
    for _ in range(2):
        verify(
            find_engine("reference"),
            profile="fuzz",
            processes=0,
            max_time=0.001,
            fuzz=tmp_path / "fuzz",
            folder=tmp_path / "failures",
            listen=events.append,
            started=time.monotonic(),
        )
    seeds = [event.seed for event in events if isinstance(event, SearchStarted)]
    notes = Database(tmp_path / "fuzz", "reference").runs()

    assert 2 == len(set(seeds))
    assert [s for s in seeds for _ in range(2)] == [note["seed"] for note in notes]
    assert ["began", "ended"] * 2 == [note["note"] for note in notes]
    assert not any(isinstance(event, WorkerCrashed) for event in events)
    assert 1 == json.loads(json.dumps(notes[1]))["workloads"]
