"""What one fuzzing run leaves to the next: seeds done, a corpus, and what broke off.

```
fuzz/ENGINE/
  runs.jsonl     a line when a run begins, and one when it ends: seed, counts, failures
  corpus/        workloads that reached a place in the engine that none before had
  under-way/     what each worker is running now
  broken-off/    what a worker was running when it died
```
Everything is written before it is needed: a run that is killed leaves all of it.
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
    """What is known of one engine from all fuzzing runs in a folder.

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
        """What was noted of each run, oldest first; a torn line is left out."""
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
        """A seed of which nothing was run yet."""
        done = {note.get("seed") for note in self.runs()}
        while (seed := secrets.randbelow(2**32)) in done:
            pass
        return seed

    def begin(self, profile: str, seed: int) -> list[Path]:
        """Notes a run before it begins; what an earlier one broke off in, if any.

        Raises:
            OSError: the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        salvaged = self.salvage()
        self._note(note="began", engine=self.engine, profile=profile, seed=seed)
        return salvaged

    def end(self, result: Result) -> None:
        """Notes what a run did."""
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

    def salvage(self, told: Collection[int] = ()) -> list[Path]:
        """Moves what dead workers were running to where it stays; the new paths.

        But for those of the processes that are `told` of already.
        """
        kept = []
        for path in sorted(self.under_way.glob("*.json")):
            if psutil.pid_exists(process_of(path)):
                continue
            digest = sha256(path.read_bytes()).hexdigest()[:8]
            self.broken_off.mkdir(exist_ok=True)
            moved = path.replace(self.broken_off / f"{digest}.json")
            if process_of(path) not in told:
                kept.append(moved)
        return kept

    def kept(self) -> list[InFlightRun]:
        """The corpus, in the order of its names; a file that is no workload is left
        out."""
        found = []
        for path in sorted(self.corpus.glob("*.json")):
            try:
                found.append(load_in_flight(path))
            except BadWorkload:
                continue
        return found


class CorpusWriter:
    """A worker's share of the database: keeps what it runs, and what was worth it."""

    def __init__(self, database: Database, profile: str, seed: int) -> None:
        self.database = database
        self.profile = profile
        self.seed = seed
        self._corpus = database.kept()
        self._known = {place for one in self._corpus for place in one.places}
        self._journal = InFlightLog(database.under_way)
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
        """The runs of this workload come next."""
        self._drawn = InFlightRun(
            engine=self.database.engine,
            profile=self.profile,
            seed=self.seed,
            number=workload.number,
            workload=workload.scenario,
            search=(*workload.search,),
        )

    def begin(self, run: int, scenario: Scenario) -> None:
        """Keeps the scenario that is run next."""
        assert self._drawn is not None
        self._journal.begin(
            msgspec.structs.replace(self._drawn, run=run, scenario=scenario)
        )

    def keep(self, workload: Workload, places: set[tuple[str, str]]) -> None:
        """Keeps the workload if it reached a place that was not known."""
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
        """Nothing is under way any more."""
        self._journal.end()


def read_workload(path: Path) -> Workload:
    """The workload of a file in a corpus, or of one that broke off.

    Raises:
        BadWorkload: the file holds none.
    """
    from isolation_spec.strategies.schedules import SearchParameters
    from isolation_spec.strategies.workloads import Workload

    found = load_in_flight(path)
    return Workload(found.workload, SearchParameters(*found.search), found.number)
