"""Planted faults: the real engine with one mechanism broken, to prove that claims
catch.

No other part of the package knows of them, but for the name `reference+FAULT`.
"""

from __future__ import annotations

from isolation_spec.faults import (
    acknowledging,
    aliasing,
    announcing,
    backlog,
    batching,
    caching,
    committing,
    contexts,
    delivery,
    dispatching,
    endings,
    errors,
    flights,
    halfway,
    handshakes,
    hydrating,
    interference,
    keys,
    lagging,
    limits,
    locking,
    outliving,
    overtaking,
    overwriting,
    ownership,
    permits,
    placing,
    rechecking,
    recovering,
    recycling,
    registration,
    reopening,
    replies,
    restoring,
    reusing,
    sessions,
    sharing,
    shifts,
    sweeping,
    transactions,
)
from isolation_spec.faults.fault import Fault
from isolation_spec.faults.minima import LEAST, least_of

__all__ = ["FAULTS", "LEAST", "Fault", "least_of"]

_MECHANISMS = (
    acknowledging,
    aliasing,
    announcing,
    backlog,
    batching,
    caching,
    committing,
    contexts,
    delivery,
    dispatching,
    endings,
    errors,
    handshakes,
    flights,
    halfway,
    hydrating,
    interference,
    keys,
    lagging,
    limits,
    locking,
    outliving,
    overtaking,
    overwriting,
    ownership,
    permits,
    recovering,
    placing,
    rechecking,
    recycling,
    registration,
    reopening,
    reusing,
    replies,
    restoring,
    sessions,
    sharing,
    shifts,
    sweeping,
    transactions,
)

FAULTS: tuple[Fault, ...] = tuple(
    sorted(
        (fault for mechanism in _MECHANISMS for fault in mechanism.FAULTS),
        key=lambda fault: fault.id,
    )
)
"""All of them, in the order of their ids."""
