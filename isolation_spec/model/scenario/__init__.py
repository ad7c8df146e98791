"""A scenario: users, their operations, and the choices of the scheduler.

A scenario is pure data and small enough to read aloud. Operations stand in one list, in
the order in which they were written down; the operations of one user happen in that
order, and how those of different users interleave is decided by the schedule alone.
Choices hang on their operation, never on a global step counter: a scheduling class
and a demotion name a *chain* (the stream of arrivals that one operation causes), and a
cancellation stands on its operation, so deleting an operation deletes its choices.
"""

from __future__ import annotations

from isolation_spec.model.scenario.canary import CANARY, canaries_in, canary
from isolation_spec.model.scenario.chain import Chain, ChainKind
from isolation_spec.model.scenario.fields import MOST_OPERATIONS, MOST_USERS, User
from isolation_spec.model.scenario.operations import (
    AdvanceTime,
    Cancellation,
    CancelRun,
    CleanupEngine,
    CleanupUser,
    CollectGarbage,
    Connect,
    Disconnect,
    Erase,
    Mutate,
    OpenContext,
    Operation,
    Read,
    Reconnect,
    RunAgent,
    Shutdown,
    UserOperation,
    WorldOperation,
    Write,
    names_victim,
)
from isolation_spec.model.scenario.scenario import (
    Moment,
    Scenario,
    attack_prerequisites,
    metadata_canary,
    owned_canaries,
)
from isolation_spec.model.scenario.schedule import Demotion, Schedule
from isolation_spec.model.scenario.script import (
    SLOW,
    CallTool,
    Emit,
    Fail,
    ReadState,
    Recall,
    Remember,
    Return,
    Sleep,
    Spawn,
    Step,
    Think,
    Transact,
    WriteState,
    permitted,
    tools,
    walk,
)

__all__ = [
    "CANARY",
    "MOST_OPERATIONS",
    "MOST_USERS",
    "SLOW",
    "AdvanceTime",
    "CallTool",
    "CancelRun",
    "Cancellation",
    "Chain",
    "ChainKind",
    "CleanupEngine",
    "CleanupUser",
    "CollectGarbage",
    "Connect",
    "Demotion",
    "Disconnect",
    "Emit",
    "Erase",
    "Fail",
    "Moment",
    "Mutate",
    "OpenContext",
    "Operation",
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
    "Step",
    "Think",
    "Transact",
    "User",
    "UserOperation",
    "WorldOperation",
    "Write",
    "WriteState",
    "attack_prerequisites",
    "canaries_in",
    "canary",
    "metadata_canary",
    "names_victim",
    "owned_canaries",
    "permitted",
    "tools",
    "walk",
]
