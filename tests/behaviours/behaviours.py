"""The thirteen behaviours: their workloads, and their checks.

Each behaviour has checks of its own, so that an engine that breaks one behaviour fails
there and hardly anywhere else. A judge yields one text for each opportunity, a
situation in which the behaviour could fail. The text is empty or names the failure.
"""

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from isolation_spec.claims.history_index import HistoryIndex
from isolation_spec.execution.run import AdapterFactory
from isolation_spec.model.scenario import Scenario
from isolation_spec.strategies.schedules import SearchParameters
from tests.behaviours import events, instances, tools
from tests.behaviours.workload_builder import WorkloadBuilder, histories, workloads

Judge = Callable[[HistoryIndex], Iterator[str]]

NO_OPPORTUNITY = "no opportunity occurred"
"""The failure of a check whose workloads never had an opportunity."""


class Behaviour(NamedTuple):
    """One behaviour: its name, its planted fault, its workload and its judge."""

    name: str
    fault: str
    write: Callable[[WorkloadBuilder], None]
    judge: Judge
    users: tuple[int, int] = (2, 4)

    def check(self, make_adapter: AdapterFactory, seed: int, examples: int) -> int:
        """Checks an engine and returns the number of opportunities.

        Raises:
            AssertionError: the behaviour fails, or there was no opportunity.
        """
        evidence = 0
        for workload in _draw(self, seed, examples):
            for history in histories(workload, make_adapter):
                for failure in self.judge(HistoryIndex(history)):
                    assert not failure, f"{self.name}: {failure}"
                    evidence += 1
        assert evidence, f"{self.name}: {NO_OPPORTUNITY}"
        return evidence


@functools.cache
def _draw(
    behaviour: Behaviour, seed: int, examples: int
) -> tuple[tuple[Scenario, SearchParameters], ...]:
    """The workloads of a behaviour, which are the same for each engine."""
    found = []

    def keep(workload: tuple[Scenario, SearchParameters]) -> None:
        found.append(workload)

    drawn = workloads(behaviour.write, *behaviour.users)
    hypothesis.seed(seed)(_budget(examples)(given(drawn)(keep)))()
    return tuple(found)


def _budget(examples: int) -> settings:
    return settings(
        max_examples=examples,
        phases=(Phase.generate,),
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


BEHAVIOURS = {
    behaviour.name: behaviour
    for behaviour in (
        Behaviour(
            "agent_factory_creates_isolated_instances",
            "shared-conversation",
            instances.write_instances,
            instances.judge_instances,
        ),
        Behaviour(
            "concurrent_agent_execution_isolation",
            "state-on-agent",
            instances.write_concurrent_runs,
            instances.judge_concurrent_runs,
            users=(5, 6),
        ),
        Behaviour(
            "websocket_events_user_routing",
            "broadcast-to-all",
            events.write_routing,
            events.judge_routing,
        ),
        Behaviour(
            "agent_factory_memory_isolation",
            "prefix-match",
            instances.write_memory,
            instances.judge_memory,
        ),
        Behaviour(
            "agent_factory_database_session_isolation",
            "one-session",
            instances.write_transactions,
            instances.judge_transactions,
        ),
        Behaviour(
            "agent_factory_tool_execution_isolation",
            "one-dispatcher",
            tools.write_calls,
            tools.judge_own_tools,
        ),
        Behaviour(
            "agent_factory_cleanup_prevents_leakage",
            "heartbeat-survives",
            instances.write_cleanups,
            instances.judge_cleanups,
        ),
        Behaviour(
            "concurrent_tool_execution_isolation",
            "arguments-on-tool",
            tools.write_concurrent_calls,
            tools.judge_concurrent_calls,
        ),
        Behaviour(
            "tool_execution_websocket_events",
            "not-queued",
            events.write_tool_events,
            events.judge_tool_events,
            users=(2, 3),
        ),
        Behaviour(
            "agent_tool_execution_within_user_context",
            "worker-keeps-context",
            tools.write_concurrent_calls,
            tools.judge_context,
        ),
        Behaviour(
            "tool_execution_permission_enforcement",
            "checked-afterwards",
            tools.write_denied_calls,
            tools.judge_denied_calls,
            users=(2, 3),
        ),
        Behaviour(
            "tool_execution_error_handling",
            "failure-escapes",
            tools.write_failing_calls,
            tools.judge_failing_calls,
            users=(2, 3),
        ),
        Behaviour(
            "tool_execution_performance_monitoring",
            "shared-statistics",
            tools.write_measured_calls,
            tools.judge_measured_calls,
        ),
    )
}
"""Name, without `test_` -> behaviour, in the order of the specification."""
