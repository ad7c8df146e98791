"""Every planted fault is found, by an expected claim, and shrunk to its minimum."""

import functools
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

import isolation_spec
from isolation_spec import strategies
from isolation_spec.claims import CLAIMS, Verdict, judge
from isolation_spec.diagnosis.shrink.sort_key import size
from isolation_spec.engines.faults import FAULTS
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.run import run
from isolation_spec.failure import Failure, Outcome, load, replay
from isolation_spec.model.scenario import AdvanceTime, Scenario, User
from isolation_spec.search.confirmation import confirm
from isolation_spec.search.failure_store import FailureStore
from isolation_spec.search.plan import make_plan
from isolation_spec.search.statistics import SearchStatistics
from isolation_spec.search.worker import Share, search_share

pytestmark = pytest.mark.slow

EXAMPLES = 200

LEAST = {
    # A context; opening it starts the task that outlives it.
    "heartbeat-survives": (1, 0, 0),
    # A context, and a run in it whose one transaction writes one row and raises.
    "commit-on-error": (2, 0, 1),
    # Two users need a context each; one stores and the other reads, each perhaps in a
    # run, and a decision holds the reader back where it would read too early.
    "prefix-match": (4, 1, 2),
    # Two connections, a context and a run whose events one of them misses; and before
    # it two more operations that show both are registered, where one would do.
    "last-registration-wins": (6, 0, 1),
    # A connection, a context, a run, and its cancellation.
    "run-goes-on": (4, 0, 0),
    # A context each: one changes the shared object in a run, one is shown it.
    "one-dispatcher": (4, 0, 1),
    "shared-statistics": (4, 0, 1),
    "shared-conversation": (4, 0, 1),
    # A context each, and a run each, whose end is stored in the common session.
    "one-session": (4, 0, 0),
    # A context and a run each; or of one user, two runs in one context.
    "arguments-on-tool": (4, 0, 2),
    # A context each, and a run each; the writing run must begin later and end earlier
    # than the other, for which it takes two decisions.
    "state-on-agent": (4, 2, 2),
    # A context each, and a run each that calls a tool; and a connection each that
    # delays the second run, where no decision does.
    "worker-keeps-context": (6, 0, 2),
    # A context each, and a run each that prompts the model.
    "one-upstream": (4, 0, 2),
    "session-on-client": (4, 0, 2),
    # The same, until two others have spent the budget of three.
    "shared-budget": (6, 0, 4),
    # Three contexts and runs, one more than the history retains, and a read.
    "shared-retention": (7, 2, 0),
    # A connection of one user, a context and a run of another.
    "broadcast-to-all": (3, 0, 0),
    # A connection, a context and a run; the connection must not be registered early.
    "not-queued": (3, 1, 0),
    # A context, and a run that makes one call.
    "checked-afterwards": (2, 0, 1),
    "failure-escapes": (2, 0, 1),
}
"""Fault -> the most operations, decisions and script steps after shrinking."""

GENERAL = {claim.id for claim in CLAIMS if claim.compares}
"""Claims that compare with solo runs see most faults, beside the expected claims."""

each_fault = pytest.mark.parametrize(
    "fault",
    # All tests of a fault run in the worker process that searched for it.
    [
        pytest.param(fault, marks=pytest.mark.xdist_group(fault))
        for fault in sorted(LEAST)
    ],
)


class SearchResult(NamedTuple):
    """The result of a search for one fault, and the failure file of its first
    finding."""

    statistics: SearchStatistics
    path: Path

    def failure(self) -> Failure:
        return load(self.path)


@functools.cache
def search_for(fault: str) -> SearchResult:
    """Searches for a fault, once for all tests of the fault."""
    engine = find_engine(f"reference+{fault}")
    statistics = search_share(Share(make_plan(engine, examples=EXAMPLES)))
    folder = Path(tempfile.mkdtemp(prefix="isolation-spec-test-"))
    # Long enough to shrink to the end on any machine.
    store = FailureStore(folder, lambda _: None)
    saved = confirm(engine, statistics.findings[0], store, seconds=300.0)
    return SearchResult(statistics, Path(saved.path))


