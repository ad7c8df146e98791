"""Planted faults: the real engine with one mechanism broken, to prove that claims
catch.

No other part of the package knows of them, but for the name `reference+FAULT`.
"""

from __future__ import annotations

from isolation_spec.faults.fault import Fault
from isolation_spec.faults.keys import PREFIX_MATCH
from isolation_spec.faults.outliving import HEARTBEAT_SURVIVES, RUN_GOES_ON
from isolation_spec.faults.registration import LAST_REGISTRATION_WINS
from isolation_spec.faults.transactions import COMMIT_ON_ERROR

__all__ = ["FAULTS", "Fault"]

FAULTS: tuple[Fault, ...] = (
    COMMIT_ON_ERROR,
    HEARTBEAT_SURVIVES,
    LAST_REGISTRATION_WINS,
    PREFIX_MATCH,
    RUN_GOES_ON,
)
"""All of them, in the order of their ids."""
