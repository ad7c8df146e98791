"""Keeps the seeds and the corpus of a fuzzing run, and scenarios that broke it off.

```
fuzz/ENGINE/
  runs.jsonl     a line when a run begins, and one when it ends: seed, counts, failures
  corpus/        workloads that reached a new await site of the engine
  under-way/     the scenario of each worker, now
  broken-off/    the scenarios of workers that died
```
All of it is written before it is needed, so that a killed run leaves it whole.
"""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Collection, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psutil

from isolation_spec.model.scenario import Scenario
from isolation_spec.search.in_flight import (
    BadWorkload,
    InFlightLog,
    InFlightRun,
    load_in_flight,
    process_of,
)

if TYPE_CHECKING:
    from isolation_spec.search.result import Result
    from isolation_spec.strategies.workloads import Workload

__all__ = ["CorpusWriter", "Database", "read_workload"]


class Database:
    """The files of all fuzzing runs of one engine in a folder.

    Attributes:
        folder: of this engine alone.
    """

    def __init__(self, folder: Path, engine: str) -> None:
        safe = "".join(c if c.isalnum() or c in "-+." else "-" for c in engine)
        self.engine = engine
        self.folder = folder / safe
        self.corpus = self.folder / "corpus"
        self.under_way = self.folder / "under-way"
        self.broken_off = self.folder / "broken-off"

    def runs(self) -> list[dict[str, Any]]:
        """The notes of all runs, oldest first, without a torn line."""
        try:
            lines = (self.folder / "runs.jsonl").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        notes = []
        for line in lines:
            try:
                notes.append(json.loads(line))
            except ValueError:
                continue
        return [note for note in notes if isinstance(note, dict)]

    def fresh_seed(self) -> int:
        """A seed that no run began with."""
        done = {note.get("seed") for note in self.runs()}
        while (seed := secrets.randbelow(2**32)) in done:
            pass
        return seed

    def begin(self, profile: str, seed: int) -> list[Path]:
        """Notes a run before it begins; returns the scenarios that ended earlier runs.

        Raises:
            OSError: the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        salvaged = self.salvage()
        self._note(note="began", engine=self.engine, profile=profile, seed=seed)
        return salvaged

    def end(self, result: Result) -> None:
        """Notes the result of a run."""
        self._note(
            note="ended",
            engine=self.engine,
            profile=result.profile,
            seed=result.seed,
            workloads=result.examples,
            interleavings=result.interleavings,
            seconds=result.seconds,
            verdict=str(result.verdict),
            failures=list(result.failures),
        )

    def _note(self, **fields: Any) -> None:
        with (self.folder / "runs.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(fields) + "\n")

    def salvage(self, reported: Collection[int] = ()) -> list[Path]:
        """Moves the scenarios of dead workers to `broken-off`; returns the new paths.

        Scenarios of `reported` processes are moved, but not returned.
        """
        salvaged = []
        for path in sorted(self.under_way.glob("*.json")):
            if psutil.pid_exists(process_of(path)):
                continue
            digest = sha256(path.read_bytes()).hexdigest()[:8]
            self.broken_off.mkdir(exist_ok=True)
            moved = path.replace(self.broken_off / f"{digest}.json")
            if process_of(path) not in reported:
                salvaged.append(moved)
        return salvaged

    def workloads(self) -> list[InFlightRun]:
        """The corpus, in the order of its names, without unreadable files."""
        found = []
        for path in sorted(self.corpus.glob("*.json")):
            try:
                found.append(load_in_flight(path))
            except BadWorkload:
                continue
        return found


class CorpusWriter:
    """Writes the scenarios of one worker, and its additions to the corpus."""

    def __init__(self, database: Database, profile: str, seed: int) -> None:
        self.database = database
        self.profile = profile
        self.seed = seed
        self._corpus = database.workloads()
        self._known = {place for one in self._corpus for place in one.places}
        self._log = InFlightLog(database.under_way)
        self._drawn: InFlightRun | None = None

    def workloads(self, first: int, stride: int) -> Iterator[Workload]:
        """Yields a worker's part of the corpus, to be searched in a new way."""
        from isolation_spec.strategies.schedules import SearchParameters
        from isolation_spec.strategies.workloads import Workload

        for index, one in list(enumerate(self._corpus))[first::stride]:
            seed = random.Random(f"{self.seed}/{index}").getrandbits(32)
            search = SearchParameters(*one.search)._replace(seed=seed)
            yield Workload(one.workload, search, number=-1 - index)

    def draw(self, workload: Workload) -> None:
        """The next runs are of this workload."""
        self._drawn = InFlightRun(
            engine=self.database.engine,
            profile=self.profile,
            seed=self.seed,
            number=workload.number,
            workload=workload.scenario,
            search=(*workload.search,),
        )

    def begin(self, run: int, scenario: Scenario) -> None:
        """Writes the scenario of the next run."""
        assert self._drawn is not None
        self._log.begin(
            msgspec.structs.replace(self._drawn, run=run, scenario=scenario)
        )

    def keep(self, workload: Workload, places: set[tuple[str, str]]) -> None:
        """Adds the workload to the corpus if it reached a new await site."""
        new = places - self._known
        if not new or self._drawn is None:
            return
        self._known |= new
        kept = msgspec.structs.replace(self._drawn, places=tuple(sorted(new)))
        data = msgspec.json.encode(kept)
        self.database.corpus.mkdir(parents=True, exist_ok=True)
        path = self.database.corpus / f"{sha256(data).hexdigest()[:16]}.json"
        temporary = path.with_suffix(".writing")
        temporary.write_bytes(data)
        temporary.replace(path)

    def end(self) -> None:
        """No run is under way."""
        self._log.end()


def read_workload(path: Path) -> Workload:
    """The workload of a file in `corpus` or `broken-off`.

    Raises:
        BadWorkload: the file holds no workload.
    """
    from isolation_spec.strategies.schedules import SearchParameters
    from isolation_spec.strategies.workloads import Workload

    found = load_in_flight(path)
    return Workload(found.workload, SearchParameters(*found.search), found.number)
