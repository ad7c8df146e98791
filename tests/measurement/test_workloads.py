"""The scripted workloads of the measurements."""

import pytest

from isolation_spec.claims import Verdict, judge
from isolation_spec.engines.reference.adapter import ReferenceAdapter
from isolation_spec.execution.run import run
from isolation_spec.measurement.workloads import NullAdapter, gathered, workload
from isolation_spec.model.scenario import (
    Remember,
    RunAgent,
    Scenario,
    walk,
)


def kinds(scenario: Scenario) -> dict[str, int]:
    named = [type(operation).__name__ for operation in scenario.operations]
    return {name: named.count(name) for name in named}


def test_parts_of_the_workload_can_be_left_out() -> None:
    """Three users connect, run and store; each part is measured by its absence."""
    assert {"Connect": 3, "OpenContext": 3, "RunAgent": 3} == kinds(workload())
    assert {"OpenContext": 3, "RunAgent": 3} == kinds(workload(connected=False))
    assert {"Connect": 3} == kinds(workload(running=False))
    stored = [
        step
        for operation in workload(storing=False).operations
        if isinstance(operation, RunAgent)
        for _, step in walk(operation.script)
        if isinstance(step, Remember)
    ]
    assert [] == stored


def test_the_gathered_test_has_five_users_who_do_the_same() -> None:
    """Each user connects, opens a context, runs an agent and reads."""
    assert {"Connect": 5, "OpenContext": 5, "RunAgent": 5, "Read": 5} == kinds(
        gathered()
    )
    assert [] == list(gathered().problems())


@pytest.mark.parametrize("scenario", [workload(), gathered()], ids=["bench", "gather"])
def test_the_reference_engine_holds_under_it(scenario: Scenario) -> None:
    """No claim is violated in plain order, and something was put to the test."""
    history = run(scenario, ReferenceAdapter)

    judgements = judge(history, ReferenceAdapter.capabilities)

    assert Verdict.VIOLATED not in {one.verdict for one in judgements}
    assert all(one.evidence for one in judgements if one.verdict is Verdict.HOLDS)
    assert {"context-ownership", "event-routing", "teardown"} <= {
        one.claim for one in judgements if one.verdict is Verdict.HOLDS
    }


def test_a_run_without_an_engine_costs_the_suite_alone() -> None:
    """The null adapter brings a workload without operations to its end."""
    history = run(workload(connected=False, running=False), NullAdapter)

    assert history.settled
    assert set() == {entry.operation for entry in history.entries} - {None}
