"""One search for all tests of an engine, in one process or in several."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec

from isolation_spec.claims import Verdict, Violation
from isolation_spec.contract.errors import AdapterError
from isolation_spec.diagnosis.wording import describe_reason
from isolation_spec.engines.registry import Engine
from isolation_spec.report.failure_text import failure_lines
from isolation_spec.search.events import Event, FailureFound, FailureSaved
from isolation_spec.search.result import Result
from isolation_spec.search.verification import verify

__all__ = ["SavedFinding", "Searched", "Searches", "search_engine"]


class SavedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A violation, its file, and its explanation; unconfirmed, in one line.

    `summary` is the statement of the claim, "" for one line.
    """

    violation: Violation
    path: str
    confirmed: bool
    text: str
    summary: str = ""


class Searched(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The outcome of the search of one engine.

    Attributes:
        where: the node id of the test case.
        found: the violations by the ids of their claims.
        error: the reason why no result exists, "" if one does.
    """

    where: str
    engine: str
    profile: str
    result: Result | None = None
    found: dict[str, SavedFinding] = {}
    error: str = ""

    @property
    def violated(self) -> tuple[str, ...]:
        """The claims whose violation was confirmed by a replay."""
        return tuple(claim for claim, one in self.found.items() if one.confirmed)

    def verdict(self, claim: str) -> tuple[Verdict, int, str]:
        """Returns the verdict of a claim, its evidence and the reason behind it."""
        if self.result is None:
            return Verdict.INCONCLUSIVE, 0, self.error
        (one,) = (one for one in self.result.claims if one.id == claim)
        finding = self.found.get(claim)
        if finding is not None and not finding.confirmed:
            reason = f"violated once, but not deterministic; saved in {finding.path}"
            return Verdict.INCONCLUSIVE, one.evidence, reason
        return one.verdict, one.evidence, describe_reason(claim, one.reason)


def search_engine(
    engine: Engine,
    *,
    where: str,
    profile: str,
    folder: Path,
    shown: Callable[[Path], str],
) -> Searched:
    """Searches the engine in this process; any exception becomes an error text.

    `shown` returns the path of a failure file as the user would write it. An interrupt
    ends the search, and the result holds the findings until then.
    """
    found: dict[str, SavedFinding] = {}

    def listen(event: Event) -> None:
        if isinstance(event, FailureFound | FailureSaved):
            path = shown(Path(event.path)) if event.path else ""
            found[event.violation.claim] = _finding(event, path, engine)

    result, error = None, ""
    try:
        result = verify(
            engine, profile=profile, processes=0, folder=folder, listen=listen
        )
    except (AdapterError, KeyError) as broken:
        error = str(broken.args[0])
    except (Exception, SystemExit) as broken:
        error = f"the search broke off: {type(broken).__name__}: {broken}"
    return Searched(
        where=where,
        engine=engine.name,
        profile=profile,
        result=result,
        found=found,
        error=error,
    )


def _finding(
    event: FailureFound | FailureSaved, path: str, engine: Engine
) -> SavedFinding:
    violation = event.violation
    if isinstance(event, FailureFound):
        text = f"{violation.claim}: {event.observation}"
        return SavedFinding(violation=violation, path=path, confirmed=False, text=text)
    lines = failure_lines(msgspec.structs.replace(event, path=path))
    return SavedFinding(
        violation=violation,
        path=path,
        confirmed=event.confirmed,
        text="\n".join(lines),
        summary=" ".join(event.explanation.claim) if event.explanation else "",
    )


class Searches:
    """The searches of a session, each made once.

    pytest-xdist spreads the tests of one engine over processes. The first process makes
    the search, and the others wait for its file in the `shared` folder.
    """

    def __init__(self, shared: Path | None) -> None:
        self._shared = shared
        self._known: dict[str, Searched] = {}

    def get(self, where: str, make: Callable[[], Searched]) -> Searched:
        """Returns the search of the test case `where`, and makes it the first time."""
        if where not in self._known:
            if self._shared is None:
                self._known[where] = make()
            else:
                self._known[where] = _share(self._shared, where, make)
        return self._known[where]


def _share(folder: Path, where: str, make: Callable[[], Searched]) -> Searched:
    """Makes a search unless another process has, and leaves its outcome in a folder."""
    from filelock import FileLock

    base = folder / sha256(where.encode()).hexdigest()[:16]
    done, begun = base.with_suffix(".json"), base.with_suffix(".begun")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(base.with_suffix(".lock")):
        if done.exists():
            return msgspec.json.decode(done.read_bytes(), type=Searched)
        # A second search would end this process as the first one ended that process.
        if begun.exists():
            error = "the process that searched this engine ended all at once"
            return Searched(where=where, engine="", profile="", error=error)
        begun.touch()
        searched = make()
        base.with_suffix(".new").write_bytes(msgspec.json.encode(searched))
        base.with_suffix(".new").replace(done)
        return searched
