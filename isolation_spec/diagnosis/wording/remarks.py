"""The text of remarks."""

from __future__ import annotations

from isolation_spec.claims.remarks import (
    AnyRemark,
    CallbackComputes,
    IdentityOfDeparted,
    ObjectHeldByTwo,
    ValuesSeenInPart,
)

__all__ = ["describe_remark"]


def describe_remark(remark: AnyRemark) -> str:
    """Returns a remark as one sentence, with the code to write."""
    match remark:
        case ObjectHeldByTwo(path, others_path):
            also = f" (and as {others_path})" * (path != others_path)
            return (
                f"contexts of two users hold one object, {path}{also}: return it from "
                "`shared` if that is on purpose; no value and no change was seen to "
                "pass through it unless a claim says so"
            )
        case CallbackComputes(function):
            return (
                f"a callback computed for 1 s of CPU time or more in {function}, while "
                "the loop served no other user; from 10 s on it violates "
                "error-containment: compute in a job, as asyncio.to_thread(...)"
            )
        case ValuesSeenInPart(kind, opaque, values, types):
            return (
                f"{opaque:,} of {values:,} values of {kind.replace('_', ' ')} have a "
                f"part that cannot be seen ({types}): a leak within it is not found"
            )
        case IdentityOfDeparted(kind, name):
            return (
                f"the {kind} {name} outlives the cleanup of the user for whom the "
                "engine says that it works: start tasks of the server in an empty "
                "context, as create_task(..., context=contextvars.Context())"
            )
