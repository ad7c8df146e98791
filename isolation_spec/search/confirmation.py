"""Makes of a violation what its reader gets: shrunk, replayed twice, told, saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from isolation_spec.claims import CLAIMS, Violation, find_claim, judge
from isolation_spec.contract.adapter import Adapter
from isolation_spec.diagnosis.ablation import diagnose
from isolation_spec.diagnosis.explanation import explain
from isolation_spec.diagnosis.shrink.predicate import FailurePredicate
from isolation_spec.diagnosis.shrink.shrinker import SHRINK_SECONDS, Shrinker
from isolation_spec.diagnosis.shrink.sort_key import size
from isolation_spec.engines.registry import Engine
from isolation_spec.execution.containment import without_pool_warnings
from isolation_spec.execution.determinism import Divergence, divergence_of_rerun
from isolation_spec.execution.process_memory import frozen_heap
from isolation_spec.execution.run import run
from isolation_spec.failure import make_failure
from isolation_spec.model.history.history import History
from isolation_spec.model.scenario import Scenario
from isolation_spec.search.events import (
    FailureFound,
    FailureSaved,
    Listener,
    Shrinking,
    Shrunk,
)
from isolation_spec.search.failure_store import FailureStore
from isolation_spec.search.statistics import Finding

__all__ = ["Confirmation", "confirm"]


class Confirmation(msgspec.Struct, frozen=True):
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
    difference: Divergence | None = None
    stuck: str = ""
    beside: tuple[Finding, ...] = ()


@without_pool_warnings()
@frozen_heap()
def confirm(
    engine: Engine,
    found: Finding,
    folder: Path,
    listen: Listener,
    check: Callable[[], None] = lambda: None,
    keeper: FailureStore | None = None,
    seconds: float = SHRINK_SECONDS,
) -> Confirmation:
    """Saves a violation as found, shrinks it, replays it twice, and saves the result.

    Shrinking ends after so many seconds with the smallest scenario so far. `check` is
    called before each run; what it raises leaves the file that was saved first.
    """
    keeper = keeper or FailureStore(folder, listen)
    history = run(found.scenario, engine.make_adapter)
    unshrunk = make_failure(engine.name, history, found.violation, confirmed=False)
    first = keeper.keep(unshrunk)
    listen(FailureFound(violation=found.violation, path=keeper.place(first)))
    probe = FailurePredicate(
        engine.make_adapter, found.scenario, (found.violation,), check=check
    )
    if not probe.fails(found.scenario):
        difference = found.difference or divergence_of_rerun(
            history, engine.make_adapter
        )
        place = keeper.place(first)
        return Confirmation(found.violation.claim, place, False, difference)

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
    fails = FailurePredicate(
        engine.make_adapter, found.scenario, (found.violation,), check=check
    ).failure
    return _confirm_small(engine, found, small, fails, first, keeper, listen, check)


Fails = Callable[[Scenario], tuple[History, Violation] | None]


def _confirm_small(
    engine: Engine,
    found: Finding,
    small: Scenario,
    fails: Fails,
    first: Path,
    keeper: FailureStore,
    listen: Listener,
    check: Callable[[], None],
) -> Confirmation:
    """Saves what a first replay shows, confirmed if a second one shows the same.

    Should neither fail as the scenario did that was found, that stays as it was saved.
    """
    runs = [shown for shown in (fails(small), fails(small)) if shown is not None]
    if not runs:
        history = run(small, engine.make_adapter)
        difference = (
            divergence_of_rerun(history, engine.make_adapter) or found.difference
        )
        place = keeper.place(first)
        return Confirmation(found.violation.claim, place, False, difference)
    history, violation = runs[0]
    digests = {shown[0].digest() for shown in runs}
    confirmed = len(runs) == 2 and len(digests) == 1
    difference = None
    if not confirmed:
        difference = (
            divergence_of_rerun(history, engine.make_adapter) or found.difference
        )
    failure = make_failure(engine.name, history, violation, confirmed=confirmed)

    def make_adapter() -> Adapter:
        check()
        return engine.make_adapter()

    # Before it is saved: whoever interrupts this keeps the file saved as found.
    story = explain(diagnose(history, violation, make_adapter))
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
    return Confirmation(
        violation.claim, keeper.place(path), confirmed, difference, beside=beside
    )


def _beside(
    engine: Engine, history: History, violation: Violation
) -> tuple[Finding, ...]:
    if not find_claim(violation.claim).compares:
        return ()
    capabilities = engine.make_adapter().capabilities
    claims = tuple(claim for claim in CLAIMS if not claim.compares)
    return tuple(
        Finding(scenario=history.scenario, violation=judgement.violations[0])
        for judgement in judge(history, capabilities, claims)
        if judgement.violations
    )
