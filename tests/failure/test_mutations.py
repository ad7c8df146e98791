"""Loading any file succeeds, or refuses it in one way, and cheaply.

`ISOLATION_SPEC_MUTATIONS=100000 pytest tests/failure/test_fuzz.py -s` runs the full
figure, holds it to 50 ms and 20 MiB, and prints the most that any file took.
"""

import gc
import os
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from isolation_spec.diagnosis.ablation import diagnose
from isolation_spec.diagnosis.explanation import explain
from isolation_spec.engines.registry import find_engine
from isolation_spec.failure import BadFailureFile, Failure, Outcome, load, replay
from isolation_spec.failure.export import export_test
from tests.failure.mutations import bases, extremes, mutants

pytestmark = pytest.mark.slow

FULL = int(os.environ.get("ISOLATION_SPEC_MUTATIONS", "0"))
MUTATIONS = FULL or 2000
REPLAYS = 2000 if FULL else 40
SECONDS = 0.05 if FULL else 2.0
"""Of this thread's own time; without the full figure a machine may be busy."""
BYTES = 20 * 1024 * 1024


@pytest.fixture(autouse=True)
def _small_heap() -> Iterator[None]:
    """The collector looks at what loading makes, not at all that the tests hold."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


class Cost:
    """The most that any load took."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "some.json"
        self.seconds = self.bytes = 0.0
        self.loaded = self.refused = 0

    def load(self, data: bytes, *, memory: bool) -> Failure | None:
        """Loads a file with that text; None if it is refused, in one line."""
        self.path.write_bytes(data)
        if memory:
            tracemalloc.start()
        failure, said = None, f"{self.path}"
        began = time.thread_time()
        try:
            failure = load(self.path)
        except BadFailureFile as error:
            said = str(error)
        took = time.thread_time() - began
        if memory:
            self.bytes = max(self.bytes, tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        else:
            self.seconds = max(self.seconds, took)
        assert str(self.path) in said
        assert "\n" not in said
        assert len(said) < 1000
        self.loaded += failure is not None
        self.refused += failure is None
        return failure

    def check(self, name: str) -> None:
        print(
            f"{name}: {self.loaded} loaded, {self.refused} refused, at most "
            f"{self.seconds * 1000:.1f} ms and {self.bytes / 2**20:.1f} MiB"
        )
        assert self.seconds < SECONDS
        assert self.bytes < BYTES


def test_mutated_files_load_or_are_refused(tmp_path: Path) -> None:
    """Each mutated file gives a failure or the one typed error, at a bounded cost."""
    cost = Cost(tmp_path)
    for number, data in enumerate(mutants(0, MUTATIONS)):
        cost.load(data, memory=False)
        if not number % 20:
            cost.load(data, memory=True)

    cost.check("mutations")
    assert min(cost.loaded, cost.refused) > MUTATIONS // 20


def test_the_costliest_files_are_cheap(tmp_path: Path) -> None:
    """Files made to be slow or large to load are refused or loaded as cheaply."""
    cost = Cost(tmp_path)
    for name, data in extremes():
        before = cost.seconds, cost.bytes
        for memory in (False, True):
            cost.load(data, memory=memory)
        if before != (cost.seconds, cost.bytes):
            print(f"{name}: {cost.seconds * 1000:.1f} ms, {cost.bytes / 2**20:.1f} MiB")

    cost.check("extremes")
    assert min(cost.loaded, cost.refused) > 4


def altered(folder: Path) -> Iterator[Failure]:
    """Yields failures that load, and whose scenario is none that was written."""
    cost = Cost(folder)
    seen = {msgspec.json.encode(load_base(cost, data).scenario) for data in bases()}
    for data in mutants(1, 100 * REPLAYS):
        failure = cost.load(data, memory=False)
        if failure is None or len(failure.scenario.operations) > 400:
            continue
        scenario = msgspec.json.encode(failure.scenario)
        if scenario not in seen:
            seen.add(scenario)
            yield failure


def load_base(cost: Cost, data: bytes) -> Failure:
    failure = cost.load(data, memory=False)
    assert failure is not None
    return failure


def test_what_loads_can_be_replayed_explained_and_exported(tmp_path: Path) -> None:
    """A mutated scenario ends in an outcome, in words, and in a test."""
    engine = find_engine("reference")
    outcomes: dict[Outcome, int] = {}
    explained = 0
    for number, failure in enumerate(altered(tmp_path)):
        if number == REPLAYS:
            break
        replayed = replay(failure, engine)
        outcomes[replayed.outcome] = outcomes.get(replayed.outcome, 0) + 1
        if replayed.history is not None and replayed.judgement is not None:
            for violation in (failure.violation, *replayed.judgement.violations):
                story = diagnose(replayed.history, violation, engine.make_adapter)
                assert explain(story).lines()
                explained += 1
        compile(export_test(failure, failure.engine), "test_it.py", "exec")

    print(outcomes)
    assert sum(outcomes.values()) == REPLAYS
    assert explained >= REPLAYS - outcomes.get(Outcome.UNSUPPORTED, 0) > 0
