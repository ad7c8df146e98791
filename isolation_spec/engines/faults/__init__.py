"""Planted faults: the reference engine with one mechanism broken, to prove the claims.

Each module is a mechanism. Engines, claims, world and strategies do not know the
faults; users name one as `reference+FAULT`.
"""

from __future__ import annotations

from collections.abc import Mapping

from isolation_spec.engines.faults import (
    aba,
    aliasing,
    batching,
    blocked_loop,
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

__all__ = ["FAULTS", "LEAST", "Fault", "least_of", "mechanism_of"]

_MODULES = (
    aba,
    aliasing,
    batching,
    blocked_loop,
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

FAULTS: tuple[Fault, ...] = tuple(
    sorted(
        (fault for module in _MODULES for fault in module.FAULTS),
        key=lambda fault: fault.id,
    )
)
"""All planted faults, in the order of their ids."""

_MECHANISMS: Mapping[str, str] = {
    fault.id: module.__name__.rpartition(".")[2]
    for module in _MODULES
    for fault in module.FAULTS
}


def mechanism_of(fault: Fault) -> str:
    """The mechanism that the fault breaks: the name of its module."""
    return _MECHANISMS[fault.id]
