"""Pool contamination: a pooled object carries state from one user to the next."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from isolation_spec.engines.faults.builders import (
    SharedResource,
    call_external,
    schedule_after_external_call,
    with_shared_resource,
)
from isolation_spec.engines.faults.fault import Fault
from isolation_spec.engines.reference import ClosedError
from isolation_spec.engines.reference.runs import Run

__all__ = ["FAULTS"]


class _Pad:
    """A notepad for one run at a time; it is empty when the next run takes it."""

    def __init__(self) -> None:
        self.notes: set[str] = set()


class _Pads(SharedResource):
    """Pools free pads. Each event is noted at once, and again when a call outside
    completes that no run waits for."""

    def __init__(self) -> None:
        self._free: list[_Pad] = []
        self._held: dict[str, _Pad] = {}

    @asynccontextmanager
    async def hold(self, run: Run) -> AsyncIterator[None]:
        pad = self._free.pop() if self._free else _Pad()
        pad.notes.clear()
        self._held[run.context.request_id] = pad
        try:
            yield
        finally:
            self._free.append(self._held.pop(run.context.request_id))

    def record_event(self, request_id: str, payload: Mapping[str, Any]) -> None:
        pad = self._held.get(request_id)
        if pad is not None:
            note = f"{payload}"
            pad.notes.add(note)
            schedule_after_external_call(lambda: pad.notes.add(note))

    def extra_metadata(self, run: Run) -> Mapping[str, Any]:
        return {"notes": sorted(self._held[run.context.request_id].notes)}


NOTED_FOR_NEXT = Fault(
    id="noted-for-next",
    source="justcoding121/titanium-web-proxy #546, dotnet/corefx #27780: an object "
    "back in the pool is still written to for its previous user",
    claims=frozenset({"context-ownership"}),
    adapter=with_shared_resource(_Pads),
)


class _Connection:
    """A connection upstream, for the runs that begin before the next run ends."""

    closed = False


class _AlternatingConnections(SharedResource):
    """Two connections: the end of a run closes the front one and brings the other
    forward.

    A bit says which one is in front; a run that reads the same bit before and after an
    await takes the front connection for unchanged.
    """

    def __init__(self) -> None:
        self._bit = False
        self._front = _Connection()

    @asynccontextmanager
    async def hold(self, run: Run) -> AsyncIterator[None]:
        connection = await self._find()
        while connection is None:
            connection = await self._find()
        if connection.closed:
            message = f"run {run.run_id!r} has a connection that is closed"
            raise ClosedError(message)
        try:
            yield
        finally:
            self._front.closed = True
            self._front, self._bit = _Connection(), not self._bit

    async def _find(self) -> _Connection | None:
        front, bit = self._front, self._bit
        await call_external()
        return front if bit is self._bit else None


TURNED_TWICE = Fault(
    id="turned-twice",
    source="garden-co/jazz #2974: a slot is compared by a value that wraps around, so "
    "two changes look like no change",
    claims=frozenset({"error-containment"}),
    adapter=with_shared_resource(_AlternatingConnections),
)

FAULTS = (NOTED_FOR_NEXT, TURNED_TWICE)
