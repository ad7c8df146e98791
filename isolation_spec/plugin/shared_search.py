"""One search for all tests of an engine, in whatever process they run."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec

from isolation_spec.claims import Verdict, Violation
from isolation_spec.contract.errors import AdapterError
from isolation_spec.engines.registry import Engine
from isolation_spec.report.failure_text import failure_lines
from isolation_spec.search.events import Event, FailureFound, FailureSaved
from isolation_spec.search.result import Result
from isolation_spec.search.verification import verify

__all__ = ["SavedFinding", "Searched", "Searches", "search_engine"]


class SavedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A violation, where it is saved, and its story; unconfirmed, in one line."""

    violation: Violation
    path: str
    confirmed: bool
    story: str


class Searched(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What the search of one engine gave.

    Attributes:
        where: the node id of the test case.
        found: the violations by the ids of their claims.
        error: why there is no result, "" if there is one.
    """

    where: str
    engine: str
    profile: str
    result: Result | None = None
    found: dict[str, SavedFinding] = {}
    error: str = ""

    @property
    def violated(self) -> tuple[str, ...]:
        """The claims that are violated, and were so again when replayed."""
        return tuple(claim for claim, one in self.found.items() if one.confirmed)

    def verdict(self, claim: str) -> tuple[Verdict, int, str]:
        """How a claim stands: its verdict, its evidence, and why it is inconclusive."""
        if self.result is None:
            return Verdict.INCONCLUSIVE, 0, self.error
        (one,) = (one for one in self.result.claims if one.id == claim)
        finding = self.found.get(claim)
        if finding is not None and not finding.confirmed:
            reason = f"violated once, but not deterministic; saved in {finding.path}"
            return Verdict.INCONCLUSIVE, one.evidence, reason
        return one.verdict, one.evidence, one.reason


def search_engine(
    engine: Engine,
    *,
    where: str,
    profile: str,
    folder: Path,
    shown: Callable[[Path], str],
) -> Searched:
    """Searches the engine in this process; whatever goes wrong becomes an error text.

    `shown` is how the path of a failure file is written for the user.

    An interrupt ends the search, and what was found until then is in the result.
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
    confirmed, text = False, event.violation.sentence()
    if isinstance(event, FailureSaved):
        confirmed = event.confirmed
        text = "\n".join(failure_lines(msgspec.structs.replace(event, path=path)))
    return SavedFinding(
        violation=event.violation, path=path, confirmed=confirmed, story=text
    )


class Searches:
    """The searches of a session, each made once.

    Under pytest-xdist the tests of one engine are spread over processes. The first that
    asks makes the search, the others wait for what it leaves in the `shared` folder.
    """

    def __init__(self, shared: Path | None) -> None:
        self._shared = shared
        self._known: dict[str, Searched] = {}

    def get(self, where: str, make: Callable[[], Searched]) -> Searched:
        """The search of the test case `where`, made now if nobody has made it yet."""
        if where not in self._known:
            ask = make if self._shared is None else self._ask(self._shared, where, make)
            self._known[where] = ask()
        return self._known[where]

    def _ask(
        self, shared: Path, where: str, make: Callable[[], Searched]
    ) -> Callable[[], Searched]:
        from filelock import FileLock

        base = shared / sha256(where.encode()).hexdigest()[:16]
        kept, begun = base.with_suffix(".json"), base.with_suffix(".begun")

        def ask() -> Searched:
            shared.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(base.with_suffix(".lock")):
                if kept.exists():
                    return msgspec.json.decode(kept.read_bytes(), type=Searched)
                # Searched again, it would end the next process too.
                if begun.exists():
                    error = "the process that searched this engine ended all at once"
                    return Searched(where=where, engine="", profile="", error=error)
                begun.touch()
                searched = make()
                kept.with_suffix(".new").write_bytes(msgspec.json.encode(searched))
                kept.with_suffix(".new").replace(kept)
                return searched

        return ask
