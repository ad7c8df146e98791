"""The outcome of a replay."""

from __future__ import annotations

import enum

__all__ = ["Outcome"]


class Outcome(enum.StrEnum):
    """The outcome of a replay: the saved run against the run of today."""

    REPRODUCED = "REPRODUCED"
    """The same claim is violated again."""
    FIXED = "FIXED"
    """The claim holds with evidence, and every choice found its place."""
    DRIFTED = "DRIFTED"
    """Not violated, but the run is no longer the one that was saved."""
    UNSUPPORTED = "UNSUPPORTED"
    """Not run: the version, the claim, the engine or a capability is not known."""
