"""Can any user of an agent engine see, change, block or outlive another user's work?

Strategies draw a *scenario*; *users* run it against an *engine* through an *adapter*,
in a *world* whose *scheduler* decides every interleaving and whose *disruptions*
cancel, fail and disconnect; each run gives a *history*; *claims* judge it; a *report*
explains.

Every public name is importable from here, and is imported when it is first used.
Modules below this one are private, except `isolation_spec.engines`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isolation_spec.adapter_check.check import assert_adapter_works
    from isolation_spec.claims import IsolationViolated, Verdict, Violation
    from isolation_spec.contract.adapter import Adapter, Row
    from isolation_spec.contract.capabilities import Capability
    from isolation_spec.contract.environment import Connection, Environment
    from isolation_spec.contract.errors import (
        AdapterError,
        AgentFailure,
        NotImplementedYet,
    )
    from isolation_spec.contract.scripted_agent import ScriptedAgent
    from isolation_spec.contract.services import Services, ToolOutcome
    from isolation_spec.contract.toolbox import NOBODY, Toolbox
    from isolation_spec.engines.registry import Engine, EngineNotFound, find_engine
    from isolation_spec.failure.replay import assert_holds
    from isolation_spec.model.event_names import EventNames
    from isolation_spec.model.limits import Limit
    from isolation_spec.model.scenario import (
        AdvanceTime,
        CallTool,
        Cancellation,
        CancelRun,
        CleanupEngine,
        CleanupUser,
        CollectGarbage,
        Connect,
        Demotion,
        Disconnect,
        Emit,
        Erase,
        Fail,
        Mutate,
        OpenContext,
        Read,
        ReadState,
        Recall,
        Reconnect,
        Remember,
        Return,
        RunAgent,
        Scenario,
        Schedule,
        Shutdown,
        Sleep,
        Spawn,
        Think,
        Transact,
        User,
        Write,
        WriteState,
    )
    from isolation_spec.plugin.test_case import IsolationTestCase, isolation_test_case
    from isolation_spec.search.result import ClaimResult, Result
    from isolation_spec.search.verification import verify

__all__ = [
    "NOBODY",
    "Adapter",
    "AdapterError",
    "AdvanceTime",
    "AgentFailure",
    "CallTool",
    "CancelRun",
    "Cancellation",
    "Capability",
    "ClaimResult",
    "CleanupEngine",
    "CleanupUser",
    "CollectGarbage",
    "Connect",
    "Connection",
    "Demotion",
    "Disconnect",
    "Emit",
    "Engine",
    "EngineNotFound",
    "Environment",
    "Erase",
    "EventNames",
    "Fail",
    "IsolationTestCase",
    "IsolationViolated",
    "Limit",
    "Mutate",
    "NotImplementedYet",
    "OpenContext",
    "Read",
    "ReadState",
    "Recall",
    "Reconnect",
    "Remember",
    "Result",
    "Return",
    "Row",
    "RunAgent",
    "Scenario",
    "Schedule",
    "ScriptedAgent",
    "Services",
    "Shutdown",
    "Sleep",
    "Spawn",
    "Think",
    "ToolOutcome",
    "Toolbox",
    "Transact",
    "User",
    "Verdict",
    "Violation",
    "Write",
    "WriteState",
    "assert_adapter_works",
    "assert_holds",
    "find_engine",
    "isolation_test_case",
    "verify",
]

_HOME = {
    "adapter_check.check": ("assert_adapter_works",),
    "claims": (
        "IsolationViolated",
        "Verdict",
        "Violation",
    ),
    "contract.adapter": (
        "Adapter",
        "Row",
    ),
    "contract.capabilities": ("Capability",),
    "contract.environment": (
        "Connection",
        "Environment",
    ),
    "contract.errors": (
        "AdapterError",
        "AgentFailure",
        "NotImplementedYet",
    ),
    "contract.scripted_agent": ("ScriptedAgent",),
    "contract.services": (
        "Services",
        "ToolOutcome",
    ),
    "contract.toolbox": (
        "NOBODY",
        "Toolbox",
    ),
    "engines.registry": (
        "Engine",
        "EngineNotFound",
        "find_engine",
    ),
    "failure.replay": ("assert_holds",),
    "model.event_names": ("EventNames",),
    "model.limits": ("Limit",),
    "model.scenario": (
        "AdvanceTime",
        "CallTool",
        "CancelRun",
        "Cancellation",
        "CleanupEngine",
        "CleanupUser",
        "CollectGarbage",
        "Connect",
        "Demotion",
        "Disconnect",
        "Emit",
        "Erase",
        "Fail",
        "Mutate",
        "OpenContext",
        "Read",
        "ReadState",
        "Recall",
        "Reconnect",
        "Remember",
        "Return",
        "RunAgent",
        "Scenario",
        "Schedule",
        "Shutdown",
        "Sleep",
        "Spawn",
        "Think",
        "Transact",
        "User",
        "Write",
        "WriteState",
    ),
    "plugin.test_case": (
        "IsolationTestCase",
        "isolation_test_case",
    ),
    "search.result": (
        "ClaimResult",
        "Result",
    ),
    "search.verification": ("verify",),
}
"""Module -> the public names that it defines."""


def __getattr__(name: str) -> Any:
    # Lazily (PEP 562): an adapter's module needs 0.05 CPU seconds, `verify` 0.45.
    for module, names in _HOME.items():
        if name in names:
            value = getattr(import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
