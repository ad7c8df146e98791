"""The thirteen named behaviours, each over generated runs of the real engine."""

from isolation_spec.engines.reference.adapter import ReferenceAdapter
from tests.behaviours.behaviours import BEHAVIOURS

EXAMPLES = 10


def check(name: str) -> None:
    """Checks a behaviour of the reference engine; raises AssertionError if it fails."""
    BEHAVIOURS[name].check(ReferenceAdapter, 0, EXAMPLES)


def test_agent_factory_creates_isolated_instances() -> None:
    """Two users' engines and agents are bound to their own user and share nothing."""
    check("agent_factory_creates_isolated_instances")


def test_concurrent_agent_execution_isolation() -> None:
    """Five and more users at once all complete, each result with its own canary."""
    check("concurrent_agent_execution_isolation")


def test_websocket_events_user_routing() -> None:
    """Every event arrives at its owner's connections, and nowhere else."""
    check("websocket_events_user_routing")


def test_agent_factory_memory_isolation() -> None:
    """After a run and a cleanup no memory, state or prompt shows another user's
    value."""
    check("agent_factory_memory_isolation")


def test_agent_factory_database_session_isolation() -> None:
    """No session serves two users, and no user changes another's rows."""
    check("agent_factory_database_session_isolation")


def test_agent_factory_tool_execution_isolation() -> None:
    """Each engine has its dispatcher; tools work for and answer their owner."""
    check("agent_factory_tool_execution_isolation")


def test_agent_factory_cleanup_prevents_leakage() -> None:
    """After cleanup no object of the user is alive, and a new engine shows no old
    value."""
    check("agent_factory_cleanup_prevents_leakage")


def test_concurrent_tool_execution_isolation() -> None:
    """Interleaved calls never mix arguments, context or results."""
    check("concurrent_tool_execution_isolation")


def test_tool_execution_websocket_events() -> None:
    """Each call emits one event at its start and one at its end, across a reconnect."""
    check("tool_execution_websocket_events")


def test_agent_tool_execution_within_user_context() -> None:
    """At every await inside a tool the current context is the caller's."""
    check("agent_tool_execution_within_user_context")


def test_tool_execution_permission_enforcement() -> None:
    """A denied tool has no effect and one denial, and the next allowed call works."""
    check("tool_execution_permission_enforcement")


def test_tool_execution_error_handling() -> None:
    """An unknown, failing or cancelled tool harms only its own call."""
    check("tool_execution_error_handling")


def test_tool_execution_performance_monitoring() -> None:
    """Counts and durations reported for a user are that user's, in virtual time."""
    check("tool_execution_performance_monitoring")
