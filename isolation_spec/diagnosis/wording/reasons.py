"""The text of the reason why a claim has no evidence."""

from __future__ import annotations

from isolation_spec.claims import Reason, ReasonKind, find_claim

__all__ = ["describe_reason"]


def describe_reason(claim: str, reason: Reason | None) -> str:
    """Returns the reason of a claim's verdict, "" for a verdict without a reason."""
    if reason is None:
        return ""
    details = ", ".join(reason.details)
    match reason.kind:
        case ReasonKind.UNDECLARED:
            return f"the engine declares no {details}"
        case ReasonKind.NO_SOLO_RUN:
            return "no user's solo run was made"
        case ReasonKind.CHECK_CRASHED:
            return f"its check crashed: {details}"
        case ReasonKind.UNSETTLED:
            return (
                f"further users changed the count of {details} and did not make it "
                "grow with each: neither a leak nor the server's own"
            )
        case ReasonKind.OPAQUE:
            return (
                f"every value of {details} has a part that cannot be seen: return "
                "plain data, or objects that hold their values as attributes"
            )
        case ReasonKind.NOT_REACHED:
            return f"never reached: {find_claim(claim).situation}"
        case ReasonKind.NEVER_JUDGED:
            return "never reached"
