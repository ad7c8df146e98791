"""The observations of one run of a scenario: pure data, in their order.

Entries hold the observations of users, agents, connections, databases and the ledger of
live resources. Claims read nothing else. Two runs are the same when their digests are.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import msgspec

from isolation_spec.model.event_names import EventNames
from isolation_spec.model.history.activity import (
    ActivityCounters,
    Await,
    Handoff,
    InFlightInterval,
)
from isolation_spec.model.history.entries import Entry, EntryT
from isolation_spec.model.history.opaque import Sight
from isolation_spec.model.limits import PATIENCE, Limit
from isolation_spec.model.scenario import (
    AdvanceTime,
    CollectGarbage,
    Operation,
    Scenario,
    Schedule,
    Shutdown,
    UserOperation,
)

__all__ = ["History"]


class History(msgspec.Struct, frozen=True, kw_only=True):
    """One complete run of one scenario.

    Attributes:
        schedule: the choices that the run really followed, keyed by chain.
        unused: the choices of the scenario whose place never came.
        arrivals: digest of the order in which external completions arrived.
        settled: False when operations or live resources kept the run from its end.
        choices: how often the scheduler had more than one arrival to choose from.
        overlapped: True if operations of two users were under way at once.
        order: the chain of each arrival, in order; () where it is not recorded.
        steps: operation id -> where in the engine its task waited before each of its
            steps, if they were counted.
        handed: operation id -> the steps before which it waited for another operation
            and not for an answer of its own, and for which, if steps were counted.
        waited: operation id -> external work in flight during its awaits, if steps were
            counted.
        awaits: the awaits of all operations, in order, if steps were counted.
        limits: the limits that the engine declares.
        patience: the seconds by which users may delay one another undeclared.
        event_names: the names in the engine's events, None if undeclared.
        varying: patterns of output that may differ from a solo run.
        computing: the functions in which a callback computed for a CPU second or more;
            it hangs on the machine, and is no part of the digest.
        sight: kind of operation or step -> how much was seen of the values that it
            gave; no part of the digest.
    """

    scenario: Scenario
    entries: tuple[Entry, ...]
    reached: ActivityCounters
    schedule: Schedule
    unused: tuple[str, ...]
    arrivals: str
    settled: bool
    choices: int
    overlapped: bool
    order: tuple[str, ...] = ()
    steps: dict[int, tuple[str, ...]] = {}
    handed: dict[int, tuple[Handoff, ...]] = {}
    waited: dict[int, tuple[InFlightInterval, ...]] = {}
    awaits: tuple[Await, ...] = ()
    limits: dict[str, Limit] = {}
    patience: float = PATIENCE
    event_names: EventNames | None = None
    varying: tuple[str, ...] = ()
    computing: tuple[str, ...] = ()
    sight: dict[str, Sight] = {}

    def of(self, kind: type[EntryT]) -> Iterator[EntryT]:
        """Yields the entries of one kind, in order."""
        return (entry for entry in self.entries if isinstance(entry, kind))

    def digest(self) -> str:
        """A digest of the entries; equal digests are equal runs."""
        return sha256(msgspec.json.encode(self.entries)).hexdigest()

    def label(self, user: int | None) -> str:
        """The label of a user, or "world"."""
        return "world" if user is None else self.scenario.users[user].label

    def operations(self) -> dict[int, Operation]:
        """Operation id -> operation."""
        return {operation.id: operation for operation in self.scenario.operations}

    def user_operations(self) -> dict[int, UserOperation]:
        """Operation id -> operation, of users only."""
        return {
            operation.id: operation
            for operation in self.scenario.operations
            if not isinstance(operation, AdvanceTime | CollectGarbage | Shutdown)
        }
