"""The predicate of shrinking accepts scenarios that fail the same way, no others."""

from typing import Any

import pytest

from isolation_spec.claims import Violation, judge
from isolation_spec.diagnosis.shrink import predicate as predicate_module
from isolation_spec.diagnosis.shrink.predicate import FailurePredicate
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.engines.registry import find_engine
from isolation_spec.execution.run import run
from isolation_spec.measurement.workloads import workload
from isolation_spec.model.scenario import Scenario

LEAKING = find_engine("reference+heartbeat-survives").make_adapter
EMPTY = Scenario(users=(), operations=())


@pytest.fixture(scope="module")
def violation() -> Violation:
    """A violation of the engine whose heartbeat survives the cleanup of its user."""
    history = run(workload(), LEAKING)
    judgements = judge(history, ReferenceAdapter.capabilities)
    return next(v for judgement in judgements for v in judgement.violations)


def predicate(violation: Violation, **options: Any) -> FailurePredicate:
    return FailurePredicate(LEAKING, workload(), (violation,), **options)


def test_the_same_failure_is_found_again(violation: Violation) -> None:
    """The failing scenario fails with a violation of the same claim and clause."""
    failure = predicate(violation).failure(workload())

    assert failure is not None
    _, again = failure
    assert (violation.claim, violation.clause) == (again.claim, again.clause)


def test_a_scenario_that_holds_does_not_fail(violation: Violation) -> None:
    """Without users the engine leaks nothing."""
    assert not predicate(violation).fails(EMPTY)


def test_another_clause_counts_only_on_request(violation: Violation) -> None:
    """A different clause of the claim counts unless only the same one does."""
    other = Violation(
        claim=violation.claim, clause="another", fact=violation.fact, entry=0
    )

    assert not predicate(other).fails(workload())
    assert predicate(other, same_clause=False).fails(workload())


def test_a_scenario_beyond_the_capabilities_is_not_run(
    violation: Violation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A candidate that the engine cannot perform is refused before any run."""

    class Poor(ReferenceAdapter):
        capabilities = frozenset()

    monkeypatch.setattr(predicate_module, "run", None)

    assert not FailurePredicate(Poor, workload(), (violation,)).fails(workload())


def test_the_check_comes_before_each_run(violation: Violation) -> None:
    """An exception of the check ends the shrinking."""

    def check() -> None:
        raise TimeoutError

    interrupted = predicate(violation, check=check)
    for call in (interrupted.fails, interrupted.observe):
        with pytest.raises(TimeoutError):
            call(EMPTY)


def test_an_observation_has_arrivals_and_steps(violation: Violation) -> None:
    """The order holds every arrival, and each ended operation has its steps."""
    observation = predicate(violation).observe(workload())
    history = run(workload(), LEAKING)

    assert history.order == observation.order
    assert {o.id for o in workload().operations} >= set(observation.steps)
    assert all(steps > 0 for steps in observation.steps.values())
