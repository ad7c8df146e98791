"""One stream of typed events feeds all faces."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from isolation_spec.claims import Violation
from isolation_spec.diagnosis.explanation import Explanation
from isolation_spec.model.scenario import Scenario
from isolation_spec.search.result import Result, WorldKind

__all__ = [
    "Event",
    "FailureFound",
    "FailureSaved",
    "Listener",
    "NotSaved",
    "Progressed",
    "SearchEnded",
    "SearchFailed",
    "SearchStarted",
    "Shrinking",
    "Shrunk",
    "WorkerCrashed",
]


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Something that happened in a search."""


class SearchStarted(_Event, tag=True, frozen=True, kw_only=True):
    """A search began; `max_time` is in seconds, 0 for no limit.

    `packages` are those that count as the engine's own code.
    """

    engine: str
    profile: str
    seed: int
    processes: int
    world: WorldKind = "simulated"
    max_time: float = 0
    packages: tuple[str, ...] = ()


class WorkerCrashed(_Event, tag=True, frozen=True, kw_only=True):
    """A worker died before its run was over; its scenario is saved."""

    path: str
    engine: str


class Progressed(_Event, tag=True, frozen=True, kw_only=True):
    """The progress so far; `of_examples` is 0 where time alone ends the search."""

    examples: int
    interleavings: int
    of_examples: int


class FailureFound(_Event, tag=True, frozen=True, kw_only=True):
    """A claim was violated; the scenario as found is saved already.

    `observation` is the text of the observation that contradicts the claim.
    """

    violation: Violation
    path: str
    observation: str = ""


class Shrinking(_Event, tag=True, frozen=True, kw_only=True):
    """A violation is being shrunk: so many runs, and the size so far as operations and
    decisions."""

    claim: str
    runs: int
    size: tuple[int, int]


class Shrunk(_Event, tag=True, frozen=True, kw_only=True):
    """The scenario is as small as it gets; sizes are operations and decisions."""

    claim: str
    before: tuple[int, int]
    after: tuple[int, int]
    runs: int


class FailureSaved(_Event, tag=True, frozen=True, kw_only=True):
    """The shrunk failure was replayed twice and saved; live, saved as it was found.

    `difference` says where two replays differed, "" if nowhere.
    `explanation` has at most 40 lines, of at most 80 columns.
    """

    scenario: Scenario
    violation: Violation
    path: str
    confirmed: bool
    engine: str = ""
    difference: str = ""
    world: WorldKind = "simulated"
    explanation: Explanation | None = None


class NotSaved(_Event, tag=True, frozen=True, kw_only=True):
    """A file could not be written; `data` is its whole content."""

    path: str
    problem: str
    data: str


class SearchEnded(_Event, tag=True, frozen=True, kw_only=True):
    """The search is over."""

    result: Result


class SearchFailed(_Event, tag=True, frozen=True, kw_only=True):
    """The search could not be finished, and has no result; `reason` says why."""

    reason: str


Event: TypeAlias = (
    SearchStarted
    | WorkerCrashed
    | Progressed
    | FailureFound
    | Shrinking
    | Shrunk
    | FailureSaved
    | NotSaved
    | SearchEnded
    | SearchFailed
)
Listener = Callable[[Event], None]
