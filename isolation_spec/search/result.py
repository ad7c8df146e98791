"""The result of a search, as people and machines read it."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from isolation_spec.claims import Reason, ReasonKind, Verdict
from isolation_spec.model.history.activity import ActivityCounters
from isolation_spec.search.coverage import Coverage
from isolation_spec.world.schedulers.pct import Bound

__all__ = ["ClaimResult", "FailedResult", "Result", "WorldKind", "not_reached"]

WorldKind: TypeAlias = Literal["simulated", "live"]
"""The world of all runs; a violation in a live world cannot be replayed."""


class ClaimResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one claim stands after a search; `evidence` counts opportunities."""

    id: str
    verdict: Verdict
    evidence: int
    reason: Reason | None = None


class FailedResult(msgspec.Struct, frozen=True, kw_only=True):
    """A search without a result: the adapter, an option or the system refused it."""

    verdict: Literal["error"] = "error"
    reasons: tuple[str, ...]

    def to_json(self) -> bytes:
        """The reasons as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The findings, the activity and the cost of a search.

    Attributes:
        seconds: wall clock, start-up of the search included.
        peak_memory_mb: proportional set size, summed over the process tree, in 10^6
            bytes; 0 where the system does not report it.
        places: places in the engine at which operations were seen to wait, for each
            kind of operation; `places_cancelled`: those at which one was cancelled.
        reruns: runs that were repeated in a fresh world and compared step by step; they
            count as no interleavings.
        exhausted: small scopes of which every order of arrivals was run.
        pct: the bound of the runs under pure PCT, None without such runs.
        coverage: how often operations ended how, and each of those places.
        failures: paths of the saved failure files.
        stuck: paths of the files of runs that hung or ended their process.
        reasons: why the verdict is not green, a sentence each.
        remarks: observations beside the verdict, a sentence each.
        max_time: seconds after which no further run was begun; 0 for no such limit.
        time_up: whether the time limit ended the search; the verdict is about its runs.
    """

    engine: str
    world: WorldKind = "simulated"
    profile: str
    verdict: Verdict
    examples: int
    interleavings: int
    seconds: float
    peak_memory_mb: float
    claims: tuple[ClaimResult, ...]
    reached: ActivityCounters
    places: int = 0
    places_cancelled: int = 0
    reruns: int = 0
    exhausted: int = 0
    pct: Bound | None = None
    coverage: Coverage = msgspec.field(default_factory=Coverage)
    failures: tuple[str, ...]
    stuck: tuple[str, ...] = ()
    reasons: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    seed: int
    interrupted: bool = False
    time_up: bool = False
    max_time: float = 0

    def to_json(self) -> bytes:
        """The result as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def not_reached(result: Result, claim: ClaimResult) -> bool:
    """Whether a finding ended the search before any run could judge this claim.

    Such a claim is inconclusive, which is no news beside the finding. A claim whose
    check crashed was judged.
    """
    return (
        result.verdict is Verdict.VIOLATED
        and claim.verdict is Verdict.INCONCLUSIVE
        and claim.reason is not None
        and claim.reason.kind in (ReasonKind.NOT_REACHED, ReasonKind.NEVER_JUDGED)
    )
