"""Makes of a violation what its reader gets: shrunk, replayed twice, told, saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from isolation_spec.adapter import Adapter
from isolation_spec.adapters import Engine
from isolation_spec.claims import CLAIMS, Violation, find_claim, judge
from isolation_spec.determinism import Difference, repeated
from isolation_spec.explain import explain
from isolation_spec.failure import make_failure
from isolation_spec.history import History
from isolation_spec.keeping import Keeper
from isolation_spec.leaving import without_pool_warnings
from isolation_spec.memory import frozen_heap
from isolation_spec.report import (
    FailureFound,
    FailureSaved,
    Listener,
    Shrinking,
    Shrunk,
)
from isolation_spec.run import run
from isolation_spec.scenario import Scenario
from isolation_spec.search import Found
from isolation_spec.shrink import SHRINK_SECONDS, Probe, Shrinker, size
from isolation_spec.story import tell_story

__all__ = ["Saved", "confirm"]


class Saved(msgspec.Struct, frozen=True):
    """How a violation of a claim was saved, and what came out on the way.

    Attributes:
        difference: of two runs that should have been the same, None if there is none.
        stuck: the sentence about a run that hung or died, else "".
        beside: what else the shrunk scenario violates, of a claim that compares a user
            with the user alone: it says that something leaks, and others say what.
    """

    claim: str
    path: str
    confirmed: bool
    difference: Difference | None = None
    stuck: str = ""
    beside: tuple[Found, ...] = ()


@without_pool_warnings()
@frozen_heap()
def confirm(
    engine: Engine,
    found: Found,
    folder: Path,
    listen: Listener,
    check: Callable[[], None] = lambda: None,
    keeper: Keeper | None = None,
    seconds: float = SHRINK_SECONDS,
) -> Saved:
    """Saves a violation as found, shrinks it, replays it twice, and saves the result.

    Shrinking ends after so many seconds with the smallest scenario so far. `check` is
    called before each run; what it raises leaves the file that was saved first.
    """
    keeper = keeper or Keeper(folder, listen)
    history = run(found.scenario, engine.make_adapter)
    unshrunk = make_failure(engine.name, history, found.violation, confirmed=False)
    first = keeper.keep(unshrunk)
    listen(FailureFound(violation=found.violation, path=keeper.place(first)))
    probe = Probe(engine.make_adapter, found.scenario, (found.violation,), check=check)
    if not probe.fails(found.scenario):
        difference = found.difference or repeated(history, engine.make_adapter)
        place = keeper.place(first)
        return Saved(found.violation.claim, place, False, difference)

    def progressed(runs: int, smallest: Scenario) -> None:
        so_far = size(smallest)[:2]
        listen(Shrinking(claim=found.violation.claim, runs=runs, size=so_far))

    shrinker = Shrinker(
        probe.fails, look=probe.places, seconds=seconds, progressed=progressed
    )
    small = shrinker.shrink(found.scenario)
    listen(
        Shrunk(
            claim=found.violation.claim,
            before=size(found.scenario)[:2],
            after=size(small)[:2],
            runs=shrinker.runs,
        )
    )
    # What is confirmed is run anew, the runs of single users included.
    fails = Probe(
        engine.make_adapter, found.scenario, (found.violation,), check=check
    ).failure
    return _confirm_small(engine, found, small, fails, first, keeper, listen, check)


Fails = Callable[[Scenario], tuple[History, Violation] | None]


def _confirm_small(
    engine: Engine,
    found: Found,
    small: Scenario,
    fails: Fails,
    first: Path,
    keeper: Keeper,
    listen: Listener,
    check: Callable[[], None],
) -> Saved:
    """Saves what a first replay shows, confirmed if a second one shows the same.

    Should neither fail as the scenario did that was found, that stays as it was saved.
    """
    runs = [shown for shown in (fails(small), fails(small)) if shown is not None]
    if not runs:
        history = run(small, engine.make_adapter)
        difference = repeated(history, engine.make_adapter) or found.difference
        place = keeper.place(first)
        return Saved(found.violation.claim, place, False, difference)
    history, violation = runs[0]
    digests = {shown[0].digest() for shown in runs}
    confirmed = len(runs) == 2 and len(digests) == 1
    difference = None
    if not confirmed:
        difference = repeated(history, engine.make_adapter) or found.difference
    failure = make_failure(engine.name, history, violation, confirmed=confirmed)

    def make_adapter() -> Adapter:
        check()
        return engine.make_adapter()

    # Before it is saved: whoever interrupts this keeps the file saved as found.
    story = explain(tell_story(history, violation, make_adapter))
    path = keeper.keep(failure)
    if path != first:
        keeper.drop(first)
    listen(
        FailureSaved(
            scenario=failure.scenario,
            violation=violation,
            engine=engine.name,
            path=keeper.place(path),
            confirmed=confirmed,
            difference=str(difference or ""),
            story=story,
        )
    )
    beside = _beside(engine, history, violation) if confirmed else ()
    return Saved(
        violation.claim, keeper.place(path), confirmed, difference, beside=beside
    )


def _beside(
    engine: Engine, history: History, violation: Violation
) -> tuple[Found, ...]:
    if not find_claim(violation.claim).compares:
        return ()
    capabilities = engine.make_adapter().capabilities
    claims = tuple(claim for claim in CLAIMS if not claim.compares)
    return tuple(
        Found(scenario=history.scenario, violation=judgement.violations[0])
        for judgement in judge(history, capabilities, claims)
        if judgement.violations
    )
