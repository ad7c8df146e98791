"""The specification: the claims that hold for every engine, user, run and schedule."""

from __future__ import annotations

from collections.abc import Mapping

from isolation_spec.claims.claim import (
    LASTING,
    Claim,
    IsolationViolated,
    Judgement,
    Opportunity,
    Reason,
    ReasonKind,
    Ruling,
    Verdict,
    Violation,
    judge_claim,
    with_violations,
)
from isolation_spec.claims.context_ownership import (
    CONTEXT_OWNERSHIP,
    ContextOwnershipViolated,
)
from isolation_spec.claims.database_sessions import (
    DATABASE_SESSIONS,
    DatabaseSessionsViolated,
)
from isolation_spec.claims.error_containment import (
    ERROR_CONTAINMENT,
    ErrorContainmentViolated,
)
from isolation_spec.claims.event_lifecycle import (
    EVENT_LIFECYCLE,
    EventLifecycleViolated,
)
from isolation_spec.claims.event_routing import EVENT_ROUTING, EventRoutingViolated
from isolation_spec.claims.exact_limits import EXACT_LIMITS, ExactLimitsViolated
from isolation_spec.claims.history_index import HistoryIndex
from isolation_spec.claims.noninterference import (
    NONINTERFERENCE,
    NoninterferenceViolated,
)
from isolation_spec.claims.stored_writes import STORED_WRITES, StoredWritesViolated
from isolation_spec.claims.teardown import TEARDOWN, TeardownViolated
from isolation_spec.claims.tool_isolation import TOOL_ISOLATION, ToolIsolationViolated
from isolation_spec.contract.capabilities import Capability
from isolation_spec.model.history.history import History

__all__ = [
    "CLAIMS",
    "LASTING",
    "Claim",
    "ContextOwnershipViolated",
    "DatabaseSessionsViolated",
    "ErrorContainmentViolated",
    "EventLifecycleViolated",
    "EventRoutingViolated",
    "ExactLimitsViolated",
    "IsolationViolated",
    "Judgement",
    "NoninterferenceViolated",
    "Opportunity",
    "Reason",
    "ReasonKind",
    "Ruling",
    "StoredWritesViolated",
    "TeardownViolated",
    "ToolIsolationViolated",
    "Verdict",
    "Violation",
    "find_claim",
    "judge",
    "with_violations",
]

CLAIMS: tuple[Claim, ...] = (
    CONTEXT_OWNERSHIP,
    STORED_WRITES,
    EVENT_ROUTING,
    EVENT_LIFECYCLE,
    EXACT_LIMITS,
    TOOL_ISOLATION,
    DATABASE_SESSIONS,
    ERROR_CONTAINMENT,
    TEARDOWN,
    NONINTERFERENCE,
)
"""All claims, in the order in which they are shown; the order decides nothing else."""


def find_claim(name: str) -> Claim:
    """The claim of that id.

    Raises:
        KeyError: no claim has that id; the text lists the ids.
    """
    for claim in CLAIMS:
        if claim.id == name:
            return claim
    known = ", ".join(claim.id for claim in CLAIMS)
    message = f"no claim is called {name!r}; there are {known}"
    raise KeyError(message)


def judge(
    history: History,
    capabilities: frozenset[Capability],
    claims: tuple[Claim, ...] = CLAIMS,
    *,
    solos: Mapping[int, tuple[History, ...]] | None = None,
) -> tuple[Judgement, ...]:
    """Judges the whole history by every claim; `solos` are users' runs alone."""
    observed = HistoryIndex(history, solos)
    return tuple(judge_claim(claim, observed, capabilities) for claim in claims)
