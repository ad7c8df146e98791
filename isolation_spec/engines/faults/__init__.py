"""Planted faults: the real engine with one mechanism broken, to prove that claims
catch.

No other part of the package knows of them, but for the name `reference+FAULT`.
"""

from __future__ import annotations

from isolation_spec.engines.faults import (
    aba,
    aliasing,
    batching,
    caching,
    check_then_act,
    context_inheritance,
    delivery,
    duplicate_terminal_event,
    error_leakage,
    false_recovery,
    handshakes,
    id_reuse,
    identification_window,
    interrupted_commit,
    key_confusion,
    late_callbacks,
    leaked_permits,
    limits,
    lost_wakeup,
    missing_authorization,
    orphaned_work,
    partial_update,
    pool_contamination,
    redelivery,
    refcounted_resource,
    registration,
    reordering,
    reply_misrouting,
    session_lifetime,
    sessions,
    shared_mutable_state,
    sharing,
    side_channels,
    single_flight,
    stale_hydration,
    stale_write_back,
    sweep_race,
    tool_call_order,
    transactions,
    unrestored_context,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.faults.minima import LEAST, least_of

__all__ = ["FAULTS", "LEAST", "Fault", "least_of"]

_MECHANISMS = (
    redelivery,
    aliasing,
    late_callbacks,
    identification_window,
    batching,
    caching,
    interrupted_commit,
    context_inheritance,
    delivery,
    tool_call_order,
    duplicate_terminal_event,
    error_leakage,
    handshakes,
    single_flight,
    partial_update,
    stale_hydration,
    side_channels,
    key_confusion,
    stale_write_back,
    limits,
    lost_wakeup,
    orphaned_work,
    reordering,
    shared_mutable_state,
    missing_authorization,
    leaked_permits,
    false_recovery,
    check_then_act,
    aba,
    id_reuse,
    registration,
    refcounted_resource,
    pool_contamination,
    reply_misrouting,
    unrestored_context,
    sessions,
    sharing,
    session_lifetime,
    sweep_race,
    transactions,
)

FAULTS: tuple[Fault, ...] = tuple(
    sorted(
        (fault for mechanism in _MECHANISMS for fault in mechanism.FAULTS),
        key=lambda fault: fault.id,
    )
)
"""All of them, in the order of their ids."""
