"""The result of a search, as people and machines read it."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from isolation_spec.claims import Verdict
from isolation_spec.history import Reached

__all__ = ["ClaimResult", "Result", "WorldKind"]

WorldKind: TypeAlias = Literal["simulated", "live"]
"""Where scenarios were run; what is found in a live world cannot be replayed."""


class ClaimResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one claim stands after a search; `evidence` counts situations."""

    id: str
    verdict: Verdict
    evidence: int
    reason: str = ""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a search found and spent.

    Attributes:
        seconds: wall clock, start-up of the search included.
        peak_memory_mb: proportional set size, summed over the process tree, in 10^6
            bytes; 0 where the system does not tell it.
        places: places in the engine at which operations were seen to wait, for each
            kind of operation; `places_cancelled`: those at which one was cancelled.
        failures: paths of the saved failure files.
        stuck: paths of the files of runs that hung or ended their process.
        reasons: why the verdict is not green, a sentence each.
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
    reached: Reached
    places: int = 0
    places_cancelled: int = 0
    failures: tuple[str, ...]
    stuck: tuple[str, ...] = ()
    reasons: tuple[str, ...]
    seed: int
    interrupted: bool = False

    def to_json(self) -> bytes:
        """The result as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"
