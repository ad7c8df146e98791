"""Every planted fault is found, by the right claim, and shrunk to what it needs."""

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

EXAMPLES = 200

LEAST = {
    # A context is opened; with it the engine starts what outlives it.
    "heartbeat-survives": (1, 0, 0),
    # A context, and a run in it whose one transaction writes one row and raises.
    "commit-on-error": (2, 0, 1),
    # Two users need a context each; one stores, the other looks, each perhaps in a run,
    # and is held back by a decision where it would look too early.
    "prefix-match": (4, 1, 2),
    # Two connections, a context and a run that one of them does not hear of; and before
    # it two more, from which it is sure that the engine knows both; one would do.
    "last-registration-wins": (6, 0, 1),
    # A connection, a context, a run, and its cancellation.
    "run-goes-on": (4, 0, 0),
    # A context each: what they share is there from the beginning.
    "one-dispatcher": (2, 0, 0),
    "shared-statistics": (2, 0, 0),
    "shared-conversation": (2, 0, 0),
    # A context each, and a run each, whose end is stored in the common session.
    "one-session": (4, 0, 0),
    # A context and a run each; or of one user, two runs in one context.
    "arguments-on-tool": (4, 0, 2),
    # A context each, and a run each; the run that writes must be the later one to
    # begin and the earlier one to end, for which two decisions hold it back.
    "state-on-agent": (4, 2, 2),
    # A context each, and a run each that calls a tool; and a connection each that holds
    # back the second, where no decision does.
    "worker-keeps-context": (6, 0, 2),
    # A context each, and a run each that asks the model.
    "one-upstream": (4, 0, 2),
    "session-on-client": (4, 0, 2),
    # The same, until the budget of three is spent by two others.
    "shared-budget": (6, 0, 4),
    # Three contexts and runs, one more than are kept, and somebody who looks then.
    "shared-retention": (7, 2, 0),
    # A connection of one user, a context and a run of another.
    "broadcast-to-all": (3, 0, 0),
    # A connection, a context and a run; the engine must not know the first too early.
    "not-queued": (3, 1, 0),
    # A context, and a run that makes one call.
    "checked-afterwards": (2, 0, 1),
    "failure-escapes": (2, 0, 1),
}
"""Fault -> the most operations, decisions and script steps that may be left of it."""

OF_CLAUSE = {
    # Beside the two contexts a run that says something, and a look that shows it.
    ("shared-conversation", "foreign-value"): (4, 0, 1),
}
"""The same of a clause that needs more, as each is shrunk by itself."""

GENERAL = {claim.id for claim in CLAIMS if claim.compares}
"""What compares with runs alone sees most faults, beside the claim that names them."""

each_fault = pytest.mark.parametrize(
    "fault",
    # All tests of a fault run where it was hunted.
    [
        pytest.param(fault, marks=pytest.mark.xdist_group(fault))
        for fault in sorted(LEAST)
    ],
)


class Hunt(NamedTuple):
    """What a search found of one fault, and the failure made of its first violation."""

    statistics: SearchStatistics
    path: Path

    def failure(self) -> Failure:
        return load(self.path)


@functools.cache
def hunt(fault: str) -> Hunt:
    """Searches once for each fault, as every test here asks something of the result."""
    engine = find_engine(f"reference+{fault}")
    statistics = search_share(Share(make_plan(engine, examples=EXAMPLES)))
    folder = Path(tempfile.mkdtemp(prefix="isolation-spec-test-"))
    # However slow the machine is, it is shrunk to the end.
    store = FailureStore(folder, lambda _: None)
    saved = confirm(engine, statistics.findings[0], store, seconds=300.0)
    return Hunt(statistics, Path(saved.path))


def test_each_claim_is_proven_by_faults_that_are_hunted_here() -> None:
    """Every claim is named by a fault; `isolation-spec faults` hunts the others."""
    named = {claim for fault in FAULTS for claim in fault.claims}

    assert {claim.id for claim in CLAIMS} == named
    assert set(LEAST) <= {fault.id for fault in FAULTS}


def test_faults_are_told_apart() -> None:
    """Ids are unique and in order, and each fault names claims that there are."""
    ids = [fault.id for fault in FAULTS]
    known = {claim.id for claim in CLAIMS}

    assert sorted(set(ids)) == ids
    assert all(fault.claims and fault.claims <= known for fault in FAULTS)
    assert all(fault.source for fault in FAULTS)


@each_fault
def test_a_fault_is_found(fault: str) -> None:
    """It is found within 200 examples, by claims that it names and no others."""
    (planted,) = (one for one in FAULTS if one.id == fault)
    statistics = hunt(fault).statistics

    assert statistics.examples <= EXAMPLES
    claims = {finding.violation.claim for finding in statistics.findings}
    assert claims
    assert claims <= planted.claims | GENERAL


@each_fault
def test_a_fault_is_shrunk(fault: str) -> None:
    """No more operations and decisions are left than the fault needs."""
    failure = hunt(fault).failure()
    least = OF_CLAUSE.get((fault, failure.violation.clause), LEAST[fault])
    left = size(failure.scenario)

    # An agent that sleeps may stand for a decision: of steps there may be more.
    assert left[0] <= least[0], left
    assert sum(left[:2]) <= sum(least[:2]), left


@each_fault
def test_a_fault_is_confirmed(fault: str) -> None:
    """What was saved failed twice alike, and nothing unconfirmed is left beside it."""
    path = hunt(fault).path

    assert hunt(fault).failure().confirmed
    assert [path] == list(path.parent.iterdir())


@each_fault
def test_a_fault_is_reproduced_in_a_fresh_process(fault: str) -> None:
    """The saved file alone shows the very same run again, in another process."""
    path = hunt(fault).path
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
    failure = hunt(fault).failure()

    replayed = replay(failure, find_engine("reference").make_adapter)

    assert Outcome.FIXED is replayed.outcome, replayed.note
    assert replayed.judgement.evidence > 0


@each_fault
def test_nothing_that_searches_or_judges_knows_a_fault(fault: str) -> None:
    """No part of strategies, world, claims or the engine contains the fault's id."""
    house = Path(isolation_spec.__path__[0])
    rooms = (
        Path(strategies.__path__[0]),
        *(house / name for name in ("world", "claims", "engines/reference")),
    )
    sources = [path for room in rooms for path in room.rglob("*.py")]
    words = (fault, fault.replace("-", "_"), fault.replace("-", "_").upper())

    assert 20 < len(sources)
    assert [] == [
        path.name for path in sources if any(w in path.read_text() for w in words)
    ]


@pytest.mark.parametrize("stalled", [False, True])
def test_the_clean_engine_is_not_blamed_for_time_that_passes(stalled: bool) -> None:
    """However long a scenario waits, no claim is violated by the waiting."""
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