def test_each_claim_is_proven_by_a_fault() -> None:
    """Every claim is expected by a fault; `isolation-spec faults` searches for all."""
    named = {claim for fault in FAULTS for claim in fault.claims}

    assert {claim.id for claim in CLAIMS} == named
    assert set(LEAST) <= {fault.id for fault in FAULTS}


def test_faults_are_well_formed() -> None:
    """Ids are unique and sorted, and each fault names a source and known claims."""
    ids = [fault.id for fault in FAULTS]
    known = {claim.id for claim in CLAIMS}

    assert sorted(set(ids)) == ids
    assert all(fault.claims and fault.claims <= known for fault in FAULTS)
    assert all(fault.source for fault in FAULTS)


@each_fault
def test_a_fault_is_found(fault: str) -> None:
    """A search finds it within 200 examples, by expected claims only."""
    (planted,) = (one for one in FAULTS if one.id == fault)
    statistics = search_for(fault).statistics

    assert statistics.examples <= EXAMPLES
    claims = {finding.violation.claim for finding in statistics.findings}
    assert claims
    assert claims <= planted.claims | GENERAL


@each_fault
def test_a_fault_is_shrunk(fault: str) -> None:
    """Shrinking leaves no more operations and decisions than the fault needs."""
    failure = search_for(fault).failure()
    least = LEAST[fault]
    left = size(failure.scenario)

    # A sleeping agent may replace a decision, so there may be more script steps.
    assert left[0] <= least[0], left
    assert sum(left[:2]) <= sum(least[:2]), left


@each_fault
def test_a_fault_is_confirmed(fault: str) -> None:
    """The saved failure is confirmed, and no unconfirmed file is left beside it."""
    path = search_for(fault).path

    assert search_for(fault).failure().confirmed
    assert [path] == list(path.parent.iterdir())


@each_fault
def test_a_fault_is_reproduced_in_a_fresh_process(fault: str) -> None:
    """The saved file alone reproduces the same run in another process."""
    path = search_for(fault).path
    command = Path(sys.executable).with_name("isolation-spec")

    done = subprocess.run(
        [command, "replay", path], capture_output=True, text=True, check=False
    )

    assert (1, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("REPRODUCED: ")
    assert "differs" not in done.stdout


@each_fault
def test_a_fault_is_fixed_in_the_clean_engine(fault: str) -> None:
    """The same scenario on the engine without the fault holds, with evidence."""
    failure = search_for(fault).failure()

    replayed = replay(failure, find_engine("reference").make_adapter)

    assert Outcome.FIXED is replayed.outcome, replayed.note
    assert replayed.judgement is not None
    assert replayed.judgement.evidence > 0


@each_fault
def test_search_and_claims_do_not_know_a_fault(fault: str) -> None:
    """No module of strategies, world, claims or the engine contains the fault's id."""
    package = Path(isolation_spec.__path__[0])
    rooms = (
        Path(strategies.__path__[0]),
        *(package / name for name in ("world", "claims", "engines/reference")),
    )
    sources = [path for room in rooms for path in room.rglob("*.py")]
    words = (fault, fault.replace("-", "_"), fault.replace("-", "_").upper())

    assert 20 < len(sources)
    assert [] == [
        path.name for path in sources if any(w in path.read_text() for w in words)
    ]


@pytest.mark.parametrize("stalled", [False, True])
def test_the_clean_engine_is_not_blamed_for_time_that_passes(stalled: bool) -> None:
    """No claim is violated by a scenario that only waits."""
    waits = tuple(
        AdvanceTime(id=n, seconds=301.0, stalled=stalled) for n in range(1, 9)
    )
    users = (User(label="alice", id="alice"), User(label="bob", id="bob"))
    adapter = find_engine("reference").make_adapter

    history = run(Scenario(users=users, operations=waits), adapter)

    violated = [
        judgement.claim
        for judgement in judge(history, adapter().capabilities)
        if judgement.verdict is Verdict.VIOLATED
    ]
    assert [] == violated
