"""Replays failures of a search in processes with other hash seeds.

Each fresh process replays every failure once. The digests of the histories
are compared, so that one byte in one step counts.
"""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from isolation_spec.claims import CLAIMS
from isolation_spec.diagnosis.shrink.sort_key import size
from isolation_spec.engines.faults import FAULTS
from isolation_spec.engines.registry import Engine, find_engine
from isolation_spec.execution.containment import without_pool_warnings
from isolation_spec.execution.control_runs import judge_run
from isolation_spec.execution.run import run
from isolation_spec.failure import Failure, Outcome, load, make_failure, replay, save
from isolation_spec.model.history.history import History

if TYPE_CHECKING:
    from isolation_spec.strategies.schedules import ScheduledRun
    from isolation_spec.strategies.workloads import Workload

__all__ = [
    "Replayed",
    "Replays",
    "gather",
    "measure_replays",
    "replay_folder",
]

_PROFILE = "quick"
_WORKLOADS = 4
_SCHEDULES = 5
_EACH = 3
"""Failures of one fault under one seed, at most."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """One replay of one failure: the digest of its history, and its outcome."""

    file: str
    digest: str
    outcome: Outcome


class Replays(msgspec.Struct, frozen=True, kw_only=True):
    """So many failures, each replayed once in each of so many fresh processes.

    Attributes:
        faults: different ones that the failures are of.
        identical: replays whose digest is that of the process that found the failure.
        reproduced: replays that violated the same claim.
        hash_seeds: PYTHONHASHSEED of each process.
        unlike: files of which some replay was not identical.
    """

    failures: int
    faults: int
    processes: int
    identical: int
    reproduced: int
    hash_seeds: tuple[int, ...]
    unlike: tuple[str, ...]

    @property
    def replays(self) -> int:
        """How many there were in all."""
        return self.failures * self.processes

    def to_json(self) -> bytes:
        """The figures as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def measure_replays(
    failures: int,
    processes: int,
    *,
    progressed: Callable[[str], None] = lambda _: None,
) -> Replays:
    """Finds so many failures, and replays each in so many fresh processes."""
    with tempfile.TemporaryDirectory(prefix="isolation-spec-") as name:
        folder = Path(name)
        kept: dict[str, Failure] = {}
        for failure in gather():
            kept[save(failure, folder).name] = failure
            progressed(f"failures: {len(kept)} of {failures}")
            if len(kept) == failures:
                break
        chance = random.Random(os.urandom(8))
        seeds = tuple(chance.randrange(2**32) for _ in range(processes))
        shown: list[Replayed] = []
        for replayed in _in_processes(folder, seeds):
            shown += replayed
            progressed(f"replays: {len(shown):,} of {len(kept) * processes:,}")
    return _compared(kept, seeds, shown)


def _compared(
    kept: dict[str, Failure], seeds: tuple[int, ...], shown: list[Replayed]
) -> Replays:
    same = [one for one in shown if one.digest == kept[one.file].digest]
    alike = dict.fromkeys(kept, 0)
    for one in same:
        alike[one.file] += 1
    return Replays(
        failures=len(kept),
        faults=len({failure.engine for failure in kept.values()}),
        processes=len(seeds),
        identical=len(same),
        reproduced=sum(one.outcome is Outcome.REPRODUCED for one in shown),
        hash_seeds=seeds,
        unlike=tuple(name for name, count in alike.items() if count < len(seeds)),
    )


# Failures


def gather() -> Iterator[Failure]:
    """Yields failures as a search finds them, of all faults in turn, unshrunk.

    Each has at least two users at work, and one decision or disruption that a replay
    must repeat; they differ in workload or schedule. It goes on for ever, so the caller
    ends it. Noninterference is not judged: it would find the same again, for twice the
    time.
    """
    from isolation_spec.strategies.profiles import find_profile
    from isolation_spec.strategies.workloads import draw_workloads

    for seed in itertools.count():
        drawn = draw_workloads(
            find_profile(_PROFILE), seed=seed, examples=_WORKLOADS + 1
        )
        # The smallest workload is the same under every seed.
        workloads = list(drawn)[1:]
        for fault in FAULTS:
            engine = find_engine(f"reference+{fault.id}")
            yield from itertools.islice(_failing(engine, workloads), _EACH)


def _failing(engine: Engine, workloads: list[Workload]) -> Iterator[Failure]:
    from isolation_spec.strategies.cancellations import FirstRunReport
    from isolation_spec.strategies.seeded_schedules import first_run, seeded_runs

    def run_once(scheduled: ScheduledRun) -> History:
        scenario, scheduler, count_steps = scheduled
        return run(
            scenario, engine.make_adapter, scheduler=scheduler, count_steps=count_steps
        )

    for scenario, search, _ in workloads:
        history = run_once(first_run(scenario, search))
        yield from _failures(engine, history)
        first = FirstRunReport(history.steps, choices=history.choices)
        for scheduled in seeded_runs(scenario, search, _SCHEDULES, first):
            yield from _failures(engine, run_once(scheduled))


def _failures(engine: Engine, history: History) -> Iterator[Failure]:
    scenario = msgspec.structs.replace(history.scenario, schedule=history.schedule)
    users = {operation.user for operation in scenario.operations}
    _, decisions, _ = size(scenario)
    if len(users - {None}) < 2 or not decisions:
        return
    capabilities = engine.make_adapter().capabilities
    claims = tuple(claim for claim in CLAIMS if not claim.compares)
    for judgement in judge_run(history, engine.make_adapter, capabilities, claims):
        for violation in judgement.violations[:1]:
            yield make_failure(engine.name, history, violation, confirmed=False)
            return


# Fresh processes


def _in_processes(folder: Path, seeds: tuple[int, ...]) -> Iterator[list[Replayed]]:
    """Yields the replays of each process; one process for each core runs at once."""
    cores = os.cpu_count() or 1
    for begin in range(0, len(seeds), cores):
        working = [_start(folder, seed) for seed in seeds[begin : begin + cores]]
        for process in working:
            out, _ = process.communicate()
            if process.returncode:
                message = (
                    f"a process that replays failures ended with {process.returncode}"
                )
                raise RuntimeError(message)
            yield msgspec.json.decode(out, type=list[Replayed])


def _start(folder: Path, hash_seed: int) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": path}
    command = [
        sys.executable,
        "-m",
        "isolation_spec.measurement.replay_fidelity",
        str(folder),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)


@without_pool_warnings()
def replay_folder(folder: Path) -> list[Replayed]:
    """Replays every failure file of a folder once."""
    shown = []
    for path in sorted(folder.glob("*.json")):
        failure = load(path)
        made = replay(failure, find_engine(failure.engine).make_adapter)
        digest = "" if made.history is None else made.history.digest()
        shown.append(Replayed(file=path.name, digest=digest, outcome=made.outcome))
    return shown


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(replay_folder(Path(sys.argv[1]))))
