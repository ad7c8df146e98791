"""Counters of the activity that a run really reached, and the waits of its tasks."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

__all__ = ["ActivityCounters", "Await", "Handoff", "InFlightInterval"]


class InFlightInterval(msgspec.Struct, frozen=True):
    """External work in flight while a task waited after one of its steps.

    Attributes:
        step: the number of the step, counted from 1.
        first, last: turns of the loop after the step between which it was in flight.
        kind: the kind of its chain, as "call" or "database".
    """

    step: int
    first: int
    last: int
    kind: str


class Handoff(msgspec.Struct, frozen=True):
    """A step of a task that waited for another operation, the giver; None for the
    world."""

    step: int
    giver: int | None


class Await(msgspec.Struct, frozen=True):
    """The task of an operation came to an await in the engine, before `entry`."""

    operation: int
    place: str
    entry: int


class ActivityCounters(msgspec.Struct, kw_only=True):
    """Counts of the activity of runs, taken where the world sees the work.

    Runs and tools are counted by the scripted agent itself, handshakes where a client
    of any library is connected, events where it is given a message. Database sessions
    count where SQLAlchemy begins a transaction for one, and where a statement of any
    other client of the simulated database begins one. Attacks are operations that
    named something of another user, or a forged token, and reached the engine.
    """

    users: int = 0
    runs_completed: int = 0
    tools_run: int = 0
    events_delivered: int = 0
    handshakes: int = 0
    database_sessions: int = 0
    cancellations: int = 0
    cleanups: int = 0
    attacks: int = 0

    def add(self, other: ActivityCounters) -> None:
        """Adds the counts of another run to these."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def missing(self, required: Collection[str] | None = None) -> tuple[str, ...]:
        """The names of the counts that stayed zero, of all or of the required ones."""
        wanted = self.__struct_fields__ if required is None else required
        return tuple(
            name
            for name in self.__struct_fields__
            if name in wanted and not getattr(self, name)
        )
