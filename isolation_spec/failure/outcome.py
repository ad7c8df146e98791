"""The outcome of a replay."""

from __future__ import annotations

import enum

__all__ = ["Outcome"]


class Outcome(enum.StrEnum):
    """The outcome of a replay: the saved run against the run of today."""

    REPRODUCED = "REPRODUCED"
    """The same claim is violated again."""
    FIXED = "FIXED"
    """The claim holds with evidence, and every choice found its place; or a choice
    found no place, and 20 variations of the choices violate nothing."""
    DRIFTED = "DRIFTED"
    """Not violated, but neither this run nor its variations show that it holds."""
    UNSUPPORTED = "UNSUPPORTED"
    """Not run: the version, the claim, the engine or a capability is not known."""
