"""The text of remarks."""

from __future__ import annotations

from isolation_spec.claims.remarks import AnyRemark

__all__ = ["describe_remark"]


def describe_remark(remark: AnyRemark) -> str:
    """Returns a remark as one sentence, with the code to write."""
    also = f" (and as {remark.others_path})" * (remark.path != remark.others_path)
    return (
        f"contexts of two users hold one object, {remark.path}{also}: return it from "
        "`shared` if that is on purpose; no value and no change was seen to pass "
        "through it unless a claim says so"
    )
