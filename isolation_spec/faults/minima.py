"""The fewest operations and decisions with which each fault shows, claim by claim.

Found and argued in the tests, where each has its story; here, so that `isolation-spec
faults` can say how near to it a shrunk scenario comes.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["LEAST", "least_of"]

LEAST: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "answer-cache": {"context-ownership": (4, 0)},
    "arguments-on-tool": {"context-ownership": (4, 0), "tool-isolation": (3, 0)},
    "auth-in-place": {"tool-isolation": (4, 0)},
    "batch-fails": {"context-ownership": (4, 0), "tool-isolation": (4, 0)},
    "batch-refused": {"context-ownership": (4, 0), "error-containment": (4, 0)},
    "bound-for-another": {"context-ownership": (4, 1), "stored-writes": (4, 1)},
    "broadcast-to-all": {"event-routing": (3, 0)},
    "cancelled-closes-all": {
        "error-containment": (4, 1),
        "noninterference": (4, 1),
        "tool-isolation": (3, 1),
    },
    "checked-afterwards": {"tool-isolation": (2, 0)},
    "cleared-afterwards": {"teardown": (4, 2)},
    "comes-back": {"stored-writes": (3, 0)},
    "commit-on-error": {"database-sessions": (2, 0)},
    "counted-afterwards": {"exact-limits": (5, 0)},
    "counted-for-all": {"error-containment": (3, 0), "exact-limits": (4, 0)},
    "credential-cache": {"tool-isolation": (4, 0)},
    "dead-next": {"error-containment": (4, 1)},
    "decision-cache": {"tool-isolation": (2, 0)},
    "default-in-context": {"context-ownership": (4, 0)},
    "each-statement": {"database-sessions": (2, 0)},
    "ends-twice": {"event-lifecycle": (4, 0)},
    "erase-by-thread": {"stored-writes": (4, 0)},
    "failure-escapes": {"tool-isolation": (2, 0)},
    "first-leaves": {"event-routing": (2, 1)},
    "folded-case": {"context-ownership": (4, 0), "stored-writes": (4, 0)},
    "followers-left": {"error-containment": (4, 1)},
    "gate-left-shut": {"teardown": (5, 2)},
    "heartbeat-survives": {"teardown": (1, 0)},
    "joined-login": {
        "error-containment": (4, 1),
        "noninterference": (4, 1),
        "tool-isolation": (3, 1),
    },
    "joined-owner": {"context-ownership": (4, 0), "stored-writes": (3, 0)},
    "joined-query": {"context-ownership": (6, 0), "stored-writes": (5, 0)},
    "last-error": {"context-ownership": (5, 0), "event-routing": (6, 0)},
    "last-registration-wins": {"event-lifecycle": (5, 0), "event-routing": (5, 0)},
    "late-cleanup": {"event-routing": (5, 0)},
    "left-in-queue": {"error-containment": (6, 1)},
    "left-open": {"database-sessions": (2, 0), "teardown": (2, 0)},
    "line-blocked": {"error-containment": (4, 1), "noninterference": (4, 1)},
    "login-to-next": {"event-routing": (2, 1)},
    "masked-owner": {"event-routing": (3, 0)},
    "metadata-alias": {"stored-writes": (2, 0)},
    "name-believed": {"event-routing": (3, 0)},
    "newest-first": {"event-lifecycle": (3, 0), "event-routing": (3, 0)},
    "normalised-id": {"context-ownership": (4, 0)},
    "not-queued": {"event-routing": (3, 1)},
    "number-like": {"context-ownership": (4, 0)},
    "one-agent": {"context-ownership": (4, 0), "stored-writes": (4, 0)},
    "one-at-a-time": {"error-containment": (4, 0)},
    "one-breaker": {"error-containment": (4, 0)},
    "one-connection": {"database-sessions": (4, 0), "stored-writes": (4, 0)},
    "one-cookie-jar": {"context-ownership": (4, 0), "noninterference": (4, 0)},
    "one-dispatcher": {"context-ownership": (2, 0)},
    "one-queue": {"event-routing": (3, 0)},
    "one-run-table": {"error-containment": (4, 0)},
    "one-session": {"database-sessions": (4, 0)},
    "one-upstream": {"noninterference": (4, 0)},
    "owner-on-store": {"stored-writes": (4, 0)},
    "pattern-match": {"context-ownership": (4, 0), "stored-writes": (4, 0)},
    "permission-cache": {"tool-isolation": (4, 0)},
    "permit-lost": {"error-containment": (4, 1), "noninterference": (4, 1)},
    "prefix-cleanup": {"error-containment": (3, 0)},
    "prefix-match": {"context-ownership": (4, 0)},
    "prompt-on-client": {"context-ownership": (4, 0)},
    "reader-stalls-all": {"event-routing": (5, 0)},
    "repeated-after": {"event-routing": (3, 0)},
    "reply-to-next": {"context-ownership": (4, 1), "noninterference": (4, 1)},
    "result-cache": {"tool-isolation": (4, 0)},
    "result-to-next": {"context-ownership": (4, 1), "tool-isolation": (3, 1)},
    "returned-alias": {"stored-writes": (2, 0)},
    "run-goes-on": {"event-lifecycle": (4, 0)},
    "search-everywhere": {"context-ownership": (4, 0)},
    "session-on-client": {"noninterference": (4, 0)},
    "shallow-template": {"context-ownership": (2, 0)},
    "shared-budget": {"noninterference": (4, 0)},
    "shared-conversation": {"context-ownership": (2, 0)},
    "shared-retention": {"noninterference": (5, 0)},
    "shared-statistics": {"context-ownership": (2, 0)},
    "slashed-owner": {"context-ownership": (4, 0), "stored-writes": (3, 0)},
    "slot-taken": {"context-ownership": (4, 0)},
    "state-on-agent": {"context-ownership": (4, 0)},
    "thread-only": {"context-ownership": (4, 0)},
    "timer-left": {"teardown": (2, 0)},
    "token-optional": {"event-routing": (1, 0)},
    "tools-to-all": {"event-routing": (3, 0)},
    "trimmed-id": {"context-ownership": (4, 0)},
    "truncated-id": {"context-ownership": (4, 0)},
    "turn-of-nobody": {"event-routing": (3, 2)},
    "turn-lost": {"error-containment": (5, 1)},
    "turn-dropped": {"error-containment": (5, 1), "teardown": (5, 1)},
    "unchecked-run": {"context-ownership": (2, 0)},
    "unchecked-session": {
        "context-ownership": (3, 0),
        "error-containment": (3, 0),
        "stored-writes": (2, 0),
    },
    "waits-on": {"error-containment": (4, 1)},
    "worker-keeps-context": {"context-ownership": (4, 0), "tool-isolation": (4, 0)},
    "written-later": {"stored-writes": (2, 0)},
}
"""Fault -> claim -> (operations, decisions)."""


def least_of(fault: str, claim: str) -> tuple[int, int] | None:
    """What the fault needs to show under this claim; under an unknown claim, what it
    needs to show at all; None for a fault that is not known."""
    known = LEAST.get(fault, {})
    return known.get(claim) or min(known.values(), key=sum, default=None)
