"""Planted faults: the real engine with one mechanism broken, to prove that claims
catch.

No other part of the package knows of them, but for the name `reference+FAULT`.
"""

from __future__ import annotations

from isolation_spec.faults.contexts import WORKER_KEEPS_CONTEXT
from isolation_spec.faults.delivery import BROADCAST_TO_ALL, NOT_QUEUED
from isolation_spec.faults.dispatching import CHECKED_AFTERWARDS, FAILURE_ESCAPES
from isolation_spec.faults.fault import Fault
from isolation_spec.faults.keys import PREFIX_MATCH
from isolation_spec.faults.outliving import HEARTBEAT_SURVIVES, RUN_GOES_ON
from isolation_spec.faults.overwriting import ARGUMENTS_ON_TOOL, STATE_ON_AGENT
from isolation_spec.faults.registration import LAST_REGISTRATION_WINS
from isolation_spec.faults.sessions import ONE_SESSION
from isolation_spec.faults.sharing import (
    ONE_DISPATCHER,
    SHARED_CONVERSATION,
    SHARED_STATISTICS,
)
from isolation_spec.faults.transactions import COMMIT_ON_ERROR

__all__ = ["FAULTS", "Fault"]

FAULTS: tuple[Fault, ...] = (
    ARGUMENTS_ON_TOOL,
    BROADCAST_TO_ALL,
    CHECKED_AFTERWARDS,
    COMMIT_ON_ERROR,
    FAILURE_ESCAPES,
    HEARTBEAT_SURVIVES,
    LAST_REGISTRATION_WINS,
    NOT_QUEUED,
    ONE_DISPATCHER,
    ONE_SESSION,
    PREFIX_MATCH,
    RUN_GOES_ON,
    SHARED_CONVERSATION,
    SHARED_STATISTICS,
    STATE_ON_AGENT,
    WORKER_KEEPS_CONTEXT,
)
"""All of them, in the order of their ids."""
